"""What was measured → ratios, in words and in files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd

from peers.machine import processor, versions
from peers.measure import Measured, Plan
from peers.registry import OURS, TOOLS


def ratios(everything: list[Measured]) -> pd.DataFrame:
    """Every row, with how many times faster we are at an equal or smaller error: in double and in single."""
    return pd.concat([_with_ratios(found.table) for found in everything], ignore_index=True)


def _with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    ours = table[table["tool"].isin(OURS)]
    kinds = {
        "double": ours[~ours["tool"].str.contains("single")],
        "single": ours[ours["tool"].str.contains("single")],
    }
    found = {
        f"faster_{kind}": [_faster(row, rows) for row in table.itertuples()] for kind, rows in kinds.items()
    }
    return table.assign(**found)


def _faster(row: object, ours: pd.DataFrame) -> float:
    """Time of a peer over that of our fastest run with no larger error; NaN if there is none."""
    good = ours.loc[ours["error"] <= row.error, "ms"]  # type: ignore[attr-defined]
    if row.tool in OURS or good.empty:  # type: ignore[attr-defined]
        return float("nan")
    return float(row.ms / good.min())  # type: ignore[attr-defined]


def say(found: Measured, plan: Plan, seconds: float) -> str:
    """Table of one system for the terminal."""
    table = _with_ratios(found.table)
    order = {name: i for i, name in enumerate(TOOLS)}
    table = table.sort_values(["tool", "rtol"], key=lambda c: c.map(order) if c.name == "tool" else -c)
    shown = pd.DataFrame(
        {
            "tool": table["tool"],
            "rtol": [f"{rtol:.1e}" for rtol in table["rtol"]],
            "ms a patient": [f"{ms:.3g}" for ms in table["ms"]],
            "rms error": [f"{error:.1e}" for error in table["error"]],
            "twoarm faster, double": [_times(value) for value in table["faster_double"]],
            "single": [_times(value) for value in table["faster_single"]],
            "wall/cpu": [f"{value:.2f}" for value in table["wall_by_cpu"]],
        }
    )
    lines = [
        f"\n{found.system}: {found.states} states; {plan.count(found.states)} patients (single precision "
        f"{plan.patients}, peers {plan.peers}), median of {plan.rounds} rounds, "
        f"CPU time of one thread; {seconds:.0f} s",
        shown.to_string(index=False),
        "ready after: " + ", ".join(f"{name} {wait:.1f} s" for name, wait in found.ready.items()),
        *(f"{name} dropped out: {reason}" for name, reason in found.failures.items()),
    ]
    return "\n".join(lines)


def _times(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}"


def save(table: pd.DataFrame, everything: list[Measured], plan: Plan, folder: Path) -> None:
    """Write rows as CSV; the machine, the plan and who dropped out as JSON."""
    table.to_csv(folder / "engine_vs_peers.csv", index=False)
    about = {
        "processor": processor(),
        "versions": versions(),
        "plan": dataclasses.asdict(plan),
        "ready_s": {found.system: found.ready for found in everything},
        "dropped_out": {found.system: found.failures for found in everything},
    }
    (folder / "engine_vs_peers.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
