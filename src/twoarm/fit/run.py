"""Run a fit: cost first, then member after member in all processes, each kept on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from twoarm import catalog
from twoarm.chance import effective_number, generator
from twoarm.errors import FitFailedError, NotARunError, TwoarmError
from twoarm.fit.card import Calibration, read_calibration
from twoarm.fit.chains import Chains, draw_chains
from twoarm.fit.cohorts import Scene, conduct, set_scene
from twoarm.fit.ensemble import first_ensemble, kalman_step, misfits, steps_of, weigh
from twoarm.fit.prevalence import weigh_members
from twoarm.fit.sample import NEAR, learn_near
from twoarm.fit.targets import ENDLESS, Reading, read_targets
from twoarm.model.sbml import read_model
from twoarm.patients.population import read_population
from twoarm.study.folder import claim, read_record, write_record

Progress = Callable[[str, float], None]
_SHARE_THAT_MUST_RUN = 0.5
_STEPS = "steps.json"
_BEYOND = 0.5  # standard deviations of the prior: how far beyond the members so far a draw may lie
# of what the demands allow, the tightest that leaves enough members: the weighted mean of a hundred cohorts
# has chance of its own, half a point a month, and the largest of eighteen months and two arms is twice that
_ROOMS = (0.8, 0.85, 0.9, 0.95, 1.0)
_LEFT = 20.0  # members in effect
_JUDGES = 2  # cohorts of each member that no weight sees; of one, chance alone is half a point a month
MORE_COHORTS = 2 + _JUDGES  # more cohorts of each member of the posterior: two to weigh it beside the first
_SAME = 1e-9  # standard deviations of the prior: linear algebra on another number of threads rounds otherwise
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


def fit_population(
    name: str | Path,
    folder: str | Path,
    *,
    members: int = 100,
    iterations: int = 2,
    rounds: int = 3,
    patients: int = 300,
    seed: int = 1,
    workers: int = 1,
    minutes: float | None = None,
    after: str | Path | None = None,
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
        Steps from the prior toward the data; each simulates every member.
    rounds : int
        Rounds of learning an emulator, drawing from the posterior through it, and simulating the draws.
    patients : int
        Virtual patients of each cohort and member.
    seed : int
        Key of all draws.
    workers : int
        Processes.
    minutes : float, optional
        Time there is. Where it does not suffice, fewer and larger steps are taken, so that the result always
        is a posterior; `facts["steps"]` says which.
    after : str or Path, optional
        Folder of an earlier fit with the same parameters and readings, whose members are learned from: no
        steps, only `rounds` follow. What else the calibration file says may have changed, as the weight of a
        target.
    progress : callable, optional
        Called with what is being done and the share of the whole that is done; the first call says the cost.

    Returns
    -------
    Fitted
        For `twoarm.fit.told.write_told` and `twoarm.fit.freezing.freeze`.

    Notes
    -----
    Calibrate, emulate, sample: Kalman steps bring the ensemble near the data; a polynomial is learned from
    what it gave on the way; the posterior is drawn through the polynomial, and simulated. The steps alone
    would say too much of parameters that the data do not tell (a hundred members correlate by chance).

    References
    ----------
    emerick2013, iglesias2013 (steps), cleary2021 (emulate and sample).

    Raises
    ------
    FitFailedError
        If more than half of the members cannot be simulated.
    OtherStudyError, FolderInUseError
        If the folder holds another fit or other files.
    TwoarmError
        As the verbs that it calls.

    Examples
    --------
    >>> from twoarm.fit import write_told
    >>> fitted = fit_population("oak_squamous", "results/fit", workers=2, minutes=40)  # doctest: +SKIP
    >>> tables = write_told(fitted, Path("results/fit/report"))  # doctest: +SKIP
    """
    started, say = time.monotonic(), progress or (lambda step, share: None)
    calibration, folder = read_calibration(name), Path(folder)
    readings = [r for each in read_targets(calibration).values() for r in each]
    claim(folder, _plan(calibration, readings, members, patients, seed))
    variance = np.array([reading.variance(patients) for reading in readings])
    published = np.array([reading.value for reading in readings])
    fitted = np.array([reading.fitted for reading in readings])
    own = published[fitted], variance[fitted]
    if after is None:
        z = [first_ensemble(members, len(calibration.parameters), generator(seed, "fit, first ensemble"))]
        simulated: list[np.ndarray] = []
        steps: list[float] = []
        plan, total = list(steps_of(iterations)), iterations + rounds + 1
    else:
        z, simulated, steps = _earlier(Path(after), len(calibration.parameters), len(readings))
        _keep(Path(after), folder, len(z))
        plan, total = [], len(simulated) + rounds
        chains = draw_chains(readings, z, simulated, seed)
        z.append(_next(chains, members, z, final=rounds == 1))
    with _Crew(name, workers) as crew:
        while len(simulated) < total:
            last = len(simulated) == total - 1
            found, cost = crew.run(
                folder, z[-1], patients, seed, last=last, say=say, at=(len(simulated), total)
            )
            simulated.append(found)
            left = np.inf if minutes is None else minutes * 60 - (time.monotonic() - started)
            total, plan = _fitting_in(total, plan, len(simulated), left / cost - MORE_COHORTS)
            if plan:
                step, draws = plan.pop(0), generator(seed, "fit, perturbed data", replicate=len(steps))
                z.append(kalman_step(z[-1], found[:, fitted], *own, step, draws))
                steps.append(float(step))
                write_record({"steps": steps}, folder / _STEPS)
            elif not last:
                chains = draw_chains(readings, z, simulated, seed)
                z.append(_next(chains, members, z, final=len(simulated) == total - 1))
        # weights are found on three cohorts of each member, and judged on others
        more = [
            crew.run(folder, z[-1], patients, seed, last=True, say=say, at=(total + extra, total))[0]
            for extra in range(MORE_COHORTS)
        ]
    ran = np.isfinite(np.stack([found, *more])).all(axis=(0, 2)).reshape(-1, 1)
    shown = np.where(ran, np.mean([found, *more[:-_JUDGES]], axis=0), np.nan)
    even = _tightest(readings, shown)
    if even is None:
        exact = np.array([r.variance(ENDLESS) for r in readings])[fitted]
        again, _ = learn_near(z, simulated, fitted, exact)
        weights = weigh(
            misfits(chains.emulator.bare(z[-1]), own[0], chains.error),
            misfits(np.where(ran, again.bare(z[-1]), np.nan), own[0], chains.error),
        )
    else:
        weights = even
    simulated[-1] = np.mean(more[-_JUDGES:], axis=0)
    z[-1] = _untold(z[-1], calibration, seed)
    facts: dict[str, Any] = {"seed": seed, "members": members, "patients": patients, "workers": workers}
    facts |= {"seconds": round(time.monotonic() - started, 1), "steps": steps}
    facts |= {"rounds": len(simulated) - len(steps) - 1}
    facts |= {"cohorts": members * (len(simulated) + MORE_COHORTS) * len(calibration.cohorts)}
    facts |= {"weighed": even is not None, "effective": round(effective_number(weights), 1)}
    facts |= {"r_hat": round(float(chains.drawn.r_hat.max()), 4), "accepted": round(chains.drawn.accepted, 3)}
    return Fitted(calibration, readings, z, simulated, weights, variance, steps, facts)


