"""Boundaries of looks, events of a trial, two-stage designs, and what is certain of dose escalation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from printed.beside import Row
from twoarm.design.boundaries import classic_constant, efficacy_boundary
from twoarm.design.escalation import boin, boin_interval, three_plus_three
from twoarm.design.events import schoenfeld_events
from twoarm.design.two_stage import two_stage

TARGETS = {  # Liu and Yuan 2015, Table 1
    0.15: ("0.118", "0.179"),
    0.20: ("0.157", "0.238"),
    0.25: ("0.197", "0.298"),
    0.30: ("0.236", "0.358"),
    0.35: ("0.276", "0.419"),
    0.40: ("0.316", "0.479"),
}
BOUNDARIES = {  # target 0.3, cohorts of 3: patients, events to escalate at, to reduce at, to give up at
    3: (0, 2, 3),
    6: (1, 3, 4),
    9: (2, 4, 5),
    12: (2, 5, 7),
    15: (3, 6, 8),
    18: (4, 7, 9),
    21: (4, 8, 10),
    24: (5, 9, 11),
    27: (6, 10, 12),
    30: (7, 11, 14),
}
SIMON = {  # Simon 1989, Table 1: null, target, alpha, beta -> optimal r1 n1 r n, expected; minimax the same
    (0.05, 0.25, 0.05, 0.20): ((0, 9, 2, 17, "12.0"), (0, 12, 2, 16, "13.8")),
    (0.10, 0.30, 0.05, 0.20): ((1, 10, 5, 29, "15.0"), (1, 15, 5, 25, "19.5")),
    (0.20, 0.40, 0.05, 0.20): ((3, 13, 12, 43, "20.6"), (4, 18, 10, 33, "22.3")),
    (0.30, 0.50, 0.05, 0.20): ((5, 15, 18, 46, "23.6"), (6, 19, 16, 39, "25.7")),
}


def looks() -> Iterator[Row]:
    """Boundaries of 2 to 5 equal looks, one-sided 0.025."""
    printed = {2: "1.977", 3: "2.004", 4: "2.024", 5: "2.040"}
    for number in (2, 3, 4, 5):
        part = np.arange(1, number + 1) / number
        last = classic_constant(number, 0.05, "obrien_fleming")
        values = {
            "spending like O'Brien-Fleming": efficacy_boundary(part, 0.025, "obrien_fleming").efficacy,
            "spending like Pocock": efficacy_boundary(part, 0.025, "pocock").efficacy,
            "O'Brien-Fleming": last / np.sqrt(part),
            "Pocock": np.full(number, classic_constant(number, 0.05, "pocock")),
        }
        for name, boundary in values.items():
            for look, value in enumerate(boundary, start=1):
                own = printed[number] if name == "O'Brien-Fleming" and look == number else ""
                basis = "Jennison and Turnbull 1999, Table 2.3; rpact" if own else "rpact"
                yield "boundary", f"{name}, {number} looks, look {look}", float(value), own, basis


def sizes() -> Iterator[Row]:
    """Events by Schoenfeld, and patients by Simon."""
    for ratio in (0.5, 0.7, 0.8):
        for allocation in (1, 2):
            events = schoenfeld_events(ratio, share=allocation / (1 + allocation))
            yield "Schoenfeld", f"ratio {ratio:g}, {allocation}:1, power 0.9: events", events, "", "rpact"
    for (null, target, alpha, beta), designs in SIMON.items():
        for how, printed in zip(("optimal", "minimax"), designs, strict=True):
            found = two_stage(null, target, alpha=alpha, power=1 - beta, how=how, most=60)
            ours = (found.stop_at, found.first, found.fail_at, found.patients, found.expected)
            for name, value, said in zip(("r1", "n1", "r", "n", "expected n"), ours, printed, strict=True):
                what = f"{null:g} against {target:g}, {how}: {name}"
                yield "Simon", what, float(value), str(said), "Simon 1989, Table 1"


def escalation() -> Iterator[Row]:
    """3+3, the Bayesian optimal interval, and the skeleton of a reassessment model."""
    basis = "chance to go up from a dose; Rubinstein and Simon, and most texts on 3+3"
    for rate, printed in zip(
        np.arange(1, 7) / 10, ("0.91", "0.71", "0.49", "0.31", "0.17", "0.08"), strict=True
    ):
        yield "3+3", f"rate {rate:g}", goes_up(rate), printed, basis
    basis = "Liu and Yuan 2015, Table 1"
    for target, limits in TARGETS.items():
        for name, value, printed in zip(("escalate", "reduce"), boin_interval(target), limits, strict=True):
            cut = "; the paper cuts the fourth digit off" if value - float(printed) > 5e-4 else ""
            shown = np.floor(1000 * value) / 1000 if cut else value
            yield "BOIN", f"target {target:g}: {name}", shown, printed, basis + cut
    basis = "BOIN of R, get.boundary(target = 0.3, ncohort = 10, cohortsize = 3)"
    low, high = boin_interval(0.3)
    for n, printed_counts in BOUNDARIES.items():
        ours = (np.floor(low * n), np.ceil(high * n), gives_up(n, 0.3))
        names = ("escalate at", "reduce at", "give up at")
        for name, value, count in zip(names, ours, printed_counts, strict=True):
            yield "BOIN", f"target 0.3, {n} patients: {name}", float(value), str(count), basis


def goes_up(rate: float) -> float:
    """Chance that 3+3 leaves a dose upward: all outcomes of its six patients, each with its weight."""
    events = (np.arange(64)[:, None] >> np.arange(6) & 1).astype(bool)
    draws = np.stack([events, np.ones_like(events)], axis=1)  # everybody has an event on the second dose
    up = three_plus_three(draws).patients[:, 1] > 0
    return float(np.where(events, rate, 1 - rate).prod(axis=1)[up].sum())


def gives_up(n: int, target: float) -> int:
    """Fewest events among `n` patients at which the interval design gives their dose up."""
    events = np.arange(n + 1)
    draws = np.zeros((n + 1, 1, n), bool)
    draws[:, 0] = np.arange(n) < events[:, None]
    stopped = boin(draws, target=target, cohort=n, most=n, certainty=0.95).selected < 0
    return int(events[stopped].min())
