"""Which parameters matter: screen them all, emulate the few, split the variance, price the measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import qmc

from twoarm import __version__, catalog, chance
from twoarm.errors import FewRunsError
from twoarm.learn.emulator import Emulator, emulate, predict
from twoarm.learn.indices import elementary_effects, trajectories, variance_shares
from twoarm.learn.lab import Lab, Recipe, lab_of
from twoarm.learn.runs import ENDPOINTS, run_all, run_at
from twoarm.learn.screen import Measurement, Screen
from twoarm.learn.unknowns import GROUPS, Unknown, matching
from twoarm.learn.worth import worth_of
from twoarm.study import folder as files
from twoarm.study.whom import Which, files_of, in_words
from twoarm.trial.conduct import Advance

Progress = Callable[[str, float], None]
_FEWEST = 16  # runs below which nothing is emulated
_POINTS = 512  # of the sequence that splits the emulator's variance
_ENDS = (0.05, 0.95)  # of an unknown's range, for the tornado


class Matters(NamedTuple):
    """Which parameters matter, in tables.

    Attributes
    ----------
    unknowns : DataFrame
        `name group place low high unit source note`: everything that was varied.
    screening : DataFrame
        `endpoint name effect spread error trajectories`: Morris, of every unknown.
    shares : DataFrame
        `endpoint name first first_error total total_error`: Sobol, of the unknowns that were kept, as shares
        of the variance of all runs.
    tornado : DataFrame
        `endpoint name low middle high`: the emulator with one unknown near either end and all others as they
        come.
    worth : DataFrame
        `endpoint measurement label share low high explained`: what a measurement is expected to take away.
    quality : DataFrame
        `endpoint runs failed mean sd explained`: how well the emulator predicts runs left out.
    """

    unknowns: pd.DataFrame
    screening: pd.DataFrame
    shares: pd.DataFrame
    tornado: pd.DataFrame
    worth: pd.DataFrame
    quality: pd.DataFrame


def what_matters(
    study: str | Path,
    folder: str | Path,
    *,
    seed: int = 11,
    groups: Sequence[str] = GROUPS,
    screen: Screen | str | Path = "trial",
    patients: int | None = None,
    count: int = 2,
    runs: int = 256,
    kept: int = 12,
    populations: Which | None = None,
    workers: int = 1,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    advance: Advance | None = None,
) -> Matters:
    """Find out which parameters a trial hangs on, and which measurement would narrow it most.

    Parameters
    ----------
    study : str or Path
        A study or protocol, as "marslight-11".
    folder : str or Path
        Where runs are kept: the same call goes on where it was interrupted.
    seed : int
        Same seed, same numbers.
    groups : sequence of {"card", "biology", "population", "clinic"}
        Which numbers are varied, over the ranges their files state.
    screen : Screen, str or Path
        Size of the trial, doubt about populations, measurements.
    patients : int, optional
        Twins of each run; as the screen says if left out.
    count : int
        Trajectories of the screening.
    runs : int
        Runs in which everything varies.
    kept : int
        Unknowns of the emulator: the largest of the screening, beside those that a measurement names.
    populations : {"frozen", "prior"}, optional
        The population as fitted and frozen, what was fitted spread over its posterior, or the file as it
        stands; left out, frozen where there is one.
    workers : int
        Processes.
    announce : callable, optional
        Told the cost before the runs begin.
    progress : callable, optional
        Told the step and the share done.
    advance : callable, optional
        Stands in for the engine, in tests.

    Returns
    -------
    Matters
        Tables.

    Raises
    ------
    WrongGroupError, NoUnknownError
        If a group does not exist or has no range.
    FewRunsError
        If fewer than 16 runs came to an end.
    OtherStudyError, FolderInUseError, NotWrittenError
        As of the folder of a run.

    Notes
    -----
    Every run is one trial of twins: the same patients' ranks and the same chance in both arms and in all
    runs, so that differences are those of the unknowns. Screening moves one unknown at a time (morris1991).
    Then all vary together over a scrambled Sobol sequence; an emulator through these runs, with the unknowns
    that were kept as its arguments and the others as its noise, is split into variance shares (sobol2001),
    which are multiplied by the share of the runs' variance that it explains. A measurement's worth is a
    regression on the same runs (strong2014).

    References
    ----------
    morris1991; sobol2001; saltelli2010; strong2014; iwanaga2022.

    Examples
    --------
    >>> import twoarm as ta
    >>> found = ta.what_matters("marslight-11", "results/card", groups=["card"])  # doctest: +SKIP
    >>> found.worth.sort_values("share").tail(1)  # doctest: +SKIP
    """
    say = progress or (lambda step, share: None)
    recipe = Recipe(study, tuple(groups), screen, patients, seed, populations)
    lab = lab_of(recipe, advance)
    names = [unknown.name for unknown in lab.unknowns]
    walk = pd.DataFrame(trajectories(names, count, seed), columns=names)
    cloud = _cloud(names, runs, seed)
    folder = Path(folder)
    files.claim(folder, _plan(recipe, lab, count, runs))
    middle = pd.DataFrame([{each.name: each.middle for each in lab.unknowns}])
    crew = workers if advance is None else 1
    each, nominal = _middle(lab, recipe, middle, folder)
    total = len(walk) + len(cloud)
    if announce is not None:
        announce(
            f"{len(names)} unknowns; {len(walk)} runs to screen and {len(cloud)} to emulate, "
            f"{lab.screen.patients} twins each; about {total * each / 60 / crew:.0f} min if each takes what "
            f"one did ({each:.1f} s), {crew} at a time"
        )
    part = len(walk) / total
    walked = run_all(lab, recipe, walk, folder, "screening", say, (0.0, part), crew)
    clouded = run_all(lab, recipe, cloud, folder, "emulation", say, (part, 1.0), crew)
    say("splitting the variance", 1.0)
    return _judged(lab, names, walk, walked, cloud, clouded, nominal, kept, seed)


def _middle(lab: Lab, recipe: Recipe, point: pd.DataFrame, folder: Path) -> tuple[float, pd.DataFrame]:
    """Run the library's own values, and say how long a run takes once everything is compiled."""
    quiet: Progress = lambda step, share: None  # noqa: E731
    nominal = run_all(lab, recipe, point, folder, "middle", quiet, (0.0, 0.0))
    began = time.perf_counter()
    if not (folder / "runs" / "screening-0000.json").is_file():
        run_at(lab, point.iloc[0].to_dict(), kept_control={})
    return time.perf_counter() - began, nominal