def _earlier(
    folder: Path, parameters: int, readings: int
) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """Read the ensembles of an earlier fit."""
    z: list[np.ndarray] = []
    simulated: list[np.ndarray] = []
    while files := sorted((folder / f"ensemble-{len(z)}").glob("member-*.json")):
        records = [read_record(file) for file in files]
        z.append(np.array([record["z"] for record in records], float))
        simulated.append(np.array([record["g"] for record in records], float))
    if not z or z[0].shape[1] != parameters or simulated[0].shape[1] != readings:
        raise NotARunError(folder=folder, missing="members of a fit with these parameters and readings")
    steps = read_record(folder / _STEPS)["steps"] if (folder / _STEPS).is_file() else []
    return z, simulated, steps


def _keep(earlier: Path, folder: Path, ensembles: int) -> None:
    """Copy the members of an earlier fit, so that a later one can go on from this folder alone."""
    for number in range(ensembles):
        name = f"ensemble-{number}"
        if not (folder / name).is_dir():
            shutil.copytree(earlier / name, folder / name)
    if (earlier / _STEPS).is_file():
        shutil.copy(earlier / _STEPS, folder / _STEPS)


def _next(chains: Chains, members: int, z: Sequence[np.ndarray], *, final: bool) -> np.ndarray:
    """Take the next ensemble from all draws alike, but none from where no member has lately been.

    A polynomial that was learned on one side of its turning point promises as much on the other.
    """
    draws = chains.wide if final else chains.drawn.z
    flat, known = draws.reshape(-1, draws.shape[-1]), np.concatenate(z[-NEAR:])
    away = np.maximum(known.min(axis=0) - flat, flat - known.max(axis=0)).max(axis=1)
    near = flat[away <= max(_BEYOND, float(np.partition(away, members - 1)[members - 1]))]
    return near[chains.chance.choice(len(near), size=members, replace=False)]


