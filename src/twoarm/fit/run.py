"""Run a fit: cost first, then member after member in all processes, each kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from twoarm import catalog
from twoarm.chance import generator
from twoarm.errors import FitFailedError, NotARunError, TwoarmError
from twoarm.fit.card import Calibration, read_calibration
from twoarm.fit.cohorts import Scene, conduct, set_scene
from twoarm.fit.ensemble import first_ensemble, kalman_step, misfits, steps_of, weigh
from twoarm.fit.targets import Reading, read_targets
from twoarm.model.sbml import read_model
from twoarm.patients.population import read_population
from twoarm.study.folder import claim, read_record, write_record

Progress = Callable[[str, float], None]
_SHARE_THAT_MUST_RUN = 0.5
_FINAL_SEEDS = 1_000_000  # the last ensemble meets patients that no iteration has seen


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves behind.

    Attributes
    ----------
    calibration : Calibration
        What was fitted.
    readings : list of Reading
        Published numbers, in the order of the columns of `simulated`.
    z : list of (member, parameter) float array
        The ensemble of each iteration, the prior first, the posterior last.
    simulated : list of (member, reading) float array
        What each ensemble gave.
    weights : (member,) float array
        Of the last ensemble.
    variance : (reading,) float array
        Of published minus simulated.
    steps : list of float
        Share of the data's weight taken in by each iteration; they sum to 1.
    facts : dict
        Seed, sizes, cost.
    """

    calibration: Calibration
    readings: list[Reading]
    z: list[np.ndarray]
    simulated: list[np.ndarray]
    weights: np.ndarray
    variance: np.ndarray
    steps: list[float]
    facts: dict[str, Any]


