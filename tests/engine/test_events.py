"""Events: closed forms on both back ends, and what neither can go on from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.errors import EventsNeedReferenceError, IntegrationError, NoSuchInitialError, PrecisionError
from twoarm.model import Event, Graph, Model

from . import small_models as small

DAYS = np.arange(0.0, 21.0, 1.5)
both = pytest.mark.parametrize("backend", ["cpu", "reference"])


def _event(trigger: int, *assignments: tuple[str, int], **keywords: object) -> Event:
    given = {"name": "event", "delay": None, "priority": None, **keywords}
    return Event(trigger=trigger, assignments=assignments, **given)  # type: ignore[arg-type]


def _refilled(delay: float | None = None) -> Model:
    """x' = -0.1 x, back to 4 when it falls below 2."""
    g = Graph()
    x = g.state(0)
    rate = g.neg(g.mul(g.parameter(0), x))
    wait = None if delay is None else g.const(delay)
    refill = _event(g("lt", x, g.const(2.0)), ("x", g.const(4.0)), delay=wait)
    return small.build(g, {"x": rate}, values={"k": 0.1}, initial={"x": 4.0}, events=(refill,))


@both
def test_state_falls_through_a_threshold(backend: str) -> None:
    found = simulate(_refilled(), days=20.0, visits=DAYS, rtol=1e-9, backend=backend)
    period = np.log(2.0) / 0.1
    np.testing.assert_allclose(found.x[0], 4.0 * np.exp(-0.1 * (DAYS % period)), rtol=1e-6)
    assert found.attrs["backend"] == backend


@both
def test_delay(backend: str) -> None:
    found = simulate(_refilled(delay=1.0), days=20.0, visits=DAYS, rtol=1e-9, backend=backend)
    period = np.log(2.0) / 0.1 + 1.0
    np.testing.assert_allclose(found.x[0], 4.0 * np.exp(-0.1 * (DAYS % period)), rtol=1e-6)


@both
def test_a_dose_triggers(backend: str) -> None:
    g = Graph()
    x = g.state(0)
    cap = _event(g("gt", x, g.const(5.0)), ("x", g.const(1.0)))
    model = small.build(g, {"x": g.neg(g.mul(g.parameter(0), x))}, values={"k": 0.1}, events=(cap,))
    doses = pd.DataFrame({"id": [0, 0], "time": [0.0, 5.0], "amt": [4.0, 9.0], "cmt": ["x", "x"]})
    found = simulate(model, doses=doses, days=8.0, visits=[4.0, 8.0], rtol=1e-9, backend=backend)
    np.testing.assert_allclose(found.x[0], [4 * np.exp(-0.4), np.exp(-0.3)], rtol=1e-6)


@both
def test_priority_decides_at_the_same_instant(backend: str) -> None:
    g = Graph()
    late = g("ge", g.time(), g.const(1.0))
    first = _event(
        late, ("x", g.add(g.state(0), g.const(1.0))), priority=g.const(2.0), use_trigger_values=False
    )
    then = _event(
        late, ("x", g.mul(g.state(0), g.const(10.0))), priority=g.const(1.0), use_trigger_values=False
    )
    model = small.build(g, {"x": g.const(0.0)}, initial={"x": 1.0}, events=(then, first))
    assert float(simulate(model, days=2.0, visits=[2.0], backend=backend).x[0, 0]) == 20.0


@both
def test_what_does_not_persist_is_dropped(backend: str) -> None:
    for persistent, expected in ((True, 9.0), (False, 1.0)):
        g = Graph()
        window = g("and", g("ge", g.time(), g.const(1.0)), g("lt", g.time(), g.const(2.0)))
        one = _event(window, ("x", g.const(9.0)), delay=g.const(3.0), persistent=persistent)
        model = small.build(g, {"x": g.const(0.0)}, initial={"x": 1.0}, events=(one,))
        assert float(simulate(model, days=6.0, visits=[6.0], backend=backend).x[0, 0]) == expected


@both
def test_true_from_the_start_fires_only_if_it_may(backend: str) -> None:
    for initial, expected in ((True, 1.0), (False, 9.0)):
        g = Graph()
        one = _event(g("lt", g.state(0), g.const(5.0)), ("x", g.const(9.0)), initial_value=initial)
        model = small.build(g, {"x": g.const(0.0)}, initial={"x": 1.0}, events=(one,))
        assert float(simulate(model, days=1.0, visits=[1.0], backend=backend).x[0, 0]) == expected


@both
def test_windows_and_events(backend: str) -> None:
    model = _refilled()
    whole = simulate(model, days=20.0, visits=DAYS, rtol=1e-9, backend=backend)
    part = simulate(model, days=9.0, visits=DAYS, rtol=1e-9, backend=backend)
    rest = simulate(model, days=20.0, visits=DAYS, rtol=1e-9, initial=part, backend=backend)
    np.testing.assert_allclose(np.fmax(part.x, rest.x), whole.x, rtol=1e-6)
    delayed = simulate(_refilled(delay=1.0), days=9.0, backend=backend)
    with pytest.raises(NoSuchInitialError, match="delay"):
        simulate(_refilled(delay=1.0), days=20.0, initial=delayed, backend=backend)


@both
def test_endless_events_fail_the_patient(backend: str) -> None:
    g = Graph()
    x = g.state(0)
    up = _event(g("lt", x, g.const(1.0)), ("x", g.const(2.0)), initial_value=False)
    down = _event(g("gt", x, g.const(1.0)), ("x", g.const(0.0)), initial_value=False)
    model = small.build(g, {"x": g.const(0.0)}, events=(up, down))
    with pytest.raises(IntegrationError):
        simulate(model, days=1.0, backend=backend)


def test_the_fast_back_end_is_chosen_and_a_device_refuses() -> None:
    assert simulate(_refilled(), days=1.0).attrs["backend"] == "cpu"
    with pytest.raises(EventsNeedReferenceError, match="event"):
        simulate(_refilled(), days=1.0, backend="cuda")
    with pytest.raises(PrecisionError, match="events"):
        simulate(_refilled(), days=1.0, precision="single")