def _fitting_in(total: int, plan: list[float], done: int, possible: float) -> tuple[int, list[float]]:
    """Fewer rounds and larger steps where time is short; one round and the posterior always follow."""
    if possible >= total - done or done >= total:
        return total, plan
    total = min(total, max(done + int(possible), done + 1 + bool(plan)))
    room = total - done - 1
    return total, plan if room >= len(plan) else [sum(plan) * share for share in steps_of(max(room, 1))]


def _plan(
    calibration: Calibration, readings: Sequence[Reading], members: int, patients: int, seed: int
) -> dict[str, Any]:
    """Say what makes this fit this fit: two with the same plan have the same numbers."""
    return {
        "calibration": calibration.name,
        "members": members,
        "patients": patients,
        "seed": seed,
        "rows": sorted({f"{m.table} {m.row} {m.digest}" for reading in readings for m in reading.rows}),
        "digests": {
            "calibration": calibration.digest,
            "model": read_model(calibration.model).digest,
            "population": read_population(calibration.population).digest,
            "outcomes": catalog.digest(catalog.find("outcomes", calibration.outcomes)),
            **{
                f"protocol of {cohort}": catalog.digest(catalog.find("protocols", said.protocol))
                for cohort, said in calibration.cohorts.items()
            },
        },
    }


def _untold(z: np.ndarray, calibration: Calibration, seed: int) -> np.ndarray:
    """Give members draws of the prior in what no fitted arm can tell; their cohorts are the same for it."""
    untold = [place for place, each in enumerate(calibration.parameters.values()) if each.only_prior]
    prior = first_ensemble(len(z), z.shape[1], generator(seed, "fit, what no arm tells"))
    again = z.copy()
    again[:, untold] = prior[:, untold]
    return again


def _tightest(readings: Sequence[Reading], shown: np.ndarray) -> np.ndarray | None:
    """Weigh members to the demands with as much to spare as leaves enough of them; None where none do."""
    weights = None
    for room in _ROOMS:
        weights = weigh_members(readings, shown, room)
        if weights is not None and effective_number(weights) >= _LEFT:
            break
    return weights


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
        patients: int,
        seed: int,
        *,
        last: bool,
        say: Progress,
        at: tuple[int, int],
    ) -> tuple[np.ndarray, float]:
        """Simulate every member; those on disk are read. Gives the numbers, and the seconds it took."""
        started, (number, total) = time.monotonic(), at
        others = number - total + 1
        room = folder / (f"ensemble-{number}" if others < 1 else f"other-patients-{others}")
        found: dict[int, np.ndarray] = {}
        reasons: list[str] = []
        for member, row in enumerate(z):
            kept = _kept(room, member, row)
            if kept is not None:
                found[member] = kept
        ready = len(found)
        missing = [member for member in range(len(z)) if member not in found]
        base = _FINAL_SEEDS * (last + max(others, 0))
        for done, (member, values, reason) in enumerate(self._each(z, missing, patients, seed + base), 1):
            found[member] = values
            reasons += [reason] if reason else []
            write_record(
                {"z": list(map(float, z[member])), "g": list(map(float, values))}, _file(room, member)
            )
            share = (ready + done) / len(z)
            cost = (time.monotonic() - started) / done * len(z) * (total + MORE_COHORTS - number - share)
            told = f"ensemble {number + 1} of {total}" if others < 1 else f"other patients, {others}"
            told = f"{told}: member {ready + done} of {len(z)}"
            say(
                f"{told}; about {cost / 60:.0f} min to go",
                min((number + share) / (total + MORE_COHORTS), 1.0),
            )
        simulated = np.array([found[member] for member in range(len(z))])
        failed = int((~np.isfinite(simulated).all(axis=1)).sum())
        if failed > _SHARE_THAT_MUST_RUN * len(z):
            raise FitFailedError(
                failed=failed, members=len(z), reason=reasons[0] if reasons else "not a number"
            )
        return simulated, max((time.monotonic() - started) * len(z) / max(len(missing), 1), 1e-9)

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
    same = np.allclose(record["z"], z, rtol=0, atol=_SAME)
    return np.array(record["g"], float) if same else None
