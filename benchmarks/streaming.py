"""A million patients in bounded memory: what streaming outcomes takes, and whether the estimate was right.

    python benchmarks/streaming.py                       a million patients, two minutes on an idle core
    python benchmarks/streaming.py --patients 10000      a quick look

Prints patients a second, the most memory the process ever had, and the estimate made beforehand. Ends with an
error if memory exceeds the limit, so that it may stand in a pipeline.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from twoarm import chance
from twoarm.engine.estimate import Estimate
from twoarm.engine.stream import stream
from twoarm.model.sbml import read_model

# A depot, two compartments, and a tumor that grows and is killed.
MODEL = """
model small()
  depot = 0; central = 0; peripheral = 0; tumor = 50;
  ka = 1.1; ke = 0.25; k12 = 0.4; k21 = 0.3; growth = 0.02; kill = 0.05; ec50 = 2;
  depot' = -ka*depot;
  central' = ka*depot - (ke + k12)*central + k21*peripheral;
  peripheral' = k12*central - k21*peripheral;
  tumor' = growth*tumor - kill*tumor*central/(ec50 + central);
end
"""
SPREAD = {"ka": 0.5, "ke": 0.4, "growth": 0.3, "kill": 0.5, "ec50": 0.6}
TYPICAL = {"ka": 1.1, "ke": 0.25, "growth": 0.02, "kill": 0.05, "ec50": 2.0}
DAYS, VISITS = 63.0, np.linspace(0.0, 63.0, 10)


class Drawn:
    """Patients who are drawn when their turn comes, each by his own key."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed
        self.identity = f"log-normal {sorted(SPREAD.items())} seed {seed}"

    def __len__(self) -> int:
        return self.n

    def draw(self, first: int, last: int) -> pd.DataFrame:
        labels = np.arange(first, last)
        z = chance.normals(self.seed, "patient", labels, size=len(SPREAD))
        columns = {name: TYPICAL[name] * np.exp(SPREAD[name] * z[:, i]) for i, name in enumerate(SPREAD)}
        return pd.DataFrame(columns, index=pd.Index(labels, name="patient"))


class EveryThreeWeeks:
    """Three doses of the same size."""

    def dose_rows(self, patients: pd.DataFrame) -> pd.DataFrame:
        row = {"time": 0.0, "amt": 100.0, "cmt": "depot", "ii": 21.0, "addl": 2}
        return pd.DataFrame(row, index=patients.index).rename_axis("id").reset_index()

    def parameters(self, patients: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(index=patients.index)

    def __repr__(self) -> str:
        return "EveryThreeWeeks()"


def outcomes(run: xr.Dataset) -> xr.Dataset:
    """Smallest size, the day it was reached, and the size at the end."""
    size = run["tumor"]
    return xr.Dataset(
        {"nadir": size.min("day"), "day_of_nadir": size.idxmin("day"), "final": size.isel(day=-1)}
    ).drop_vars("day", errors="ignore")


def most_memory() -> float:
    """MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--patients", type=int, default=1_000_000)
    options.add_argument("--workers", type=int, default=None)
    options.add_argument("--precision", choices=("double", "single"), default="double")
    options.add_argument("--limit", type=float, default=1000.0, help="MB")
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp())
    estimates: list[Estimate] = []
    try:
        begun = time.perf_counter()
        run = stream(
            read_model(MODEL),
            Drawn(chosen.patients, seed=7),
            EveryThreeWeeks(),
            days=DAYS,
            visits=VISITS,
            outputs=["tumor"],
            reduce=outcomes,
            out=folder / "outcomes.zarr",
            workers=chosen.workers,
            precision=chosen.precision,
            announce=estimates.append,
        )
        took = time.perf_counter() - begun
        disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        failed = run.attrs["patients_failed"]
    finally:
        shutil.rmtree(folder)
    memory = most_memory()
    print(f"estimated   {estimates[0]}")
    print(f"took        {took:.1f} s, {chosen.patients / took:,.0f} patients a second, {failed} failed")
    print(f"memory      {memory:.0f} MB at most, {disk / 1e6:.0f} MB on disk")
    for name, value in run.attrs.items():
        if name.startswith("single_precision"):
            print(f"{name} {value}")
    if memory > chosen.limit:
        sys.exit(f"more than {chosen.limit:g} MB")


if __name__ == "__main__":
    main()
