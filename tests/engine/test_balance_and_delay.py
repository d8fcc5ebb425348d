"""Algebraic rules, fast reactions and delays against solutions in closed form, on each back end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.errors import (
    DelaysNeedReferenceError,
    NoSuchInitialError,
    SimulationInputError,
    UnsupportedModelError,
)
from twoarm.model import start
from twoarm.model.sbml import read_model

HEAD = (
    '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">'
    '<listOfCompartments><compartment id="v" size="2" constant="true" spatialDimensions="3"/>'
    "</listOfCompartments>"
)
MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'
BOTH = pytest.mark.parametrize("backend", ["reference", "cpu"])


def ci(name: str) -> str:
    return f"<ci>{name}</ci>"


def cn(value: float) -> str:
    return f"<cn>{value!r}</cn>"


def apply(op: str, *args: str) -> str:
    return f"<apply><{op}/>{''.join(args)}</apply>"


def algebraic(math: str) -> str:
    return f"<algebraicRule>{MATH.format(math)}</algebraicRule>"


def rate_rule(name: str, math: str) -> str:
    return f'<rateRule variable="{name}">{MATH.format(math)}</rateRule>'


def assigned(name: str, math: str) -> str:
    return f'<assignmentRule variable="{name}">{MATH.format(math)}</assignmentRule>'


def parameters(*names: str, **values: float) -> str:
    plain = "".join(f'<parameter id="{name}" constant="false"/>' for name in names)
    valued = "".join(f'<parameter id="{n}" value="{v}" constant="false"/>' for n, v in values.items())
    return f"<listOfParameters>{plain}{valued}</listOfParameters>"


def rules(*texts: str) -> str:
    return f"<listOfRules>{''.join(texts)}</listOfRules>"


def text(*parts: str) -> str:
    return HEAD + "".join(parts) + "</model></sbml>"


def delay(of: str, lag: str) -> str:
    url = "http://www.sbml.org/sbml/symbols/delay"
    symbol = f'<csymbol encoding="text" definitionURL="{url}">delay</csymbol>'
    return f"<apply>{symbol}{of}{lag}</apply>"


GROWS = rate_rule("x", cn(1))


@BOTH
def test_two_linear_rules_are_solved_together(backend: str) -> None:
    model = read_model(
        text(
            parameters("a", "b", x=5.0),
            rules(
                algebraic(apply("minus", apply("plus", ci("a"), ci("b")), ci("x"))),
                algebraic(apply("minus", apply("minus", ci("a"), ci("b")), cn(1))),
                GROWS,
            ),
        )
    )
    assert model.states == ("x",)
    run = simulate(model, days=2, visits=[0, 2], backend=backend)
    np.testing.assert_allclose(run.a.values[0], [3.0, 4.0])
    np.testing.assert_allclose(run.b.values[0], [2.0, 3.0])


@BOTH
def test_what_has_no_closed_form_is_held_in_balance(backend: str) -> None:
    cube = apply("power", ci("z"), cn(3))
    model = read_model(
        text(
            parameters(x=2.0, z=5.0),
            rules(algebraic(apply("minus", apply("plus", cube, ci("z")), ci("x"))), GROWS),
        )
    )
    assert start(model)[1][model.states.index("z"), 0] == pytest.approx(1.0, rel=1e-12)
    visits = [0.0, 1.0, 8.0, 9.0]
    doses = pd.DataFrame({"id": [0], "time": [8.0], "amt": [58.0], "cmt": ["x"]})
    run = simulate(model, doses=doses, days=9, visits=visits, backend=backend, rtol=1e-8)
    z, x = run.z.values[0], run.x.values[0]
    np.testing.assert_allclose(x, [2.0, 3.0, 10.0, 69.0], rtol=1e-9)
    np.testing.assert_allclose(z**3 + z, x, rtol=1e-7)
    assert z[2] == pytest.approx(2.0, rel=1e-7)


@BOTH
def test_a_nonlinear_pair_depends_on_parameters_of_each_patient(backend: str) -> None:
    product = apply("minus", apply("times", ci("a"), ci("b")), ci("x"))
    total = apply("minus", apply("plus", ci("a"), apply("times", cn(2), ci("b"))), ci("s"))
    model = read_model(
        text(parameters(a=10.0, b=0.5, x=1.0, s=6.0), rules(algebraic(product), algebraic(total), GROWS))
    )
    patients = pd.DataFrame({"s": [6.0, 9.0]})
    run = simulate(model, patients, days=1, visits=[0, 1], backend=backend, rtol=1e-8)
    for i, s in enumerate(patients.s):
        for j, x in enumerate([1.0, 2.0]):  # b = (s - a)/2, a the larger root of a (s - a) = 2 x
            assert run.a.values[i, j] == pytest.approx((s + np.sqrt(s * s - 8 * x)) / 2, rel=1e-7)


def species(**amounts: float) -> str:
    return "<listOfSpecies>{}</listOfSpecies>".format(
        "".join(
            f'<species id="{n}" compartment="v" initialAmount="{a}" hasOnlySubstanceUnits="true" '
            'boundaryCondition="false" constant="false"/>'
            for n, a in amounts.items()
        )
    )


def reaction(name: str, law: str, made: dict[str, float], used: dict[str, float], fast: bool = False) -> str:
    def side(word: str, those: dict[str, float]) -> str:
        each = "".join(
            f'<speciesReference species="{n}" stoichiometry="{k}" constant="true"/>' for n, k in those.items()
        )
        return f"<listOf{word}>{each}</listOf{word}>" if those else ""

    return (
        f'<reaction id="{name}" reversible="true" fast="{str(fast).lower()}">{side("Reactants", used)}'
        f"{side('Products', made)}<kineticLaw>{MATH.format(law)}</kineticLaw></reaction>"
    )


@BOTH
@pytest.mark.parametrize("speed", [1e-6, 1.0, 1e4])
def test_a_fast_dimerization_follows_slow_production(backend: str, speed: float) -> None:
    law = apply(
        "times", cn(speed), apply("minus", apply("times", ci("a"), ci("a")), apply("times", cn(3), ci("b")))
    )
    model = read_model(
        text(
            species(a=4.0, b=0.0),
            "<listOfReactions>",
            reaction("pair", law, {"b": 1}, {"a": 2}, fast=True),
            reaction("make", cn(0.7), {"a": 1}, {}),
            "</listOfReactions>",
        )
    )

    def balanced(total: float) -> float:  # a^2 = 3 b, a + 2 b = total
        return (-3 + np.sqrt(9 + 24 * total)) / 4

    doses = pd.DataFrame({"id": [0], "time": [2.0], "amt": [10.0], "cmt": ["b"]})
    run = simulate(model, doses=doses, days=5, visits=[0.0, 1.0, 2.0, 2.5, 5.0], backend=backend, rtol=1e-8)
    want = [balanced(t) for t in (4.0, 4.7, 5.4, 25.75, 27.5)]
    np.testing.assert_allclose(run.a.values[0], want, rtol=1e-6)
    np.testing.assert_allclose(run.a.values[0] + 2 * run.b.values[0], [4.0, 4.7, 5.4, 25.75, 27.5], rtol=1e-7)


def test_a_delay_equation_has_its_polynomial_solution() -> None:
    """x' = -x(t - 1), x = 1 before: 1 - t, then 1 - t + (t - 1)^2/2, then - (t - 2)^3/6."""
    model = read_model(text(parameters(x=1.0), rules(rate_rule("x", apply("minus", delay(ci("x"), cn(1)))))))
    t = np.array([0.0, 0.5, 1.0, 1.7, 2.0, 2.6, 3.0])
    want = 1 - t + np.maximum(t - 1, 0) ** 2 / 2 - np.maximum(t - 2, 0) ** 3 / 6
    run = simulate(model, days=3, visits=t, rtol=1e-9)
    np.testing.assert_allclose(run.x.values[0], want, atol=2e-7)
    assert run.attrs["backend"] == "reference"
    with pytest.raises(DelaysNeedReferenceError):
        simulate(model, days=3, backend="cpu")


