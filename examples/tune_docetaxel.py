"""Tune the control arm: what docetaxel does to a tumor, how new lesions appear, how long patients live.

Three numbers and no others are fitted, at the level of the population, to the squamous docetaxel arm of OAK
(rows `OAK-SQ-01` to `OAK-SQ-04` and the Kaplan-Meier grid of the evidence library, all marked `calibrate`):

    emax       library/molecules/docetaxel.toml       [cytotoxic_arm] emax          1/day
    hazard     library/outcomes/squamous_nsclc.toml   [new_lesions] hazard          1/day
    intercept  library/outcomes/squamous_nsclc.toml   [survival] intercept          ln day

Run it as ``python examples/tune_docetaxel.py --patients 300``. It prints a line a candidate, best last, and
changes no file: the values were written into the library by hand, with this script as their witness.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import pandas as pd

import twoarm as ta
from twoarm.evidence import read_curves
from twoarm.trial.analyze import kaplan_meier
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import read_protocol

TARGET = {"ORR": 8.2, "DCR": 49.1}  # percent, OAK-SQ-01 and -02
MONTHS = np.arange(1, 13)
DAYS_A_MONTH = 365.25 / 12


def survival_at(table: pd.DataFrame, endpoint: str) -> np.ndarray:
    """Kaplan-Meier of the arm at the months."""
    curve = kaplan_meier(table, endpoints=[endpoint])
    at = np.searchsorted(curve["day"].to_numpy(), MONTHS * DAYS_A_MONTH, side="right") - 1
    return curve["survival"].to_numpy()[at]


def published() -> pd.DataFrame:
    """OAK's own curve, months 1 to 12."""
    curves = read_curves("oak_squamous_km")
    own = curves[(curves.drug == "docetaxel") & curves.month.isin(MONTHS)]
    return own.sort_values("month")


def one(
    model, protocol, patients, link, emax: float, hazard: float, intercept: float, seed: int
) -> dict[str, float]:
    """Simulate the arm and measure how far it is from OAK."""
    new_lesions = link.new_lesions.model_copy(update={"hazard": hazard})
    survival = link.survival.model_copy(update={"intercept": intercept})
    outcomes = link.model_copy(update={"new_lesions": new_lesions, "survival": survival})
    card = {**ta.read_molecule("docetaxel").nominal(), "cytotoxic_arm.emax": emax}
    trial = ta.run_trial(model, protocol, patients, seed=seed, outcomes=outcomes, draws={"docetaxel": card})
    table = ta.cut(trial)
    oak = published()
    pfs = survival_at(table, "PFS")
    os_ = survival_at(table, "OS")
    orr = 100 * table["bor"].isin(["CR", "PR"]).mean()
    dcr = 100 * table["bor"].isin(["CR", "PR", "SD"]).mean()
    rates = (orr - TARGET["ORR"]) ** 2 / 8.2 / 91.8 + (dcr - TARGET["DCR"]) ** 2 / 49.1 / 50.9
    miss = np.sqrt(np.mean((pfs - oak.PFS) ** 2)), np.sqrt(np.mean((os_ - oak.OS) ** 2)), np.sqrt(rates)
    return {
        "emax": emax,
        "hazard": hazard,
        "intercept": intercept,
        "ORR": orr,
        "DCR": dcr,
        "PFS miss": miss[0],
        "OS miss": miss[1],
        "rates miss": miss[2],
        "loss": miss[0] + miss[1] + 0.2 * miss[2],
    }


def main() -> None:
    """Try the grid, then print what was best."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--patients", type=int, default=300)
    ask.add_argument("--seed", type=int, default=5)
    ask.add_argument("--emax", type=float, nargs="+", default=[0.15, 0.3, 0.6])
    ask.add_argument("--hazard", type=float, nargs="+", default=[0.003, 0.006, 0.01])
    ask.add_argument("--intercept", type=float, nargs="+", default=[6.4])
    said = ask.parse_args()
    model, protocol = ta.read_model("pd1_il2"), read_protocol("oak_docetaxel_squamous")
    patients = ta.draw_patients(
        ta.read_population("io_naive_squamous_nsclc"), n=said.patients, seed=said.seed
    )
    link = read_outcomes("squamous_nsclc")
    rows = []
    for emax, hazard, intercept in itertools.product(said.emax, said.hazard, said.intercept):
        rows.append(one(model, protocol, patients, link, emax, hazard, intercept, said.seed))
        print(pd.Series(rows[-1]).round(4).to_dict(), flush=True)
    print(pd.DataFrame(rows).sort_values("loss", ascending=False).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