def _cloud(names: Sequence[str], runs: int, seed: int) -> pd.DataFrame:
    """Points at which everything varies together."""
    sequence = qmc.Sobol(len(names), scramble=True, rng=chance.generator(seed, "cloud of unknowns"))
    points = sequence.random_base2(max(runs - 1, 1).bit_length())[:runs]
    return pd.DataFrame(points, columns=list(names))


def _plan(recipe: Recipe, lab: Lab, count: int, runs: int) -> dict[str, Any]:
    link, population = files_of(lab.said, lab.known.protocol)
    frozen = lab.known.frozen
    fitted = {} if frozen is None else {"posterior": str(frozen.record["files"]["ensemble.csv"])}
    return {
        "matter": str(recipe.study),
        "groups": list(recipe.groups),
        "screen": lab.screen.model_dump(mode="json"),
        "patients": lab.screen.patients,
        "seed": recipe.seed,
        "trajectories": count,
        "runs": runs,
        "populations": lab.said,
        "whose": in_words(lab.said),
        "digests": {
            "model": lab.known.model.digest,
            "biology": catalog.digest(catalog.find("biology", lab.known.biology)),
            "population": catalog.digest(population),
            "clinic": catalog.digest(link),
            **fitted,
            **{name: molecule.digest for name, molecule in lab.known.molecules.items()},
        },
        "versions": {"twoarm": __version__, **{name: version(name) for name in ("numpy", "scipy", "salib")}},
    }


def _judged(
    lab: Lab,
    names: list[str],
    walk: pd.DataFrame,
    walked: pd.DataFrame,
    cloud: pd.DataFrame,
    clouded: pd.DataFrame,
    nominal: pd.DataFrame,
    kept: int,
    seed: int,
) -> Matters:
    """Every table, from what the runs gave."""
    asked = [name for name in ENDPOINTS if np.isfinite(clouded[name]).sum() >= _FEWEST]
    if not asked:
        done = int(np.isfinite(clouded["depth"]).sum())
        raise FewRunsError(done=done, needed=_FEWEST, what="the emulator")
    screening = pd.concat(
        [
            elementary_effects(names, walk.to_numpy(), walked[name].to_numpy(float), seed).assign(
                endpoint=name
            )
            for name in asked
        ],
        ignore_index=True,
    )
    chosen = _chosen(lab, screening, kept)
    shares, tornado, quality = [], [], []
    for name in asked:
        value = clouded[name].to_numpy(float)
        sound = np.isfinite(value)
        points = cloud.loc[sound, chosen].to_numpy()
        emulator = emulate(points, value[sound], seed=seed)
        share = max(emulator.explained, 0.0)
        split = variance_shares(chosen, partial(predict, emulator), size=_POINTS, seed=seed)
        columns = ["first", "first_error", "total", "total_error"]
        split[columns] = split[columns] * share
        shares.append(split.assign(endpoint=name))
        tornado.append(_tornado(emulator, chosen, points).assign(endpoint=name))
        spread = (float(value[sound].mean()), float(value[sound].std()))
        middle = float(nominal[name].iloc[0])
        quality.append((name, int(sound.sum()), int((~sound).sum()), *spread, middle, emulator.explained))
    return Matters(
        unknowns=pd.DataFrame(lab.unknowns, columns=Unknown._fields),
        screening=screening,
        shares=pd.concat(shares, ignore_index=True),
        tornado=pd.concat(tornado, ignore_index=True),
        worth=_worth(lab, cloud, clouded, asked, seed),
        quality=pd.DataFrame(
            quality, columns=["endpoint", "runs", "failed", "mean", "sd", "nominal", "explained"]
        ),
    )