def test_a_lag_may_change_and_a_dose_comes_back() -> None:
    lag = apply("plus", cn(1), apply("divide", ci("x"), cn(10)))
    model = read_model(
        text(
            parameters("late", "late2", x=0.0, y=3.0),
            rules(
                GROWS,
                rate_rule("y", cn(0)),
                assigned("late", delay(apply("times", ci("x"), ci("x")), lag)),
                assigned("late2", delay(apply("plus", ci("late"), ci("y")), cn(0.5))),
            ),
        )
    )
    doses = pd.DataFrame({"id": [0], "time": [2.0], "amt": [4.0], "cmt": ["y"]})
    t = np.array([0.0, 1.0, 2.0, 2.4, 2.6, 4.0])
    run = simulate(model, doses=doses, days=4, visits=t)
    past = np.maximum(t - 1 - t / 10, 0)
    np.testing.assert_allclose(run.late.values[0], past**2, atol=1e-6)
    before = np.maximum(t - 0.5, 0)
    want = np.maximum(before - 1 - before / 10, 0) ** 2 + np.where(t >= 2.5, 7.0, 3.0)
    np.testing.assert_allclose(run.late2.values[0], want, atol=1e-6)


def test_parameters_of_a_patient_may_be_lags() -> None:
    model = read_model(
        text(parameters("late", x=0.0, tau=1.0), rules(GROWS, assigned("late", delay(ci("x"), ci("tau")))))
    )
    run = simulate(model, pd.DataFrame({"tau": [0.0, 1.0, 2.5]}), days=4, visits=[1.0, 4.0])
    np.testing.assert_allclose(run.late.values, [[1, 4], [0, 3], [0, 1.5]], atol=1e-7)


def test_what_looks_back_in_time_is_one_run() -> None:
    model = read_model(text(parameters("late", x=0.0), rules(GROWS, assigned("late", delay(ci("x"), cn(1))))))
    with pytest.raises(NoSuchInitialError, match="looks back"):
        simulate(model, days=2, initial=simulate(model, days=1))


def test_a_negative_lag_fails_the_patient_and_is_refused_where_it_stands() -> None:
    model = read_model(
        text(parameters("late", x=0.0, tau=1.0), rules(GROWS, assigned("late", delay(ci("x"), ci("tau")))))
    )
    run = simulate(model, pd.DataFrame({"tau": [-1.0, 1.0]}), days=1, failed="mask")
    assert list(run.status.values != 0) == [True, False]


@pytest.mark.parametrize(
    "rule",
    [
        apply("minus", ci("x"), cn(1)),  # x has a rate
        cn(1),
        apply("floor", ci("z")),
    ],
)
def test_rules_that_determine_nothing_are_refused(rule: str) -> None:
    with pytest.raises(UnsupportedModelError, match="algebraic"):
        read_model(text(parameters("z", x=0.0), rules(GROWS, algebraic(rule))))


@pytest.mark.parametrize("name", ["day", "state", "status", "steps", "final_state"])
def test_a_symbol_called_as_something_of_the_result_is_not_overwritten(name: str) -> None:
    model = read_model(f"model m; {name} = 2; {name}' = -{name}; e := 2*{name}; end")
    with pytest.raises(SimulationInputError, match=name):
        simulate(model, days=1)
    run = simulate(model, days=1, visits=[0.0], outputs=["e"])
    assert float(run.e.values[0, 0]) == 4.0
