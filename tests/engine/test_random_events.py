"""Random models with events, doses and infusions: both back ends go the same way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.model.sbml import read_model

VISITS = np.arange(0.0137, 20.0, 0.5)  # off the days of anything else
ZENO = 60  # of so many events some follow each other ever faster, and their number is a matter of resolution


class Writer:
    """Writes a model, at random."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.states = [f"x{i}" for i in range(int(self.chance.integers(2, 5)))]

    def number(self, low: float, high: float) -> str:
        return f"{self.chance.uniform(low, high):.3f}"

    def rate(self, own: str, other: str) -> str:
        u = self.number
        forced = f"{u(0.2, 1)}*sin({u(0.3, 2)}*time) + {u(0.5, 1.5)} - {u(0.2, 0.6)}*{own} + 0.5*flag"
        return [
            f"{u(0.1, 1)}*{other} - {u(0.2, 1)}*{own}",
            f"{u(0.2, 2)} - {u(0.2, 1)}*{own} - {u(0.05, 0.3)}*{own}*{other}",
            forced,
            f"{u(0.5, 2)}*{other}/(1 + {other}) - {u(0.2, 0.8)}*{own}",
        ][self.chance.integers(4)]

    def condition(self) -> str:
        u, (a, b) = self.number, self.chance.choice(self.states, 2)
        return [
            f"({a} > {u(0.5, 2)})",
            f"({a} < {u(0.3, 1.5)})",
            f"(time >= {u(0, 15)})",
            f"({a} > {b} + {u(-0.2, 0.2)})",
            f"(sin({u(0.5, 2)}*time) > {u(0.3, 0.99)})",
            f"({a} + {b} <= {u(0.8, 3)})",
        ][self.chance.integers(6)]

    def event(self) -> str:
        c, u, (a, b) = self.chance, self.number, self.chance.choice(self.states, 2)
        trigger = self.condition()
        if c.random() < 0.35:
            trigger = f"({trigger} {c.choice(['&&', '||'])} {self.condition()})"
        after = f"{u(0.1, 2)} after " if c.random() < 0.35 else ""
        says = [f"priority = {c.integers(5)}"] * (c.random() < 0.3) + ["t0 = false"] * (c.random() < 0.3)
        says += ["persistent = false"] * (bool(after) and c.random() < 0.4)
        says += ["fromTrigger = false"] * (c.random() < 0.2)
        new = [f"{a} = {u(0.2, 3)}", f"{a} = {a} + {u(0.1, 1)}", f"{a} = {u(0.3, 0.9)}*{a} + 0.1*{b}"]
        assign = [*new, "flag = 1 - flag"][c.integers(4)]
        return f"at {after}{', '.join([trigger, *says])}: {assign}, n = n + 1;"

    def model(self) -> str:
        start = [f"{s} = {self.number(0.2, 3)};" for s in self.states]
        around = self.states[1:] + self.states[:1]
        rates = [f"{s}' = {self.rate(s, o)};" for s, o in zip(self.states, around, strict=True)]
        events = [self.event() for _ in range(int(self.chance.integers(1, 4)))]
        return "\n".join(["model m; n = 0; n' = 0; flag = 0; flag' = 0;", *start, *rates, *events, "end"])


def _agree(seed: int) -> None:
    writer = Writer(seed)
    model = read_model(writer.model())
    outputs = [*writer.states, "flag", "n"]
    to = [writer.states[0], writer.states[-1]]
    doses = pd.DataFrame({"id": 0, "time": [2.0, 5.5], "amt": [1.0, 2.0], "rate": [0.0, 1.0], "cmt": to})
    runs = [
        simulate(model, None, doses, days=20.0, visits=VISITS, rtol=rtol, backend=backend, outputs=outputs)
        for backend, rtol in (("cpu", 1e-9), ("reference", 1e-11))
    ]
    for name in outputs[:-1]:
        np.testing.assert_allclose(runs[0][name], runs[1][name], rtol=1e-5, atol=1e-5, err_msg=name)
    if float(runs[1].n[0, -1]) < ZENO:
        np.testing.assert_array_equal(runs[0].n, runs[1].n)


@pytest.mark.parametrize("seed", range(5))
def test_both_back_ends_go_the_same_way(seed: int) -> None:
    _agree(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_more(seed: int) -> None:
    _agree(seed)
