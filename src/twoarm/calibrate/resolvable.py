"""What readings can tell: how far an EC50 is known, and which cells answer first beyond doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from twoarm.calibrate.measured import Measured
from twoarm.cells.respond import half_way
from twoarm.chance import generator

Numbers = NDArray[np.float64]
CLEAR = 0.25  # share of a day's plateau that a curve must rise for its EC50 to be told
NEAR = 3.0  # times; what counts as met
_SURE = 0.975  # share of the draws in which one cell must come first for a pair to be told apart
_FEET, _TOPS = 2, 3  # doses that the foot and the top of a curve are read from
_WIDTH = (0.025, 0.975)
Day = tuple[Numbers, Numbers, float, str]  # doses, mean readings, height of the plateau, date
Days = dict[tuple[str, int, str, float], list[Day]]
_DRAWS = 400


def measured_ec50(
    measured: Measured, kind: tuple[str, int], cell: str, hour: float = 1.0
) -> tuple[float, bool]:
    """Read the EC50 of a ligand off its readings: the dose of half the rise within the measured doses.

    Parameters
    ----------
    measured : Measured
        The data.
    kind : (str, int)
        Ligand and number of IL-2.
    cell : str
        The cell.
    hour : float
        When.

    Returns
    -------
    ec50 : float
        [nM], from the mean over days of curves that rise from 0 to 1.
    clear : bool
        Whether it can be told: the rise is at least a quarter of that day's plateau.

    Examples
    --------
    >>> from twoarm.calibrate.measured import read_measured
    >>> ec50, clear = measured_ec50(read_measured(), ("il2", 1), "treg")
    >>> 0.01 < ec50 < 0.1, clear
    (True, True)
    """
    table = measured.table
    own = table["ligand"].eq(kind[0]) & table["moieties"].eq(kind[1])
    own &= table["cell"].eq(cell) & table["hour"].eq(hour)
    return _told(_days(table[own]).get((*kind, cell, hour), []))


def _told(days: Sequence[Day]) -> tuple[float, bool]:
    if not days:
        return float("nan"), False
    doses, mean = _mean([(doses, _from_0_to_1(curve)) for doses, curve, _, _ in days])
    return half_way(np.log(doses), mean), bool(
        min(_rise(curve) / height for _, curve, height, _ in days) > CLEAR
    )


def between_days(measured: Measured, hour: float = 1.0) -> pd.DataFrame:
    """Tell how far the EC50 of one ligand and cell differs from day to day.

    Parameters
    ----------
    measured : Measured
        The data.
    hour : float
        When.

    Returns
    -------
    DataFrame
        Index `cell`; standard deviations of log10 EC50 between days: `own`, of what this cell has for itself,
        and `shared`, of what all cells of a day have in common (the same in each row). From ligands that were
        measured on two days or more in all cells.

    Examples
    --------
    >>> from twoarm.calibrate.measured import read_measured
    >>> early, late = (between_days(read_measured(), hour).own.mean() for hour in (1.0, 4.0))
    >>> bool(late > early)
    True
    """
    return _between_days(_days(measured.table), measured, hour)


def _between_days(days: Days, measured: Measured, hour: float) -> pd.DataFrame:
    cells = list(measured.ec50)
    own, shared, freedom = np.zeros(len(cells)), 0.0, 0
    for kind in measured.kinds:
        read = {
            cell: {
                date: _log10_ec50(doses, curve) for doses, curve, _, date in days.get((*kind, cell, hour), [])
            }
            for cell in cells
        }
        table = pd.DataFrame(read).dropna()
        if len(table) > 1:
            off = (table - table.mean()).to_numpy(float)
            common = off.mean(axis=1)
            shared += float((common**2).sum())
            own += ((off - common[:, None]) ** 2).sum(axis=0)
            freedom += len(table) - 1
    rest = 1 - 1 / len(cells)  # taking the common part away takes this much of each
    times = freedom or np.nan  # measured on one day only: nothing is known
    spread = {"own": np.sqrt(own / times / rest), "shared": np.sqrt(shared / times)}
    return pd.DataFrame(spread, index=pd.Index(cells, name="cell"))


def resolve(measured: Measured, *, seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell how far each measured EC50 is known, and which pairs of cells can be told apart.

    Parameters
    ----------
    measured : Measured
        The data.
    seed : int
        Seed of the draws.

    Returns
    -------
    known : DataFrame
        `ligand`, `moieties`, `hour`, `cell`, `ec50`, `low`, `high` [nM] (95 %), `days`, `measurable`, and
        `again`: the chance that the same measurement, made again, comes within 3-fold of its middle. No
        prediction can be expected to do better.
    pairs : DataFrame
        `ligand`, `moieties`, `hour`, `first`, `later`, `chance` that the first has the lower EC50, and
        `resolvable`: the chance is above 97.5 % and both are measurable.

    Notes
    -----
    A draw adds to the rising curve of each day and cell the scatter that readings have about it, and to each
    EC50 what it differs by between days, in part shared by the cells of a day, which changes no order.

    Examples
    --------
    >>> from twoarm.calibrate.measured import read_measured
    >>> known, pairs = resolve(read_measured())
    >>> int(pairs.resolvable.sum()) < len(pairs) / 2
    True
    """
    read = _days(measured.table)
    scatter = _scatter(read)
    known: list[tuple[object, ...]] = []
    pairs: list[tuple[object, ...]] = []
    for hour in np.unique(measured.table["hour"]).tolist():
        spread = _between_days(read, measured, hour)
        for kind in measured.kinds:
            drawn: dict[str, Numbers] = {}
            clear: dict[str, bool] = {}
            for cell in measured.ec50:
                days = read.get((*kind, cell, hour), [])
                if not days:
                    continue
                chance = generator(seed, f"readings of {kind} on {cell} at {hour}")
                own, common = spread.loc[cell, ["own", "shared"]] / np.sqrt(len(days))
                drawn[cell] = _draw(days, scatter[cell], chance) + own * chance.normal(size=_DRAWS)
                off = drawn[cell] - np.nanmedian(drawn[cell]) + common * chance.normal(size=_DRAWS)
                told, clear[cell] = _told(days)
                low, high = told * 10 ** np.nanquantile(off, _WIDTH)
                again = float((np.abs(off) < np.log10(NEAR)).mean())
                known.append((*kind, hour, cell, told, low, high, len(days), clear[cell], again))
            pairs += [(*kind, hour, *pair) for pair in _pairs(drawn, clear)]
    of = ["ligand", "moieties", "hour"]
    columns = [*of, "cell", "ec50", "low", "high", "days", "measurable", "again"]
    of_pairs = [*of, "first", "later", "chance", "resolvable"]
    return pd.DataFrame(known, columns=columns), pd.DataFrame(pairs, columns=of_pairs)