def calibrate(
    name: str | Path,
    folder: str | Path,
    *,
    members: int = 100,
    iterations: int = 4,
    patients: int = 300,
    seed: int = 1,
    workers: int = 1,
    minutes: float | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a population to what was published.

    Parameters
    ----------
    name : str or Path
        A calibration of the library, or a file.
    folder : str or Path
        Where each member's numbers are kept; a stopped fit goes on there.
    members : int
        Of the ensemble.
    iterations : int
        Steps from prior to posterior; each simulates every member once, and the posterior once more.
    patients : int
        Virtual patients of each cohort and member.
    seed : int
        Key of all draws.
    workers : int
        Processes.
    minutes : float, optional
        Time there is. Where it does not suffice, fewer and larger steps are taken, so that the result always
        is a posterior; `facts["steps"]` says which.
    progress : callable, optional
        Called with what is being done and the share of the whole that is done; the first call says the cost.

    Returns
    -------
    Fitted
        For `twoarm.fit.told.tell_fit` and `twoarm.fit.freeze.freeze`.

    Raises
    ------
    FitFailedError
        If more than half of the members cannot be simulated.
    OtherStudyError, FolderInUseError
        If the folder holds another fit or other files.
    TwoarmError
        As the verbs that it calls.
    """
    started, say = time.monotonic(), progress or (lambda step, share: None)
    calibration, folder = read_calibration(name), Path(folder)
    readings = [r for each in read_targets(calibration).values() for r in each]
    claim(folder, _plan(calibration, name, readings, members, patients, seed))
    variance = np.array([reading.variance(patients) for reading in readings])
    published = np.array([reading.value for reading in readings])
    fitted = np.array([reading.fitted for reading in readings])
    z = [first_ensemble(members, len(calibration.parameters), generator(seed, "fit, first ensemble"))]
    simulated: list[np.ndarray] = []
    steps: list[float] = []
    plan = list(steps_of(iterations))
    with _Crew(name, workers) as crew:
        while True:
            last = not plan
            found, cost = crew.run(
                folder, z[-1], len(steps), last, patients, seed, say, (len(steps), iterations)
            )
            simulated.append(found)
            if last:
                break
            left = np.inf if minutes is None else minutes * 60 - (time.monotonic() - started)
            plan = _fitting_in(plan, left, cost)
            step = plan.pop(0)
            draws = generator(seed, "fit, perturbed data", replicate=len(steps))
            z.append(kalman_step(z[-1], found[:, fitted], published[fitted], variance[fitted], step, draws))
            steps.append(step)
    misfit = misfits(simulated[-1][:, fitted], published[fitted], variance[fitted])
    seconds = time.monotonic() - started
    facts: dict[str, Any] = {
        "seed": seed,
        "members": members,
        "patients": patients,
        "seconds": round(seconds, 1),
    }
    facts |= {
        "workers": workers,
        "steps": steps,
        "cohorts": members * len(simulated) * len(calibration.cohorts),
    }
    return Fitted(calibration, readings, z, simulated, weigh(z[-1], misfit), variance, steps, facts)


def _fitting_in(plan: list[float], left: float, cost: float) -> list[float]:
    """Fewer, larger steps where time is short; the posterior has to be simulated once more, too."""
    if left >= cost * len(plan):
        return plan
    possible = max(1, int(left / cost))
    return [sum(plan) * share for share in steps_of(possible)]


def _plan(
    calibration: Calibration,
    name: str | Path,
    readings: Sequence[Reading],
    members: int,
    patients: int,
    seed: int,
) -> dict[str, Any]:
    """Say what makes this fit this fit: two with the same plan have the same numbers."""
    return {
        "calibration": calibration.name,
        "members": members,
        "patients": patients,
        "seed": seed,
        "rows": sorted({f"{m.table} {m.row} {m.digest}" for reading in readings for m in reading.rows}),
        "digests": {
            "calibration": catalog.digest(catalog.find("calibrations", name)),
            "model": read_model(calibration.model).digest,
            "population": read_population(calibration.population).digest,
            "outcomes": catalog.digest(catalog.find("outcomes", calibration.outcomes)),
            **{
                f"protocol of {cohort}": catalog.digest(catalog.find("protocols", said.protocol))
                for cohort, said in calibration.cohorts.items()
            },
        },
    }


class _Crew:
    """Processes that simulate members; each reads the model once."""

    def __init__(self, name: str | Path, workers: int) -> None:
        self._name, self._workers = name, workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> _Crew:
        if self._workers > 1:
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=get_context("spawn"), initializer=_open, initargs=(self._name,)
            )
        else:
            _open(self._name)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def run(
        self,
        folder: Path,
        z: np.ndarray,
        iteration: int,
        last: bool,
        patients: int,
        seed: int,
        say: Progress,
        place: tuple[int, int],
    ) -> tuple[np.ndarray, float]:
        """Simulate every member; those on disk are read. Gives the numbers, and the seconds it took."""
        started = time.monotonic()
        room = folder / ("posterior" if last else f"iteration-{iteration}")
        found: dict[int, np.ndarray] = {}
        reasons: list[str] = []
        for member, row in enumerate(z):
            kept = _kept(room, member, row)
            if kept is not None:
                found[member] = kept
        ready = len(found)
        missing = [member for member in range(len(z)) if member not in found]
        base = _FINAL_SEEDS if last else 0
        for done, (member, values, reason) in enumerate(self._each(z, missing, patients, seed + base), 1):
            found[member] = values
            reasons += [reason] if reason else []
            write_record(
                {"z": list(map(float, z[member])), "g": list(map(float, values))}, _file(room, member)
            )
            cost = (time.monotonic() - started) / done * (len(z) - ready)
            done_so_far = (place[0] + (ready + done) / len(z)) / (place[1] + 1)
            say(_told(last, iteration, ready + done, len(z), cost, place), min(done_so_far, 1.0))
        simulated = np.array([found[member] for member in range(len(z))])
        failed = int((~np.isfinite(simulated).all(axis=1)).sum())
        if failed > _SHARE_THAT_MUST_RUN * len(z):
            raise FitFailedError(
                failed=failed, members=len(z), reason=reasons[0] if reasons else "not a number"
            )
        whole = (time.monotonic() - started) * len(z) / max(len(missing), 1)
        return simulated, whole

    def _each(
        self, z: np.ndarray, missing: Sequence[int], patients: int, seed: int
    ) -> Iterator[tuple[int, np.ndarray, str]]:
        """Simulate the members one by one as they end; a member has the same chance in every iteration."""
        if self._pool is None:
            for member in missing:
                yield _one(member, z[member], patients, seed + member)
            return
        waiting = [self._pool.submit(_one, member, z[member], patients, seed + member) for member in missing]
        for done in as_completed(waiting):
            yield done.result()


_STAGE: dict[str, Any] = {}  # of a process: what its members share, read once


def _open(name: str | Path) -> None:
    calibration = read_calibration(name)
    _STAGE.update(scene=set_scene(calibration), readings=read_targets(calibration))


def _one(member: int, z: np.ndarray, patients: int, seed: int) -> tuple[int, np.ndarray, str]:
    """Simulate one member; what cannot be simulated is NaN, with the reason."""
    scene: Scene = _STAGE["scene"]
    readings: dict[str, list[Reading]] = _STAGE["readings"]
    try:
        found = conduct(scene, z, readings, patients=patients, seed=seed)
        return member, np.concatenate([found[name] for name in readings]), ""
    except (TwoarmError, ValueError) as wrong:
        return member, np.full(sum(map(len, readings.values())), np.nan), str(wrong)


def _file(room: Path, member: int) -> Path:
    return room / f"member-{member:03d}.json"


def _kept(room: Path, member: int, z: np.ndarray) -> np.ndarray | None:
    """Numbers of a member that was simulated before, if it was the same one."""
    try:
        record = read_record(_file(room, member))
    except NotARunError:
        return None
    same = np.array_equal(np.array(record["z"], float), z)
    return np.array(record["g"], float) if same else None


def _told(last: bool, iteration: int, done: int, of: int, cost: float, place: tuple[int, int]) -> str:
    """Where the fit is, and what is left of it."""
    what = "posterior" if last else f"iteration {iteration + 1} of {place[1]}"
    rounds = (place[1] - place[0]) + (1 - done / of)
    return f"{what}: member {done} of {of}; about {cost * rounds / 60:.0f} min to go"
