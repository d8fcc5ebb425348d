"""The SBML semantic test suite: what is solved agrees with it, what is not is refused by name.

The normal run takes every fifteenth case through the slow path; ``pytest -m conformance`` takes all of them,
and those that have states through the compiled back end as well.
"""

from __future__ import annotations

import pytest

from twoarm.errors import UnsupportedModelError
from twoarm.model import Event, Graph, Model

from .semantic import SUITE, agrees, all_numbers, read_case, read_wanted, solve_by_engine, solve_slowly

NUMBERS = all_numbers()
pytestmark = pytest.mark.skipif(not NUMBERS, reason=f"no SBML semantic suite at {SUITE}")


def engine_runs_events() -> bool:
    """Whether a model whose only event sets x to 5 on day 1 ends at 5."""
    from twoarm.engine import simulate

    g = Graph()
    x, one, five, zero = g.state(0), g.const(1), g.const(5), g.const(0)
    kick = Event("kick", g("gt", g.time(), one), None, None, (("x", five),))
    model = Model("kicked", tuple(g.nodes), ("x",), (one,), (zero,), (), (), {"x": x}, events=(kick,))
    return float(simulate(model, days=2.0, visits=[2.0]).x[0, 0]) == 5.0


def check(number: str, backend: str) -> None:
    case = read_case(number)
    if case.refusals:
        with pytest.raises(UnsupportedModelError) as refused:
            read_wanted(case)
        assert refused.value.construct in case.refusals
        return
    model = read_wanted(case)
    if model.events:
        if not engine_runs_events():
            pytest.skip("the engine does not run events yet")
        backend = "reference"
    elif backend != "slow" and not model.states:
        pytest.skip("nothing to integrate")
    got = solve_slowly(model, case) if backend == "slow" else solve_by_engine(model, case, backend)
    assert agrees(got, case), sorted(case.tags)


@pytest.mark.parametrize("number", NUMBERS[::15])
def test_every_fifteenth_case(number: str) -> None:
    check(number, "slow")


@pytest.mark.conformance
@pytest.mark.parametrize("backend", ["slow", "cpu"])
@pytest.mark.parametrize("number", NUMBERS)
def test_every_case(number: str, backend: str) -> None:
    check(number, backend)