def score_order(predicted: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Score predicted orders of cells against the pairs that readings tell apart.

    Parameters
    ----------
    predicted : DataFrame
        `ligand`, `moieties`, `hour`, `cell`, `predicted` and `measured` EC50, `measurable`.
    pairs : DataFrame
        Of `resolve`.

    Returns
    -------
    DataFrame
        A row a ligand, valency and hour: cells that are `measurable`, how many of them are `within` 3-fold,
        `resolvable` pairs of cells, how many of them are `right`, and `strict`: whether all cells come in the
        order of the measured middles, noise or not.

    Examples
    --------
    >>> of = {"ligand": "x", "moieties": 1, "hour": 1.0}
    >>> cells = {"cell": ["treg", "nk"], "predicted": [1, 9], "measured": [1, 2], "measurable": True}
    >>> pairs = {"first": ["treg"], "later": ["nk"], "resolvable": [True]}
    >>> score_order(pd.DataFrame({**of, **cells}), pd.DataFrame({**of, **pairs})).values.tolist()
    [['x', 1, 1.0, 2, 1, 1, 1, True]]
    """
    of, rows = ["ligand", "moieties", "hour"], []
    resolvable = dict(list(pairs[pairs["resolvable"]].groupby(of)))
    for key, own in predicted.groupby(of):
        ec50 = own.set_index("cell")["predicted"]
        told = resolvable.get(key, pairs.iloc[:0])
        right = sum(
            bool(ec50[first] < ec50[later]) for first, later in zip(told["first"], told["later"], strict=True)
        )
        fold = np.abs(np.log(own["predicted"] / own["measured"]))[own["measurable"]]
        within = int((fold < np.log(NEAR)).sum())
        strict = list(own.sort_values("predicted")["cell"]) == list(own.sort_values("measured")["cell"])
        rows.append((*key, len(fold), within, len(told), right, strict))
    columns = [*of, "measurable", "within", "resolvable", "right", "strict"]
    return pd.DataFrame(rows, columns=columns)


def _days(table: pd.DataFrame) -> Days:
    """Each curve of the data, by ligand, moieties, cell and hour, day by day."""
    found: Days = {}
    by = ["ligand", "moieties", "cell", "hour", "date"]
    for (ligand, moieties, cell, hour, date), day in table.groupby(by):
        curve = day.groupby("dose")["pstat5"].mean()
        one = (curve.index.to_numpy(float), curve.to_numpy(float), float(day["plateau"].iloc[0]), str(date))
        found.setdefault((str(ligand), int(moieties), str(cell), float(hour)), []).append(one)
    return found


def _rise(curve: Numbers) -> Numbers:
    """From the foot to the top, along the last axis."""
    return np.asarray(curve[..., -_TOPS:].max(-1) - curve[..., :_FEET].mean(-1))


def _from_0_to_1(curve: Numbers) -> Numbers:
    foot = curve[..., :_FEET].mean(-1)
    return np.asarray((curve - foot[..., None]) / _rise(curve)[..., None])


def _mean(curves: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """Average curves of several days, dose by dose; a dose counts on the days that have it."""
    table = pd.concat([pd.Series(curve, index=doses) for doses, curve in curves], axis=1).mean(axis=1)
    table = table.sort_index()
    return table.index.to_numpy(float), table.to_numpy(float)


def _log10_ec50(doses: Numbers, curve: Numbers) -> float:
    return float(np.log10(half_way(np.log(doses), _from_0_to_1(curve))))


def _half_ways(doses: Numbers, curves: Numbers) -> Numbers:
    """Logarithm (base 10) of what `half_way` finds, for many curves at once."""
    rising = np.maximum.accumulate(curves, axis=1)
    half = rising[:, -1] / 2
    reached = (rising >= half[:, None]).argmax(axis=1)
    below, every = np.maximum(reached - 1, 0), np.arange(len(curves))
    start, end = rising[every, below], rising[every, reached]
    share = (half - start) / np.where(end > start, end - start, np.nan)
    log = np.log10(doses)
    return np.asarray(np.where(reached > 0, log[below] + share * (log[reached] - log[below]), np.nan))


def _scatter(days: Days) -> dict[str, float]:
    """Scatter of readings about the rising curve of their day, by cell, as a share of the plateau."""
    square: dict[str, float] = {}
    freedom: dict[str, int] = {}
    for (_, _, cell, _), several in days.items():
        for _, curve, height, _ in several:
            rising = isotonic_regression(curve).x
            square[cell] = square.get(cell, 0.0) + float((((curve - rising) / height) ** 2).sum())
            freedom[cell] = freedom.get(cell, 0) + curve.size - np.unique(rising).size
    return {cell: float(np.sqrt(square[cell] / max(freedom[cell], 1))) for cell in square}


def _draw(days: Sequence[Day], scatter: float, chance: np.random.Generator) -> Numbers:
    """Logarithm (base 10) of the EC50 of curves drawn about those of each day, all days together."""
    doses = np.unique(np.concatenate([own for own, _, _, _ in days]))
    total, times = np.zeros((_DRAWS, doses.size)), np.zeros(doses.size)
    for own, curve, height, _ in days:
        at = np.searchsorted(doses, own)
        about = isotonic_regression(curve).x + scatter * height * chance.normal(size=(_DRAWS, curve.size))
        total[:, at] += _from_0_to_1(about)
        times[at] += 1
    return _half_ways(doses, total / times)


def _pairs(drawn: dict[str, Numbers], measurable: dict[str, bool]) -> Iterator[tuple[str, str, float, bool]]:
    cells = list(drawn)
    for at, one in enumerate(cells):
        for other in cells[at + 1 :]:
            both = np.isfinite(drawn[one]) & np.isfinite(drawn[other])
            if not both.any():
                continue
            chance = float((drawn[one] < drawn[other])[both].mean())
            first, later = (one, other) if chance >= 0.5 else (other, one)
            chance = max(chance, 1 - chance)
            yield first, later, chance, chance > _SURE and measurable[one] and measurable[other]
