"""Run one study: draw the card and the patients, conduct every trial, and write each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import xarray as xr

import twoarm
from twoarm import catalog
from twoarm.engine.simulate import simulate
from twoarm.errors import (
    MissingFieldError,
    MoleculeTwiceError,
    NoSuchEvidenceError,
    NumberOfPatientsError,
    SimulationInputError,
    StudyArmError,
)
from twoarm.evidence.read import read_curves, read_evidence
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.regimen import Regimen
from twoarm.report import Findings
from twoarm.study import compose, measure
from twoarm.study import folder as files
from twoarm.study.card import Study, read_study
from twoarm.study.weights import WeighedCard, read_weights, recorded, resample_cards
from twoarm.study.whom import Which, Whom, whom_of
from twoarm.trial.conduct import Advance, run_trial
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.prescribe import prescribe
from twoarm.trial.protocol import Protocol

Progress = Callable[[str, float], None]
Backend = Literal["auto", "cpu", "reference"]
_MOST = 100_000  # patients of one trial; the largest ever had fewer


class Part(NamedTuple):
    """One trial of a study: a draw of the cards, and a replicate of chance."""

    draw: int
    replicate: int

    @property
    def name(self) -> str:
        """Folder of the trial, below the study's."""
        return f"draw-{self.draw:03d}" + (f"-chance-{self.replicate}" if self.replicate else "")


