"""Tune the blood: how far NK cells, CD8 and Treg expand on IL-2, to two cohorts, and predict a third.

Six numbers are fitted to the counts of a not-alpha IL-2 (15 mg weekly: NK 13-fold, CD8 3.5-fold, the share of
Treg among twofold CD4 unchanged; simlukafusp) and of low-dose IL-2 (1 million IU/m2 daily: Treg eightfold at
four weeks, CD8 unchanged; koreth2011), with priors at where they stood:

    divide_nk  room_nk  room_cd8  divide_treg  room_treg  division_half_treg     library/biology/pd1_il2.ant

Left out, and predicted with the result: a PEGylated IL-2 that keeps CD25 (28 ug/kg once: Treg 12 to 17-fold,
CD8 unchanged, a small rise of NK cells; fanton2022).

Run it as ``python examples/tune_blood.py --patients 6``. It prints a line a measure and changes no file: the
values were written into the library by hand, with this script as their witness.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import twoarm as ta
from twoarm.engine import simulate

STARTED = {  # before the fit: value, and standard deviation of its logarithm
    "divide_nk": (0.7, 0.4),
    "room_nk": (3.6, 0.4),
    "room_cd8": (1.0, 0.4),
    "divide_treg": (0.6, 0.4),
    "room_treg": (5.0, 0.3),
    "division_half_treg": (0.5, 1.0),
}
TARGETS = {  # published fold, and standard deviation of its logarithm
    "not-alpha NK": (13.0, 0.3),
    "not-alpha CD8": (3.5, 0.3),
    "not-alpha Treg": (2.0, 0.5),
    "low-dose Treg": (8.0, 0.3),
    "low-dose CD8": (1.0, 0.2),
}
COUNTS = ("nk_blood", "cd8_blood", "treg_blood")


def follow(model, patients: pd.DataFrame, values: np.ndarray, days: int, regimen) -> dict[str, np.ndarray]:
    """Follow counts over time as multiples of baseline, medians of the patients."""
    own = patients.assign(**dict(zip(STARTED, values, strict=True)))
    own.attrs = patients.attrs
    visits = np.arange(0, days + 0.1, 0.5)
    run = simulate(model, own, regimen, days=days, visits=visits, outputs=list(COUNTS), rtol=1e-5)
    return {name: np.median(run[name].values / run[name].values[:, :1], axis=0) for name in COUNTS}


def measure(model, patients: pd.DataFrame, values: np.ndarray) -> dict[str, float]:
    """Measure what the two cohorts are fitted to."""
    not_alpha = ta.Regimen(ta.read_molecule("simlukafusp_alfa"), "15 mg", "1 week", infusion="2 h")
    high = follow(model, patients, values, 42, not_alpha)
    native = ta.read_molecule("aldesleukin")
    low = follow(
        model, patients, values, 30, ta.Regimen(native, "0.0611 mg/m2", "1 day", route="subcutaneous")
    )
    return {
        "not-alpha NK": high["nk_blood"].max(),
        "not-alpha CD8": high["cd8_blood"].max(),
        "not-alpha Treg": high["treg_blood"].max(),
        "low-dose Treg": low["treg_blood"][52:].mean(),
        "low-dose CD8": low["cd8_blood"][52:].mean(),
    }


def residuals(logs: np.ndarray, model, patients: pd.DataFrame) -> np.ndarray:
    """Put misses of the targets beside moves from the priors, in standard deviations."""
    found = measure(model, patients, np.exp(logs))
    misses = [np.log(found[name] / fold) / sd for name, (fold, sd) in TARGETS.items()]
    moves = [(x - np.log(value)) / sd for x, (value, sd) in zip(logs, STARTED.values(), strict=True)]
    return np.array([*misses, *moves])


def main() -> None:
    """Fit, print what came out, and predict the cohort that was left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=8)
    asked = parser.parse_args()
    model = ta.read_model("pd1_il2")
    patients = ta.draw_patients(ta.read_population("io_naive_squamous_nsclc"), asked.patients, seed=3)
    start = np.log([value for value, _ in STARTED.values()])
    fitted = np.exp(
        least_squares(residuals, start, diff_step=0.05, max_nfev=asked.rounds, args=(model, patients)).x
    )
    for name, value in zip(STARTED, fitted, strict=True):
        print(f"{name:20s} {STARTED[name][0]:6.2f} -> {value:6.3f}")
    for name, value in measure(model, patients, fitted).items():
        print(f"{name:20s} fitted    {value:6.2f}   published {TARGETS[name][0]:g}")
    kept = follow(model, patients, fitted, 40, ta.Regimen(ta.read_molecule("nktr_358"), "28 ug/kg"))
    for name, said in zip(COUNTS, ("small rise", "1", "12 to 17"), strict=True):
        print(f"alpha-kept {name:9s} predicted {kept[name].max():6.2f}   published {said}")


if __name__ == "__main__":
    main()
