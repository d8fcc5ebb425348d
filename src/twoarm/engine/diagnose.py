"""diagnose(): why one patient failed, in words: both back ends, the last state, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from twoarm.engine.backends import choose_backend
from twoarm.engine.request import Request, read_request, read_settings
from twoarm.engine.results import Courses, Ending
from twoarm.engine.simulate import SupportsDoses, integrate
from twoarm.engine.status import Status
from twoarm.errors import NoSuchPatientError
from twoarm.model import Model, Node, evaluate
from twoarm.model.graph import reachable

__all__ = ["Diagnosis", "diagnose"]

_PATIENCE = 5_000  # steps between two doses that the reference is given; a blow-up takes any number
_ODD = 10.0  # times the model's own value, or a tenth of it
_MOST = 3  # of anything that is listed
_DEEPEST = 4  # levels of a formula that is shown
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "^"}
_RULES = {
    "div": "a division by 0",
    "ln": "the logarithm of a number that is not positive",
    "log10": "the logarithm of a number that is not positive",
    "sqrt": "the root of a negative number",
    "pow": "a power that is no number, or too large for one",
    "exp": "an exponential too large for a number",
}


@dataclass(frozen=True)
class Diagnosis:
    """What happened to one patient.

    Attributes
    ----------
    patient : label
        Who.
    fast, reference : Ending
        How the course ended on the back end that was asked for and on the reference.
    words : str
        All of it in sentences, one a line.
    """

    patient: Any
    fast: Ending
    reference: Ending
    words: str

    def __str__(self) -> str:
        return self.words


def diagnose(
    model: Model,
    patients: pd.DataFrame | None,
    doses: pd.DataFrame | SupportsDoses | Sequence[SupportsDoses] | None,
    label: Any,
    *,
    days: float | ArrayLike,
    backend: Literal["auto", "cpu", "cuda", "reference"] = "auto",
    precision: Literal["double", "single"] = "double",
    method: str | None = None,
    rtol: float = 1e-6,
    atol: float | Mapping[str, float] | None = None,
    run_in: float | None = None,
    max_steps: int = 200_000,
) -> Diagnosis:
    """Run one patient again, on the reference too, and say in words what happened.

    Parameters
    ----------
    model, patients, doses, days, backend, precision, method, rtol, atol, run_in, max_steps
        As they were given to `simulate`.
    label : object
        Label of the patient.

    Returns
    -------
    Diagnosis
        Print it. It says how both back ends ended, what was given last, which state moved fastest there,
        which term of the equations was no number, and which values of the patient are far from the model's.

    Raises
    ------
    NoSuchPatientError
        If nobody has that label.
    TwoarmError
        As `simulate`.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> bomb = read_model("model bomb; x = 1; x' = k*x^2; k = 0.01; end")
    >>> cohort = pd.DataFrame({"k": [0.01, 0.5]}, index=["ann", "bob"])
    >>> print(diagnose(bomb, cohort, None, "ann", days=10).words.splitlines()[1])
    The reference reached day 10 too.
    """
    people = pd.DataFrame(index=pd.Index([0])) if patients is None else patients
    if label not in people.index:
        raise NoSuchPatientError(label=label, known=people.index.to_list())
    place = int(people.index.get_indexer([label])[0])
    one = people.iloc[[place]]
    one.attrs = people.attrs
    end = np.asarray(days, dtype=float)
    end = end if end.ndim == 0 else end[place]
    settings = read_settings(
        model,
        outputs=[],
        rtol=rtol,
        atol=atol,
        method=method,
        precision=precision,
        max_steps=max_steps,
        workers=1,
        failed="keep",
        chunk=1,
        run_in=run_in,
    )
    request = read_request(model, one, doses, settings, days=end, visits=[])
    used, judge = choose_backend(model, backend, precision), choose_backend(model, "reference")
    courses = integrate(request, used)
    slowly = replace(settings, precision="double", max_steps=min(max_steps, _PATIENCE))
    believed = integrate(replace(request, settings=slowly), judge)
    fast, slow = courses.ending(request, 0), believed.ending(request, 0)
    how = "the reference" if used.name == "reference" else f'back end "{used.name}" ({settings.method})'
    lines = [_ended(how, fast, courses, request), _compared(slow, courses, believed)]
    if courses.status[0] != Status.FINISHED:
        lines += [*_motion(request, courses), *_no_number(request, courses), *_odd_values(request)]
    lines.append(_advice(courses, believed))
    return Diagnosis(label, fast, slow, "\n".join(lines))


def _ended(how: str, ending: Ending, courses: Courses, request: Request) -> str:
    end, steps = float(request.end[0]), f"{courses.steps[0]:,} steps"
    how = f"{how}, rtol {request.settings.tolerance.relative:g}"
    if courses.status[0] == Status.FINISHED:
        return f"Patient {ending.patient} reached day {end:.6g} on {how}, in {steps}."
    given = "no dose was given before"
    if not np.isnan(ending.last_dose):
        given = f"the last dose was given on day {ending.last_dose:.6g}"
    where = f"on day {ending.day:.6g} of {end:.6g} on {how}, after {steps}"
    return f"Patient {ending.patient} stopped {where}: {ending.why}; {given}."


def _compared(slow: Ending, courses: Courses, believed: Courses) -> str:
    failed, also = courses.status[0] != Status.FINISHED, believed.status[0] != Status.FINISHED
    if not also:
        return f"The reference reached day {slow.day:.6g}{', which the other did not' if failed else ' too'}."
    return f"The reference stopped on day {slow.day:.6g}{' as well' if failed else ''}: {slow.why}."


def _values(request: Request, courses: Courses) -> tuple[list[Any], np.ndarray]:
    """Every node of the model where the patient stopped, and the parameters."""
    parameters = request.cohort(np.array([0])).parameters[0]
    found = evaluate(request.model.nodes, courses.state[0], parameters, float(courses.day[0]))
    return found, parameters


def _motion(request: Request, courses: Courses) -> list[str]:
    model, worst = request.model, int(courses.stiffest[0])
    if worst < 0:
        return []
    values, _ = _values(request, courses)
    name, size = model.states[worst], float(courses.state[0, worst])
    rate = float(values[model.rates[worst]])
    unit = f" {model.units[name]}" if model.units.get(name) else ""
    said = f"Stiffest was {name}: {size:.4g}{unit}, changing by {rate:.4g} a day"
    if np.isfinite(rate) and rate * size > 0 and abs(rate) > 1e3 * abs(size):
        said += f", so that it would double within {np.log(2) * size / rate:.1g} days: it grows without bound"
    return [said + "."]


def _no_number(request: Request, courses: Courses) -> list[str]:
    """Terms of the rates that are no number although all they are made of is."""
    model = request.model
    values, _ = _values(request, courses)

    def good(node: int) -> bool:
        return bool(np.isfinite(values[node]))

    wanted = reachable(model.nodes, model.rates)
    wrong = [node for node in wanted if not good(node) and all(good(a) for a in model.nodes[node].args)]
    lines = []
    for node in wrong[:_MOST]:
        rule = _RULES.get(model.nodes[node].op, f"{model.nodes[node].op} of a number it is not defined for")
        lines.append(f"There {formula(model, node)} is {rule}.")
    return lines


def formula(model: Model, node: int, depth: int = _DEEPEST) -> str:
    """Write an expression for people, dots where it is too deep.

    Parameters
    ----------
    model : Model
        Whose names are used.
    node : int
        The expression.
    depth : int
        Levels to write.

    Returns
    -------
    str
        As ``"k*x/(x + 1)"``.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> model = read_model("model m; x = 1; x' = k*x/(1 + x); k = 1; end")
    >>> formula(model, model.rates[0])
    'k*x/(x + 1)'
    """
    op, args, value = model.nodes[node]
    if op == "const":
        return f"{value:g}"
    if op == "time":
        return "time"
    if op in ("state", "parameter"):
        return (model.states if op == "state" else model.parameters)[int(value)]
    if depth == 0:
        return "..."
    parts = [formula(model, a, depth - 1) for a in args]
    if op == "neg":
        return f"-{_bound(model.nodes[args[0]], parts[0])}"
    if op in _SIGNS:
        sign = _SIGNS[op]
        if op in ("mul", "div", "pow"):
            tight = "pow" if op == "pow" else "div"
            parts = [_bound(model.nodes[args[0]], parts[0]), _bound(model.nodes[args[1]], parts[1], tight)]
            return sign.join(parts)
        right = _bound(model.nodes[args[1]], parts[1]) if op == "sub" else parts[1]
        return f"{parts[0]} {sign} {right}"
    return f"{op}({', '.join(parts)})"


def _bound(node: Node, text: str, beside: str = "") -> str:
    loose = (
        {"add", "sub", "neg"}
        | ({"mul", "div"} if beside else set())
        | ({"pow"} if beside == "pow" else set())
    )
    return f"({text})" if node.op in loose else text


def _odd_values(request: Request) -> list[str]:
    """Values of the patient that are far from the model's own."""
    model, given = request.model, request.people.given
    own = dict(zip(model.parameters, model.values, strict=True))
    found = []
    for name, column in given.items():
        value, usual = float(column[0]), own.get(name)
        if usual is None or np.isnan(value) or value == usual:
            continue
        ratio = abs(value / usual) if usual else np.inf
        if value * usual <= 0 or not 1 / _ODD < ratio < _ODD:
            far = 0.0 if ratio in (0.0, np.inf) else abs(np.log(ratio))  # 0 says "off", and comes last
            found.append((far, f"{name} is {value:.4g} (the model's own: {usual:.4g})"))
    found.sort(key=lambda pair: -pair[0])
    if not found:
        return []
    return ["Far from the model's own values: " + "; ".join(words for _, words in found[:_MOST]) + "."]


def _advice(courses: Courses, believed: Courses) -> str:
    failed, also = courses.status[0] != Status.FINISHED, believed.status[0] != Status.FINISHED
    if not failed and not also:
        return "Nothing is wrong with this patient."
    if failed and not also:
        return 'Loosen `rtol`, raise `max_steps`, or run this patient with backend="reference".'
    if failed:
        return "Both stopped: look at the equations and at this patient's values, not at the solver."
    return "The reference alone stopped: believe neither before both agree at a tighter `rtol`."
