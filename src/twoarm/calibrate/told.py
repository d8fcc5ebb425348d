"""The folder of a receptor fit: values with intervals, correlations, profiles, EC50 and ligands left out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.calibrate.measured import Measured, lay_beside, read_measured
from twoarm.calibrate.receptors import (
    ReceptorFit,
    leave_one_out,
    ligand_ec50,
    multistart,
    predict,
    profile,
    relative_error,
)
from twoarm.calibrate.resolvable import measured_ec50, resolve, score_order
from twoarm.cells.bath import bath_model
from twoarm.cells.read import read_cells

_PROFILED = ("gain_il2r", "koff_il2rg", "half_signal_nk", "kint_active", "kdeg_il2rb", "gain_moieties")
_FOLDS = (0.25, 0.5, 0.71, 1.41, 2.0, 4.0)


def write_receptor_fit(
    out: str | os.PathLike[str],
    *,
    cells: str = "human",
    starts: int = 3,
    profiles: bool = True,
    seed: int = 7,
    say: Callable[[str], None] = lambda text: None,
) -> pd.DataFrame:
    """Fit the receptor layer and write everything that says how far to believe it.

    Parameters
    ----------
    out : str or path
        Folder. Parts that are there, of the same data and equations, are kept: a stopped fit goes on.
    cells : str
        Set of cells.
    starts : int
        Searches, the first from the priors.
    profiles : bool
        Whether to profile the numbers that the library takes over.
    seed : int
        Seed of the starts.
    say : callable
        Told what is done.

    Returns
    -------
    DataFrame
        `name`, `value`, `low`, `high` (95 %) and `prior`. The folder has it as ``values.csv``, with
        ``correlation.csv``, ``profiles.csv``, ``ec50.csv``, ``left_out.csv``, ``readings.csv``,
        ``starts.csv``, and what readings can tell: ``known.csv`` (EC50 with interval), ``pairs.csv`` (which
        cell answers first) and ``order.csv`` (left-out ligands scored against both).
    """
    measured = read_measured()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    fit = _fit(measured, cells, starts, seed, folder, say)
    prior = {one.name: one.prior for one in measured.free}
    values = pd.DataFrame(
        [
            {"name": name, "value": fit.values[name], "low": low, "high": high, "prior": prior[name]}
            for name in fit.names
            for low, high in [fit.interval(name)]
        ]
    )
    _save(values, folder / "values.csv")
    _save(fit.correlation().rename_axis("name").reset_index(), folder / "correlation.csv")
    _save(_ec50(measured, fit), folder / "ec50.csv")
    _save(_readings(measured, fit), folder / "readings.csv")
    left_out = leave_one_out(
        measured,
        fit,
        kept=lambda ligand: _kept(folder / "parts" / f"{ligand} left out.csv"),
        keep=lambda ligand, part: _part(part, folder, f"{ligand} left out", say),
    )
    known, pairs = resolve(measured, seed=seed)
    for table, name in (
        (left_out, "left_out"),
        (known, "known"),
        (pairs, "pairs"),
        (score_order(left_out, pairs), "order"),
    ):
        _save(table, folder / f"{name}.csv")
    if profiles:
        _save(pd.concat(_profiles(measured, fit, folder, say), ignore_index=True), folder / "profiles.csv")
    return values


def _fit(
    measured: Measured, cells: str, starts: int, seed: int, folder: Path, say: Callable[[str], None]
) -> ReceptorFit:
    """Take the fit that is there, if it was made of the same, or make it and drop parts of another."""
    made_of = hashlib.sha256(
        repr(
            (bath_model().digest, read_cells(cells).digest, measured.ligands, measured.free, starts, seed)
        ).encode()
        + measured.table.to_csv().encode()
    ).hexdigest()
    record = folder / "fit.json"
    if record.exists():
        said = json.loads(record.read_text(encoding="utf-8"))
        if said.pop("made_of") == made_of:
            spread = np.array(said.pop("log_spread"))
            return ReceptorFit(**{**said, "names": tuple(said["names"])}, log_spread=spread)
    for old in (folder / "parts").glob("*.csv"):
        old.unlink()
    found = multistart(measured, cells, starts, seed)
    say(f"{len(found)} of {starts} searches ended; cost {', '.join(f'{one.cost:.1f}' for one in found)}")
    _save(pd.DataFrame([{"cost": one.cost, **one.values} for one in found]), folder / "starts.csv")
    fit = found[0]
    said = {**fit.__dict__, "log_spread": fit.log_spread.tolist(), "made_of": made_of}
    record.write_text(json.dumps(said, indent=1), encoding="utf-8")
    return fit


def _ec50(measured: Measured, fit: ReceptorFit) -> pd.DataFrame:
    """EC50 at 1 h of each ligand and cell, fitted and read off the readings."""
    rows = []
    for kind in measured.kinds:
        for cell, fitted in zip(
            measured.ec50, ligand_ec50(measured, fit.cells, fit.values, kind), strict=True
        ):
            seen, clear = measured_ec50(measured, kind, cell)
            told = measured.ec50[cell] if kind[0] == measured.ec50_ligand else float("nan")
            rows.append((*kind, cell, fitted, seen, told, clear))
    columns = ["ligand", "moieties", "cell", "fitted", "measured", "told", "measurable"]
    return pd.DataFrame(rows, columns=columns)


def _readings(measured: Measured, fit: ReceptorFit) -> pd.DataFrame:
    curve = predict(measured, fit.cells, [fit.values])[0]
    table = measured.table.drop(columns="group")
    return table.assign(fitted=lay_beside(measured, curve)[0], error=relative_error(measured, curve))


def _profiles(
    measured: Measured, fit: ReceptorFit, folder: Path, say: Callable[[str], None]
) -> list[pd.DataFrame]:
    found = []
    for name in _PROFILED:
        part = _kept(folder / "parts" / f"profile {name}.csv")
        if part is None:
            part = profile(measured, fit, name, _FOLDS)
            _part(part, folder, f"profile {name}", say)
        found.append(part)
    return found


def _kept(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.exists() else None


def _part(part: pd.DataFrame, folder: Path, name: str, say: Callable[[str], None]) -> None:
    (folder / "parts").mkdir(exist_ok=True)
    _save(part, folder / "parts" / f"{name}.csv")
    say(name)


def _save(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all."""
    unfinished = path.with_suffix(".tmp")
    table.to_csv(unfinished, index=False, lineterminator="\n", float_format="%.6g")
    unfinished.replace(path)