def _chosen(lab: Lab, screening: pd.DataFrame, kept: int) -> list[str]:
    """Choose the emulator's unknowns: the largest effects on any endpoint, and what could be measured."""
    effect = screening.pivot(index="name", columns="endpoint", values="effect")
    largest = (effect / effect.max()).max(axis=1).fillna(0.0).sort_values(ascending=False)
    patterns = [pattern for each in lab.screen.measurements for pattern in each.unknowns]
    measured = [each.name for each in matching(lab.unknowns, patterns)]
    first = [name for name in largest.index[:kept] if largest[name] > 0]
    return list(dict.fromkeys([*first, *measured]))


def _tornado(emulator: Emulator, names: list[str], points: np.ndarray) -> pd.DataFrame:
    """Work out the emulator's mean over the runs, with one unknown near either end of its range."""
    middle = float(predict(emulator, points).mean())
    rows = []
    for place, name in enumerate(names):
        ends = []
        for end in _ENDS:
            moved = points.copy()
            moved[:, place] = end
            ends.append(float(predict(emulator, moved).mean()))
        rows.append((name, ends[0], middle, ends[1]))
    return pd.DataFrame(rows, columns=["name", "low", "middle", "high"])


def _worth(
    lab: Lab, cloud: pd.DataFrame, clouded: pd.DataFrame, asked: Sequence[str], seed: int
) -> pd.DataFrame:
    """Price each measurement by what it is expected to take away from each endpoint's variance."""
    rows = []
    for measurement in lab.screen.measurements:
        known, error = _seen(lab, measurement, cloud, clouded)
        if known is None:
            continue
        for name in asked:
            value = clouded[name].to_numpy(float)
            sound = np.isfinite(value) & np.isfinite(known).all(axis=1)
            if sound.sum() < _FEWEST:
                continue
            found = worth_of(known[sound], value[sound], error=error, seed=seed)
            rows.append((name, measurement.name, measurement.label, *found))
    columns = ["endpoint", "measurement", "label", "share", "low", "high", "explained"]
    return pd.DataFrame(rows, columns=columns)


def _seen(
    lab: Lab, measurement: Measurement, cloud: pd.DataFrame, clouded: pd.DataFrame
) -> tuple[np.ndarray | None, np.ndarray]:
    """Give what would be measured in each run, and the measurement's error in the same unit."""
    if measurement.readings:
        names = [f"{each.course}@{each.week}" for each in measurement.readings]
        values = clouded[names].to_numpy(float)
        shares = np.nanmax(values, axis=0) <= 1.0  # of an occupancy the error is of the share itself
        return np.where(shares, values, np.log(np.maximum(values, 1e-12))), np.full(
            len(names), measurement.error
        )
    found = matching(lab.unknowns, measurement.unknowns)
    if not found:
        return None, np.zeros(0)
    spans = np.array([_span(lab, each) for each in found])
    error = np.where(spans > 0, measurement.error / np.where(spans > 0, spans, 1.0), 0.0)
    return cloud[[each.name for each in found]].to_numpy(), error


def _span(lab: Lab, unknown: Unknown) -> float:
    """Width of an unknown's range in the unit of a measurement's error; of a shift, logs between its ends."""
    if unknown.scale == "choice":
        return 0.0
    if unknown.scale != "shift":
        return unknown.logs
    shape: Any = lab.known.population.variables[unknown.place].shape
    return (unknown.high - unknown.low) * float(getattr(shape, "sd", 1.0))