def run_study(
    name: str | Path,
    folder: str | Path,
    *,
    seed: int,
    patients: int | None = None,
    draws: int = 1,
    replicates: int = 0,
    populations: Which | None = None,
    weights: str | Path | None = None,
    backend: Backend = "auto",
    advance: Advance | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Simulate a study from the molecules' cards to the report, and write its folder.

    Parameters
    ----------
    name : str or Path
        A study or protocol of the library, or the file of one.
    folder : str or Path
        Where to write; made if it is not there. What it holds of the same study is kept, so that an
        interrupted run goes on.
    seed : int
        Same seed, same numbers to the last digit.
    patients : int, optional
        Virtual patients of each trial; as the protocol says if left out.
    draws : int
        Members of each molecule's ensemble, one trial each, and of a frozen population's; where neither has
        more than one, there is one trial.
    replicates : int
        Further trials of the first draw that differ by chance only, to tell chance from patients.
    populations : {"frozen", "prior"}, optional
        Patients of the population as it was fitted and frozen, each draw of the cards paired with a member of
        its ensemble, or of the file as it stands; left out, frozen where there is one for this population and
        clinical link.
    weights : str or Path, optional
        Folder of `update_card`: the card of its molecule is drawn by the weights that reports gave it.
    backend : {"auto", "cpu", "reference"}
        As in `simulate`.
    advance : callable, optional
        Stands in for the engine, in tests.
    progress : callable, optional
        Called with what is being done and the share of the whole that is done.

    Returns
    -------
    Findings
        What the report shows. The folder then holds `study.json` (what was asked), `cards/`,
        `population.csv` (of the first trial; beside each trial too where they differ), `draws/` (outcomes,
        scans and curves of each trial), `result.json`, `report.html`.

    Raises
    ------
    OtherStudyError, FolderInUseError, NotWrittenError
        If the folder holds another study or other files, or cannot be written to.
    TwoarmError
        As the verbs that it calls.

    Examples
    --------
    >>> import twoarm as ta
    >>> findings = ta.run_study("marslight-11", "results/small", seed=11, patients=60)  # doctest: +SKIP
    """
    folder, say = Path(folder), progress or (lambda step, share: None)
    if replicates < 0:
        raise SimulationInputError(
            what="replicates", value=replicates, rule="It must be 0 or above. Pass, as an example, 2."
        )
    study, protocol = read_study(name)
    n = _size(patients, protocol)
    _check(study, protocol)
    molecules = _molecules(protocol)
    whom = whom_of(protocol, populations, draws=draws, seed=seed)
    several = len(whom.members) > 1 or any(molecule.is_ensemble for molecule in molecules.values())
    draws = draws if several else 1
    weighed = None if weights is None else read_weights(weights)
    cards = _cards(molecules, draws, seed, weighed)
    say("reading the model", 0.0)
    model = read_model(study.model)
    plan = _plan(study, protocol, molecules, whom, weighed, model, n, seed, draws, replicates, backend)
    files.claim(folder, plan)
    course = None if advance else partial(_untreated, model, backend)
    for key, table in cards.items():
        files.write_table(table, folder / "cards" / f"{key}.csv")
    parts = [*(Part(draw, 0) for draw in range(draws)), *(Part(0, k + 1) for k in range(replicates))]
    engine = advance or partial(simulate, backend=backend)
    for number, part in enumerate(parts):
        place = folder / "draws" / part.name
        if (place / files.RECORD).is_file():
            continue
        step = f"trial {number + 1} of {len(parts)}"
        say(f"{step}, drawing patients", number / (len(parts) + 0.2))
        member = whom.of(part.draw)
        people = draw_patients(member.population, n=n, seed=seed, untreated=course)
        trial = run_trial(
            model,
            protocol,
            people,
            seed=seed,
            replicate=part.replicate if part.replicate else part.draw,
            outcomes=member.outcomes,
            draws={key: _row(table, part.draw) for key, table in cards.items()},
            progress=partial(_report, say, step, number, len(parts) + 0.2),
            advance=engine,
        )
        _write_people(folder, place, people, shared=len(whom.members) == 1)
        noted = {f"population {key}": _plain(value) for key, value in (whom.said | whom.digests).items()}
        facts = {**trial.provenance, **noted, "member": member.label}
        trial.courses.attrs.update(noted, member=member.label)
        measure.write_trial(trial._replace(provenance=facts), protocol, place, part.draw, part.replicate)
    say("writing the report", len(parts) / (len(parts) + 0.2))
    findings = compose.write_findings(folder)
    say("done", 1.0)
    return findings


def _untreated(
    model: Model, backend: Backend, patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]
) -> xr.Dataset:
    """Let candidates go untreated, for the rules of plausibility that look at a course."""
    visits = sorted(days)
    return simulate(
        model, patients, days=visits[-1], visits=visits, outputs=outputs, backend=backend, failed="mask"
    )


def _report(say: Progress, step: str, number: int, of: float, share: float) -> None:
    """Pass on how far one trial is as a share of the whole."""
    say(step, (number + share) / of)


def _row(cards: pd.DataFrame, draw: int) -> dict[str, float]:
    return {str(name): float(cards[name].loc[draw]) for name in cards.columns}


def _size(patients: int | None, protocol: Protocol) -> int:
    """How many patients each trial has: as asked, else as the protocol says."""
    n = protocol.enrollment.patients if patients is None else patients
    if n is None or not 2 <= n <= _MOST:
        raise NumberOfPatientsError(n=n, most=_MOST)
    return n


def _check(study: Study, protocol: Protocol) -> None:
    """Refuse before the first trial what would otherwise end the run after it."""
    for field in ("population", "outcomes"):
        if not getattr(protocol, field):
            raise MissingFieldError(path=study.protocol, place="the protocol", field=field)
    read_outcomes(protocol.outcomes)
    for arm, regimens in prescribe(protocol).items():
        for part, full in zip(protocol.arms[arm].treatments, regimens, strict=True):
            for dose in (*part.reductions, *([part.priming.dose] if part.priming else [])):
                Regimen(full.molecule, dose, f"{part.every} days", infusion=part.infusion, slot=part.slot)
    beside = {each.arm for each in study.compare} - {""}  # "" is what compares the arms
    for arm in (*sorted(beside), *([study.curves.arm] if study.curves else [])):
        if arm not in protocol.arms:
            raise StudyArmError(study=study.name, arm=arm, arms=list(protocol.arms))
    known = set(read_evidence(list(study.evidence))["id"]) if study.evidence else set()
    for fact in (fact for beside in study.compare for fact in beside.facts):
        if fact not in known:
            raise NoSuchEvidenceError(column="id", text=fact, known=sorted(known))
    if study.curves:
        drugs = sorted(set(read_curves(study.curves.evidence)["drug"]))
        if study.curves.drug not in drugs:
            raise NoSuchEvidenceError(column="drug", text=study.curves.drug, known=drugs)


def _molecules(protocol: Protocol) -> dict[str, Molecule]:
    """Every molecule that an arm is given, by the name the protocol knows it by."""
    found: dict[str, Molecule] = {}
    for arm in protocol.arms.values():
        for treatment in arm.treatments:
            molecule = treatment.molecule
            known = molecule if isinstance(molecule, Molecule) else read_molecule(molecule)
            if found.setdefault(known.name, known) != known:
                raise MoleculeTwiceError(name=known.name)
    return found


def _plan(
    study: Study,
    protocol: Protocol,
    molecules: Mapping[str, Molecule],
    whom: Whom,
    weighed: WeighedCard | None,
    model: Model,
    n: int,
    seed: int,
    draws: int,
    replicates: int,
    backend: str,
) -> dict[str, Any]:
    """Say what makes this study this study: two with the same plan have the same numbers."""
    return {
        "study": study.model_dump(mode="json"),
        "protocol": protocol.name,
        "patients": n,
        "seed": seed,
        "draws": draws,
        "replicates": replicates,
        "backend": backend,
        "populations": whom.said,
        "weights": None if weighed is None else recorded(weighed),
        "digests": {
            "model": model.digest,
            "protocol": catalog.digest(catalog.find("protocols", study.protocol)),
            **whom.digests,
            **{key: molecule.digest for key, molecule in molecules.items()},
        },
        "versions": {
            "twoarm": twoarm.__version__,
            **{name: version(name) for name in ("numpy", "scipy", "pandas", "lifelines", "llvmlite")},
        },
    }


def _cards(
    molecules: Mapping[str, Molecule], draws: int, seed: int, weighed: WeighedCard | None
) -> dict[str, pd.DataFrame]:
    """Draw every card; one that reports have weighed by its weights."""
    found = {key: draw_cards(molecule, draws, seed) for key, molecule in molecules.items()}
    if weighed is not None:
        whose = molecules.get(weighed.molecule, next(iter(molecules.values())))
        found[whose.name] = resample_cards(weighed, whose, draws, seed=seed)
    return found


def _write_people(folder: Path, place: Path, people: pd.DataFrame, *, shared: bool) -> None:
    """Write the patients once where all trials have the same, else beside each trial."""
    first = folder / "population.csv"
    if not first.is_file():
        files.write_table(people, first)
    if not shared:
        files.write_table(people, place / "population.csv")


def _plain(value: object) -> str | int:
    """Say a value as the attributes of a file can hold it."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value if isinstance(value, int) else str(value)
