"""What reports say of an unknown molecule: its card's draws, weighed by how probable each makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from twoarm import __version__, catalog
from twoarm.check.between import estimate_spreads, read_between
from twoarm.check.mapping import Mapped, map_rows
from twoarm.check.rules import read_rules
from twoarm.errors import NoSuchCohortError, NothingToLearnError
from twoarm.evidence.read import read_evidence
from twoarm.frozen import frozen_files, frozen_names
from twoarm.learn.beside import side_by_side
from twoarm.learn.fields import Emulated, emulated_fields, fields_of
from twoarm.learn.looks import effective, log_look, weights_of
from twoarm.learn.reports import Looked, Update, endpoint_of, read_update, stands_for
from twoarm.learn.seen import How, Seen, days_of, see_cohort
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, read_molecule
from twoarm.study import folder as files
from twoarm.study.card import BIOLOGY
from twoarm.trial.conduct import Advance

Progress = Callable[[str, float], None]
_DOUBTS = (1.0, 0.5, 2.0)  # times the stated discrepancy: the first is the answer


class Learned(NamedTuple):
    """A card before and after reports, in tables; the library's card is untouched.

    Attributes
    ----------
    weights : DataFrame
        `draw weight` and the card of each draw: what a later prediction may be weighed with.
    fields : DataFrame
        From `fields_of`.
    emulated : Emulated
        The same through an emulator of the log likelihood.
    predictions : DataFrame
        From `side_by_side`.
    looks : DataFrame
        `cohort cut rows effective discrepancy`: the effective number of draws at each look and each size of
        the discrepancy; cohort "all" has all last looks together.
    draws : DataFrame
        `draw cohort row log_likelihood`: of the last looks.
    sources : dict of str to str
        Populations, and where their members are from.
    """

    weights: pd.DataFrame
    fields: pd.DataFrame
    emulated: Emulated
    predictions: pd.DataFrame
    looks: pd.DataFrame
    draws: pd.DataFrame
    sources: dict[str, str]


def update_card(
    update: Update | str | Path,
    folder: str | Path,
    *,
    cohorts: Sequence[str] | None = None,
    draws: int = 128,
    members: int = 32,
    pool: int = 16,
    seed: int = 11,
    announce: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    advance: Advance | None = None,
) -> Learned:
    """Weigh the draws of a card by reports of the molecule.

    Parameters
    ----------
    update : Update, str or Path
        Which reports, and the discrepancy.
    folder : str or Path
        Where simulated patients are kept: the same call goes on where it was interrupted.
    cohorts : sequence of str, optional
        Names of the update's cohorts; all if left out.
    draws, members, pool : int
        Draws of the card; members of each population, with which draws are paired in turn; patients of each
        draw and population.
    seed : int
        Same seed, same numbers.
    announce : callable, optional
        Told the cost before it begins.
    progress : callable, optional
        Told the step and the share done.
    advance : callable, optional
        Stands in for the engine, in tests.

    Returns
    -------
    Learned
        Tables.

    Raises
    ------
    NoSuchCohortError
        If the update has no such cohort.
    NothingToLearnError
        If no report can weigh a draw.
    OtherStudyError, FolderInUseError, NotWrittenError
        As of the folder of a run.

    Notes
    -----
    Each draw is as likely as any other beforehand, and has a member of the population of its own: weights go
    to the pair, and what they leave of the card is averaged over the population. A response count is binomial
    about the simulated rate, and the count of those who are controlled without response is binomial among
    those without; the true rate's logit is normal about the model's with the stated discrepancy, and what few
    simulated patients leave open is averaged over. A median is normal on the log about those of simulated
    cohorts of its size. Cohorts are independent given the draw. A report that the model misses with every
    draw weighs them all alike: the discrepancy keeps it from choosing one.

    Examples
    --------
    >>> import twoarm as ta
    >>> found = ta.update_card("ibi363", "results/update")  # doctest: +SKIP
    >>> found.predictions[["row", "reported", "stated_low", "stated_high", "all_low"]]  # doctest: +SKIP
    """
    asked = update if isinstance(update, Update) else read_update(update)
    looked = _chosen(asked, cohorts)
    facts = read_evidence(list(asked.evidence)).set_index("id", drop=False)
    rules = read_rules()
    mapped, reasons = map_rows(facts.reset_index(drop=True), rules)
    molecule = read_molecule(asked.molecule)
    folder, say = Path(folder), progress or (lambda step, share: None)
    populations = _populations(mapped, looked)
    how = How(
        molecule=molecule.name,
        cards=draw_cards(molecule, draws, seed),
        members=min(members, draws),
        pool=pool,
        seed=seed,
        days=max(days_of(mapped, each) for each in looked),
        spreads=estimate_spreads(read_between(), rules),
        model=read_model(BIOLOGY),
        keep=folder / "pools",
        advance=advance,
    )
    files.claim(folder, _plan(asked, looked, molecule, how, draws, populations))
    if announce is not None:
        announce(
            f"{draws} draws of the card, each with one of {how.members} members of each population, and "
            f"{len(looked)} cohorts: at most {draws * pool * len(populations) * 5 // 4} simulated patients "
            "of each dose (one in four twice)"
        )
    seen = {}
    for place, each in enumerate(looked):
        told = partial(_told, say, each.name, place, len(looked))
        seen[each.name] = see_cohort(each, mapped, facts, how, told)
    say("weighing", 1.0)
    return _learned(asked, looked, molecule, how, facts, mapped, reasons, seen)


def _told(say: Progress, name: str, place: int, of: int, step: str, share: float) -> None:
    say(f"{name}, {step}", (place + share) / of)


def _chosen(update: Update, names: Sequence[str] | None) -> list[Looked]:
    known = {each.name: each for each in update.cohorts}
    for name in names or ():
        if name not in known:
            raise NoSuchCohortError(update=update.name, name=name, known=list(known))
    return [known[name] for name in (names or known)]


def _populations(mapped: dict[str, Mapped], looked: Sequence[Looked]) -> list[str]:
    """Name the populations whose patients are simulated."""
    rows = [row for each in looked if (row := stands_for(mapped, each)) is not None]
    return sorted({name for row in rows for name, _ in row.cohort.parts})


def _plan(
    update: Update,
    looked: Sequence[Looked],
    molecule: Molecule,
    how: How,
    draws: int,
    populations: Sequence[str],
) -> dict[str, Any]:
    frozen = frozen_names()
    posterior = {
        f"population {name}": catalog.digest(frozen_files(name)["ensemble"])
        for name in populations
        if name in frozen
    }
    return {
        "update": update.model_dump(mode="json"),
        "cohorts": [each.name for each in looked],
        "draws": draws,
        "members": how.members,
        "patients": how.pool,
        "seed": how.seed,
        "digests": {
            "model": how.model.digest,
            f"card of {molecule.name}": molecule.digest,
            **posterior,
            **{
                f"evidence {name}": catalog.digest(catalog.find("evidence", name)) for name in update.evidence
            },
        },
        "versions": {"twoarm": __version__},
    }


def _learned(
    update: Update,
    looked: Sequence[Looked],
    molecule: Molecule,
    how: How,
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    reasons: Mapping[str, str],
    seen: dict[str, Seen | None],
) -> Learned:
    """Weigh, and say it in tables."""
    looks: list[tuple[str, int, str, float, float]] = []
    kept: list[tuple[int, str, str, float]] = []
    last: dict[str, np.ndarray] = {}
    for factor in _DOUBTS:
        logs = _logs(update, looked, facts, mapped, seen, factor, looks, kept)
        last = last or logs
        if logs:
            looks.append(("all", 0, "", effective(np.sum(list(logs.values()), axis=0)), factor))
    if not last:
        why = "; ".join(f"{name}: {said}" for name, said in reasons.items() if _asked_for(looked, name))
        raise NothingToLearnError(cohorts=[each.name for each in looked], why=why or "nothing speaks")
    total = np.asarray(np.sum(list(last.values()), axis=0))
    weight = weights_of(total)
    table = pd.DataFrame({"draw": np.arange(len(how.cards)), "weight": weight})
    sources: dict[str, str] = {}
    for one in seen.values():
        sources |= one.sources if one is not None else {}
    return Learned(
        weights=pd.concat([table, how.cards.reset_index(drop=True)], axis=1),
        fields=fields_of(molecule, how.cards, weight, how.seed),
        emulated=emulated_fields(molecule, how.cards, total, how.seed),
        predictions=side_by_side(looked, facts, mapped, seen, last),
        looks=pd.DataFrame(looks, columns=["cohort", "cut", "rows", "effective", "discrepancy"]),
        draws=pd.DataFrame(kept, columns=["draw", "cohort", "row", "log_likelihood"]),
        sources=sources,
    )


def _logs(
    update: Update,
    looked: Sequence[Looked],
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    seen: Mapping[str, Seen | None],
    factor: float,
    looks: list[tuple[str, int, str, float, float]],
    kept: list[tuple[int, str, str, float]],
) -> dict[str, np.ndarray]:
    """Log likelihoods of the last looks by cohort, under so many times the discrepancy; looks are noted."""
    found = {}
    endpoints = partial(_endpoint, mapped, facts)
    doubt = update.discrepancy.times(factor)
    for each in looked:
        one = seen[each.name]
        if one is None or not each.weighs:
            continue
        for number, cut in enumerate(each.cuts, 1):
            last = number == len(each.cuts)
            if not last and factor != _DOUBTS[0]:
                continue
            logs, rows = log_look(cut, facts, endpoints, one, doubt)
            if not rows:
                continue
            looks.append((each.name, number, ", ".join(cut), effective(logs), factor))
            if last:
                found[each.name] = logs
                kept += [(draw, each.name, row, log) for draw, row, log in rows if factor == _DOUBTS[0]]
    return found


def _endpoint(mapped: dict[str, Mapped], facts: pd.DataFrame, name: str) -> str:
    return endpoint_of(mapped, name, facts)


def _asked_for(looked: Sequence[Looked], name: str) -> bool:
    return any(name in cut for each in looked for cut in each.cuts)
