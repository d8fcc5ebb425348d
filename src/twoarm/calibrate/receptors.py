"""Fit the receptor layer to measured pSTAT5: least squares with priors, profiles, ligands left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from twoarm.calibrate.measured import Free, Measured, lay_beside
from twoarm.calibrate.resolvable import measured_ec50
from twoarm.cells.bath import bath_table, bathe
from twoarm.cells.read import CellSet, read_cells
from twoarm.cells.respond import half_way
from twoarm.chance import generator
from twoarm.errors import TwoarmError
from twoarm.molecule import model_parameters, read_molecule
from twoarm.units import quantity

Numbers = NDArray[np.float64]
_STEP = 0.03  # of a logarithm, for derivatives by differences
_FINE = np.geomspace(1e-5, 84.0, 70)  # nM; doses that an EC50 is read from
_RTOL = 1e-4
_SPREAD_OF_STARTS = 0.7  # of the logarithm, about the priors


@dataclass(frozen=True)
class ReceptorFit:
    """What a fit found.

    Attributes
    ----------
    cells : str
        Set of cells that it was made with.
    values : mapping of str to float
        By name, what may move and what it came to.
    log_spread : (free, free) array
        Covariance of the logarithms, by curvature at the optimum; a fixed number has no row.
    cost : float
        Half the sum of squares, robust, prior included.
    error : float
        Median absolute residual as a share of the plateau that was measured.
    evaluations : int
        Times the solver asked.
    """

    cells: str
    names: tuple[str, ...]
    values: Mapping[str, float]
    log_spread: Numbers
    cost: float
    error: float
    evaluations: int

    def interval(self, name: str, width: float = 1.96) -> tuple[float, float]:
        """Interval of a number, 95 % by default, by the curvature of its logarithm."""
        at = self.names.index(name)
        fold = float(np.exp(width * np.sqrt(self.log_spread[at, at])))
        return self.values[name] / fold, self.values[name] * fold

    def correlation(self) -> pd.DataFrame:
        """Correlations between the logarithms of what may move."""
        spread = np.sqrt(np.diag(self.log_spread))
        return pd.DataFrame(
            self.log_spread / np.outer(spread, spread), index=list(self.names), columns=list(self.names)
        )

    def members(self, n: int, seed: int) -> list[dict[str, float]]:
        """Draw members of the ensemble of fits: normal in the logarithms."""
        centre = np.log([self.values[name] for name in self.names])
        drawn = generator(seed, "receptor fit").multivariate_normal(centre, self.log_spread, size=n)
        return [{**self.values, **dict(zip(self.names, np.exp(one), strict=True))} for one in drawn]


def fit_receptors(
    measured: Measured,
    cells: str = "human",
    *,
    start: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> ReceptorFit:
    """Fit what may move to the data.

    Parameters
    ----------
    measured : Measured
        Data, priors and bounds.
    cells : str
        Set of cells, whose copies are taken as they are.
    start : mapping of str to float, optional
        Where to start; by default the priors.
    fixed : mapping of str to float, optional
        Numbers held where they are.

    Returns
    -------
    ReceptorFit
        The optimum and its spread.

    Notes
    -----
    Residuals are shares of the plateau over `noise`, with a soft absolute loss, after the scale and the
    background of each date and cell have been taken by least squares; four told EC50 of the native ligand and
    the priors are residuals too. Each molecule, cell and dose is one patient of the receptor part, and all
    derivatives of an iteration are one cohort.

    References
    ----------
    farhat2021; typeickine.
    """
    held = dict(fixed or {})
    free = [one for one in measured.free if one.name not in held]
    names = tuple(one.name for one in free)
    begin = {one.name: one.prior for one in free} | {k: v for k, v in (start or {}).items() if k in names}
    low, high = (np.log([getattr(one, end) for one in free]) for end in ("low", "high"))
    first = np.clip(np.log([begin[name] for name in names]), low + 1e-6, high - 1e-6)
    residuals = _Residuals(measured, cells, free)

    def named(point: Numbers) -> dict[str, float]:
        return held | dict(zip(names, map(float, np.exp(point)), strict=True))

    def at(point: Numbers) -> Numbers:
        return residuals([named(point)], [point])[0]

    def slopes(point: Numbers) -> Numbers:
        steps = np.where(point + _STEP < high, _STEP, -_STEP)
        points = [point, *(point + np.diag(steps))]
        found = residuals([named(one) for one in points], points)
        return (np.array(found[1:]) - found[0]).T / steps

    best = least_squares(
        at, first, slopes, bounds=(low, high), loss="soft_l1", xtol=1e-4, ftol=1e-5, max_nfev=60
    )
    values = named(best.x)
    return ReceptorFit(
        cells=cells,
        names=names,
        values=values,
        log_spread=np.linalg.pinv(best.jac.T @ best.jac),
        cost=float(best.cost),
        error=float(np.median(relative_error(measured, predict(measured, cells, [values])[0]))),
        evaluations=int(best.nfev),
    )


class _Residuals:
    """Everything a fit squares, for many points at once."""

    def __init__(self, measured: Measured, cells: str, free: Sequence[Free]) -> None:
        self.measured, self.cells = measured, cells
        self.prior = np.log([one.prior for one in free])
        self.sd = np.array([np.inf if one.sd is None else one.sd for one in free])

    def __call__(self, values: Sequence[Mapping[str, float]], points: Sequence[Numbers]) -> list[Numbers]:
        data = self.measured
        curves = predict(data, self.cells, values)
        potency = native_ec50(data, self.cells, values)
        told = np.log([data.ec50[cell] for cell in data.ec50])
        seen, plateau = (data.table[name].to_numpy(float) for name in ("pstat5", "plateau"))
        return [
            np.concatenate(
                [
                    (seen - lay_beside(data, curve)[0]) / plateau / data.noise,
                    (np.log(ec50) - told) / data.ec50_spread,
                    (point - self.prior) / self.sd,
                ]
            )
            for curve, ec50, point in zip(curves, potency, points, strict=True)
        ]


def molecule_of(
    measured: Measured, ligand: str, moieties: int, values: Mapping[str, float]
) -> dict[str, float]:
    """Work out what a ligand of the data is to a cell, at some values of what may move.

    Parameters
    ----------
    measured : Measured
        The data, whose ligands are cards, readings or a free affinity.
    ligand : str
        Its name.
    moieties : int
        How many IL-2 it has.
    values : mapping of str to float
        What may move.

    Returns
    -------
    dict of str to float
        As `twoarm.molecule.model_parameters` of the slot "cell".
    """
    said = measured.ligands[ligand]
    native = read_molecule(measured.ligands[measured.ec50_ligand]["card"]).nominal()
    if "card" in said:
        return model_parameters(read_molecule(said["card"]).nominal(), "cell")
    arm = {key: native[key] for key in ("il2_arm.kon", "il2_arm.native_kd_il2rb", "il2_arm.weakening_il2rg")}
    arm["il2_arm.moieties"] = float(moieties)
    if "free" in said:
        arm["il2_arm.weakening_il2rb"] = values[said["free"]] / arm["il2_arm.native_kd_il2rb"]
        return model_parameters(arm, "cell")
    line = measured.assay["calibration"]
    for field, reading in (("kd_il2ra", said["il2ra"]), ("weakening_il2rb", said["il2rbg"])):
        reference = float(line[field]["reference"]["value"].split()[0])
        arm[f"il2_arm.{field}"] = (
            values[f"{field}_at_reference"] * (reading / reference) ** values[f"{field}_slope"]
        )
    arm["il2_arm.kon"] = values["kon_sensor"]
    return model_parameters(arm, "cell")


def predict(measured: Measured, cells: str, values: Sequence[Mapping[str, float]]) -> list[Numbers]:
    """Predict pSTAT5 (0 to 1) of each reading, at each of several values.

    Parameters
    ----------
    measured : Measured
        The data.
    cells : str
        Set of cells.
    values : sequence of mapping of str to float
        What may move.

    Returns
    -------
    list of (reading,) float array
        One for each.
    """
    table = measured.table
    kinds, cell_names = measured.kinds, sorted(set(table["cell"]))
    doses, hours = np.unique(table["dose"]), np.unique(table["hour"])
    ligand = pd.MultiIndex.from_tuples(kinds).get_indexer(
        pd.MultiIndex.from_frame(table[["ligand", "moieties"]])
    )
    place = (
        ligand,
        pd.Index(cell_names).get_indexer(table["cell"]),
        np.searchsorted(doses, table["dose"]),
        np.searchsorted(hours, table["hour"]),
    )
    baths = [
        bath_table(
            cells_at(cells, one), cell_names, [molecule_of(measured, *kind, one) for kind in kinds], doses
        )
        for one in values
    ]
    found = bathe(pd.concat(baths, ignore_index=True), hours, ["pstat5"], rtol=_RTOL)["pstat5"]
    curves = found.reshape(len(values), len(kinds), len(cell_names), doses.size, hours.size)
    return [curve[place] for curve in curves]


def library_values(measured: Measured, cells: str = "human") -> dict[str, float]:
    """Take what may move as the library has it.

    Parameters
    ----------
    measured : Measured
        The data, and what may move.
    cells : str
        Set of cells, whose biology holds the constants.

    Returns
    -------
    dict of str to float
        By name.

    Examples
    --------
    >>> from twoarm.calibrate.measured import read_measured
    >>> library_values(read_measured())["kd_il2ra_slope"] > 1
    True
    """
    constants, line = read_cells(cells).constants, measured.assay["calibration"]
    values = {one.name: one.found for one in measured.free if one.found is not None}
    values |= {one.name: constants[one.name] for one in measured.free if one.name in constants}
    values["kon_sensor"] = quantity(measured.assay["il2_arm"]["kon"]["value"], "1/(nM*day)", what="kon")
    for field in ("kd_il2ra", "weakening_il2rb"):
        unit = "nM" if field == "kd_il2ra" else ""
        at = line[field]["at_reference"]["value"]
        values[f"{field}_at_reference"] = quantity(at, unit, what="at_reference")
        values[f"{field}_slope"] = float(line[field]["slope"]["value"])
    return values


def cells_at(cells: str, values: Mapping[str, float]) -> CellSet:
    """Read cells with other values of what may move."""
    return read_cells(cells, {name: at for name, at in values.items()})


def native_ec50(measured: Measured, cells: str, values: Sequence[Mapping[str, float]]) -> list[Numbers]:
    """Predict the EC50 [nM] of the native ligand, by cell as `measured.ec50` lists them."""
    names = list(measured.ec50)
    baths = [
        bath_table(cells_at(cells, one), names, [molecule_of(measured, measured.ec50_ligand, 1, one)], _FINE)
        for one in values
    ]
    found = bathe(pd.concat(baths, ignore_index=True), [measured.ec50_hour], ["pstat5"], rtol=_RTOL)["pstat5"]
    curves = found.reshape(len(values), len(names), _FINE.size)
    return [np.array([half_way(np.log(_FINE), curve) for curve in one]) for one in curves]


def relative_error(measured: Measured, curve: Numbers) -> Numbers:
    """Absolute residual of each reading as a share of the plateau measured that day on that cell."""
    seen, plateau = (measured.table[name].to_numpy(float) for name in ("pstat5", "plateau"))
    return np.abs(seen - lay_beside(measured, curve)[0]) / plateau


def profile(measured: Measured, fit: ReceptorFit, name: str, folds: Sequence[float]) -> pd.DataFrame:
    """Hold one number at several values, fit the others again, and tell what it costs.

    Parameters
    ----------
    measured : Measured
        The data.
    fit : ReceptorFit
        The optimum to go out from.
    name : str
        Which number.
    folds : sequence of float
        Times its value at the optimum.

    Returns
    -------
    DataFrame
        `name`, `value` and `cost` above the optimum's; 1.92 is the end of a 95 % interval.
    """
    rows = []
    bounds = {one.name: (one.low, one.high) for one in measured.free}[name]
    for outward in (sorted(f for f in folds if f >= 1), sorted((f for f in folds if f < 1), reverse=True)):
        start = dict(fit.values)
        for fold in outward:
            at = fit.values[name] * fold
            if bounds[0] <= at <= bounds[1]:
                again = fit_receptors(measured, fit.cells, start=start, fixed={name: at})
                start = dict(again.values)
                rows.append({"name": name, "value": at, "cost": again.cost - fit.cost})
    return pd.DataFrame(rows).sort_values("value", ignore_index=True)


def leave_one_out(
    measured: Measured,
    fit: ReceptorFit,
    *,
    kept: Callable[[str], pd.DataFrame | None] = lambda ligand: None,
    keep: Callable[[str, pd.DataFrame], None] = lambda ligand, found: None,
) -> pd.DataFrame:
    """Predict each sensor-read ligand from its readings, by a fit that never saw it.

    Parameters
    ----------
    measured : Measured
        The data.
    fit : ReceptorFit
        Fit to all, where each search starts.
    kept, keep : callable
        Give and take the part of a ligand, so that a long search can go on where it stopped.

    Returns
    -------
    DataFrame
        `ligand`, `moieties`, `cell`, `hour`, `predicted` and `measured` EC50 [nM], `error` (median share of
        the plateau), `measurable` (whether it rises by a quarter of that day's plateau or more); no row where
        there is no reading.
    """
    parts = []
    for ligand in [name for name, said in measured.ligands.items() if "il2ra" in said]:
        part = kept(ligand)
        if part is None:
            part = _left_out(measured, fit, ligand)
            keep(ligand, part)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _left_out(measured: Measured, fit: ReceptorFit, ligand: str) -> pd.DataFrame:
    seen = measured.without(ligand)
    again = fit_receptors(seen, fit.cells, start=fit.values)
    error = relative_error(measured, predict(measured, fit.cells, [again.values])[0])
    rows = []
    for kind in [kind for kind in measured.kinds if kind[0] == ligand]:
        own = measured.table["ligand"].eq(ligand) & measured.table["moieties"].eq(kind[1])
        for hour in np.unique(measured.table.loc[own, "hour"]).tolist():
            found = ligand_ec50(measured, fit.cells, again.values, kind, hour)
            for cell, predicted in zip(measured.ec50, found, strict=True):
                part = (own & measured.table["cell"].eq(cell) & measured.table["hour"].eq(hour)).to_numpy()
                if part.any():
                    told, clear = measured_ec50(measured, kind, cell, hour)
                    off = float(np.median(error[part]))
                    rows.append((ligand, kind[1], cell, hour, predicted, told, off, clear))
    columns = ["ligand", "moieties", "cell", "hour", "predicted", "measured", "error", "measurable"]
    return pd.DataFrame(rows, columns=columns)


def ligand_ec50(
    measured: Measured, cells: str, values: Mapping[str, float], kind: tuple[str, int], hour: float = 1.0
) -> Numbers:
    """Predict the EC50 [nM] of a ligand within the measured doses, by cell as `measured.ec50` lists them."""
    names = list(measured.ec50)
    table = bath_table(cells_at(cells, values), names, [molecule_of(measured, *kind, values)], _FINE)
    curves = bathe(table, [hour], ["pstat5"], rtol=_RTOL)["pstat5"].reshape(len(names), _FINE.size)
    return np.array([half_way(np.log(_FINE), curve) for curve in curves])


def multistart(measured: Measured, cells: str, starts: int, seed: int) -> list[ReceptorFit]:
    """Fit from the priors, and from points spread about them; best first.

    Parameters
    ----------
    measured : Measured
        The data.
    cells : str
        Set of cells.
    starts : int
        How many searches.
    seed : int
        Seed of the points.

    Returns
    -------
    list of ReceptorFit
        Those that ended, sorted by cost.
    """
    found = []
    for at in range(starts):
        draw = generator(seed, f"start {at}").normal(
            0.0, _SPREAD_OF_STARTS if at else 0.0, len(measured.free)
        )
        start = {
            one.name: float(np.clip(one.prior * np.exp(shift), one.low, one.high))
            for one, shift in zip(measured.free, draw, strict=True)
        }
        try:
            found.append(fit_receptors(measured, cells, start=start))
        except TwoarmError:  # of the solver, at a point far from any cell; other starts stand
            continue
    return sorted(found, key=lambda one: one.cost)
