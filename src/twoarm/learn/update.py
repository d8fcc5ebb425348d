"""What reports say of an unknown molecule: its card's draws, weighed by how probable each makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import logsumexp

from twoarm import __version__, catalog, chance
from twoarm.check.cohort import Part, predict_cohort
from twoarm.check.endpoints import days_needed
from twoarm.check.ensemble import ensemble_of
from twoarm.check.mapping import Mapped, map_rows
from twoarm.check.plan import FIRST, protocol_of
from twoarm.check.rules import read_rules
from twoarm.errors import NoSuchCohortError, NothingToLearnError
from twoarm.evidence.read import read_evidence
from twoarm.learn.likelihood import log_rate, log_time
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, read_molecule
from twoarm.study import folder as files
from twoarm.study.card import BIOLOGY
from twoarm.trial.conduct import Advance
from twoarm.trial.entry import Card, measured, read_card

Progress = Callable[[str, float], None]
_RESPONSES = ("ORR", "ORR_any")
_SHUFFLES = 2000  # of the weights, for what chance alone would move
_DOUBTS = (1.0, 0.5, 2.0)  # times the stated discrepancy: the first is the answer


class Discrepancy(Card):
    """How far the model may be off whatever the card: on the logit of rates, on the log of times."""

    rate: Annotated[float, measured("", at_least=0)]
    time: Annotated[float, measured("", at_least=0)]


class Looked(Card):
    """A cohort and the looks at it: the last list of rows weighs, those before are superseded."""

    name: str
    label: str
    like: str = ""
    note: str = ""
    cuts: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]


class Update(Card):
    """Which reports weigh which card.

    Attributes
    ----------
    molecule : str
        Whose card.
    evidence : tuple of str
        Tables of facts.
    discrepancy : Discrepancy
        How far the model may be off.
    cohorts : tuple of Looked
        Who was reported.
    """

    name: str
    description: str = ""
    molecule: str
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    discrepancy: Discrepancy
    cohorts: Annotated[tuple[Looked, ...], Field(min_length=1)]


class Learned(NamedTuple):
    """A card before and after reports, in tables; the library's card is untouched.

    Attributes
    ----------
    weights : DataFrame
        `draw weight` and the card of each draw: what a later prediction may be weighed with.
    fields : DataFrame
        `field unit prior_low prior prior_high low middle high contraction shift chance`: 90 % of the draws
        before and after; one minus the ratio of variances; the move of the mean in prior standard deviations;
        and the share of shuffled weights that move it as far.
    predictions : DataFrame
        `row cohort endpoint reported n prior_low prior prior_high low middle high`: cohorts of the reported
        size, 90 % before and after.
    looks : DataFrame
        `cohort cut rows effective discrepancy`: the effective number of draws at each look and each size of
        the discrepancy; cohort "all" has all last looks together.
    draws : DataFrame
        `draw cohort row log_likelihood`: of the last looks.
    """

    weights: pd.DataFrame
    fields: pd.DataFrame
    predictions: pd.DataFrame
    looks: pd.DataFrame
    draws: pd.DataFrame


def read_update(name: str | Path) -> Update:
    """Read which reports weigh which card.

    Parameters
    ----------
    name : str or Path
        In the library, or a TOML file.

    Returns
    -------
    Update
        Frozen.

    Raises
    ------
    NotInLibraryError, FileMissingError
        If there is no such file.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> read_update("ibi363").molecule
    'ibi363'
    """
    return read_card("updates", name, Update)[0]


def update_card(
    update: Update | str | Path,
    folder: str | Path,
    *,
    cohorts: Sequence[str] | None = None,
    draws: int = 64,
    members: int = 2,
    pool: int = 48,
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
        Draws of the card; members of each population; patients of each draw and member.
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
    Each draw is as likely as any other beforehand. A response count is binomial about the simulated rate, and
    the count of those who are controlled without response is binomial among those without; the true rate's
    logit is normal about the model's with the stated discrepancy, and what few simulated patients leave open
    is averaged over. A median is normal on the log about those of simulated cohorts of its size. Members of
    the population are averaged over within a cohort, cohorts are independent given the card. A report that
    the model misses with every draw weighs them all alike: the discrepancy keeps it from choosing one.

    Examples
    --------
    >>> import twoarm as ta
    >>> found = ta.update_card("ibi363", "results/update", draws=32)  # doctest: +SKIP
    >>> found.fields[["field", "contraction", "chance"]]  # doctest: +SKIP
    """
    asked = update if isinstance(update, Update) else read_update(update)
    looked = _chosen(asked, cohorts)
    facts = read_evidence(list(asked.evidence)).set_index("id", drop=False)
    mapped, reasons = map_rows(facts.reset_index(drop=True), read_rules())
    molecule = read_molecule(asked.molecule)
    cards = draw_cards(molecule, draws, seed)
    folder, say = Path(folder), progress or (lambda step, share: None)
    files.claim(folder, _plan(asked, looked, molecule, draws, members, pool, seed))
    if announce is not None:
        announce(
            f"{draws} draws, {members} members of each population and {len(looked)} cohorts: at most "
            f"{draws * members * pool * sum(_parts(mapped, each) for each in looked)} simulated patients"
        )
    days = max(_days(mapped, each) for each in looked)
    seen = {}
    for place, each in enumerate(looked):
        told = partial(_told, say, each.name, place, len(looked))
        seen[each.name] = _predict(
            each, mapped, cards, facts, asked, days, members, pool, seed, folder, told, advance
        )
    say("weighing", 1.0)
    return _learned(asked, looked, molecule, cards, facts, mapped, reasons, seen, pool, seed)


class _Seen(NamedTuple):
    """A cohort's simulated endpoints, and how many patients stand behind a rate."""

    table: pd.DataFrame
    patients: int


def _told(say: Progress, name: str, place: int, of: int, step: str, share: float) -> None:
    say(f"{name}, {step}", (place + share) / of)


def _chosen(update: Update, names: Sequence[str] | None) -> list[Looked]:
    known = {each.name: each for each in update.cohorts}
    for name in names or ():
        if name not in known:
            raise NoSuchCohortError(update=update.name, name=name, known=list(known))
    return [known[name] for name in (names or known)]


def _stand_in(mapped: dict[str, Mapped], each: Looked) -> Mapped | None:
    """Row whose cohort is simulated: its own last look's, or the one that stands in."""
    names = [each.like] if each.like else list(each.cuts[-1])
    return next((mapped[name] for name in names if name in mapped), None)


def _parts(mapped: dict[str, Mapped], each: Looked) -> int:
    row = _stand_in(mapped, each)
    return 0 if row is None else len(row.cohort.parts)


def _days(mapped: dict[str, Mapped], each: Looked) -> float:
    row = _stand_in(mapped, each)
    names = [mapped[name].endpoint for cut in each.cuts for name in cut if name in mapped]
    if row is None or not names:
        return 0.0
    return days_needed(tuple(names), longest=row.cohort.horizon)


def _predict(
    each: Looked,
    mapped: dict[str, Mapped],
    cards: pd.DataFrame,
    facts: pd.DataFrame,
    update: Update,
    days: float,
    members: int,
    pool: int,
    seed: int,
    folder: Path,
    progress: Progress,
    advance: Advance | None,
) -> _Seen | None:
    """Simulate a cohort under every draw of the card."""
    row = _stand_in(mapped, each)
    if row is None:
        return None
    cohort = row.cohort
    last = [facts.loc[name] for name in each.cuts[-1]]
    sizes = [int(fact["n"]) for fact in last if not pd.isna(fact["n"])]
    endpoints = list(dict.fromkeys(_endpoint(mapped, name, facts) for cut in each.cuts for name in cut))
    table = predict_cohort(
        [
            Part(ensemble_of(name, members=members, seed=seed).members, share, cohort.subset)
            for name, share in cohort.parts
        ],
        protocol_of(cohort),
        {update.molecule: cards},
        n=max(sizes) if sizes else cohort.arms[0].n,
        seed=seed,
        pool=pool,
        replicates=20,
        endpoints=[name for name in endpoints if name],
        follow_up=cohort.follow_up,
        days=days or None,
        model=read_model(BIOLOGY),
        keep=folder / "pools",
        advance=advance,
        progress=progress,
    )
    return _Seen(table[table["arm"] == FIRST], pool * len(cohort.parts))


def _endpoint(mapped: dict[str, Mapped], name: str, facts: pd.DataFrame) -> str:
    """Endpoint of a row, also of one whose own population does not exist."""
    if name in mapped:
        return mapped[name].endpoint
    known = str(facts.loc[name, "endpoint"])
    return known if known in ("ORR", "DCR", "mPFS", "mOS", "TRAE_G3plus") else ""


def _plan(
    update: Update,
    looked: Sequence[Looked],
    molecule: Molecule,
    draws: int,
    members: int,
    pool: int,
    seed: int,
) -> dict[str, Any]:
    return {
        "update": update.model_dump(mode="json"),
        "cohorts": [each.name for each in looked],
        "draws": draws,
        "members": members,
        "patients": pool,
        "seed": seed,
        "digests": {
            "model": read_model(BIOLOGY).digest,
            f"card of {molecule.name}": molecule.digest,
            **{
                f"evidence {name}": catalog.digest(catalog.find("evidence", name)) for name in update.evidence
            },
        },
        "versions": {"twoarm": __version__},
    }


def _look(
    each: Looked,
    cut: Sequence[str],
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    seen: _Seen,
    count: int,
    doubt: Discrepancy,
) -> tuple[np.ndarray, list[tuple[int, str, str, float]]]:
    """Log likelihood of one look, draw by draw, and row by row of it."""
    cells = seen.table.groupby(["endpoint", "draw", "member"])["value"].apply(np.array)
    members = sorted(seen.table["member"].unique())
    weights = seen.table.groupby("member")["weight"].first()
    rows: list[tuple[int, str, str, float]] = []
    total = np.full((count, len(members)), 0.0)
    for name in cut:
        fact, endpoint = facts.loc[name], _endpoint(mapped, name, facts)
        if not _speaks(fact) or not endpoint:
            continue
        first = next((other for other in cut if _endpoint(mapped, other, facts) in _RESPONSES), None)
        for draw in range(count):
            for place, member in enumerate(members):
                value = cells[endpoint, draw, member]
                if endpoint == "DCR" and first is not None and _speaks(facts.loc[first]):
                    own = cells[_endpoint(mapped, first, facts), draw, member]
                    log = _log_controlled(fact, facts.loc[first], value, own, seen.patients, doubt.rate)
                elif fact["unit"] == "months":
                    log = log_time(float(fact["value"]), value, doubt.time)
                else:
                    events, n = _counts(fact)
                    log = log_rate(events, n, float(value.mean()) / 100, seen.patients, doubt.rate)
                total[draw, place] += log
                rows.append((draw, each.name, name, log))
    logs = logsumexp(total + np.log(weights[members].to_numpy())[None, :], axis=1)
    return logs, rows


def _log_controlled(
    fact: pd.Series, first: pd.Series, value: np.ndarray, own: np.ndarray, patients: int, doubt: float
) -> float:
    """Disease control given response: those without response who are controlled."""
    (controlled, n), (responded, _) = _counts(fact), _counts(first)
    response, control = float(own.mean()) / 100, float(value.mean()) / 100
    left = max(1 - response, 1.0 / patients)
    share = min(max((control - response) / left, 0.0), 1.0)
    return log_rate(max(controlled - responded, 0.0), n - responded, share, patients * left, doubt)


def _counts(fact: pd.Series) -> tuple[float, float]:
    n = float(fact["n"])
    events = float(fact["events"]) if not pd.isna(fact["events"]) else round(float(fact["value"]) * n / 100)
    return events, n


def _speaks(fact: pd.Series) -> bool:
    """Whether a report may weigh: verified, with a value and a number of patients."""
    return bool(fact["verified"]) and not pd.isna(fact["value"]) and not pd.isna(fact["n"])


def _learned(
    update: Update,
    looked: Sequence[Looked],
    molecule: Molecule,
    cards: pd.DataFrame,
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    reasons: dict[str, str],
    seen: dict[str, _Seen | None],
    pool: int,
    seed: int,
) -> Learned:
    """Weigh, and say it in tables."""
    count, looks = len(cards), []
    kept: list[tuple[int, str, str, float]] = []
    totals = {}
    for doubt in _DOUBTS:
        scaled = Discrepancy(rate=doubt * update.discrepancy.rate, time=doubt * update.discrepancy.time)
        total = np.zeros(count)
        for each in looked:
            found = seen[each.name]
            if found is None:
                continue
            for number, cut in enumerate(each.cuts):
                last = number == len(each.cuts) - 1
                if not last and doubt != _DOUBTS[0]:
                    continue
                logs, rows = _look(each, cut, facts, mapped, found, count, scaled)
                if rows:
                    looks.append((each.name, number + 1, ", ".join(cut), _effective(logs), doubt))
                if last:
                    total += logs
                    kept += rows if doubt == _DOUBTS[0] else []
        looks.append(("all", 0, "", _effective(total), doubt))
        totals[doubt] = total
    if not kept:
        why = "; ".join(f"{name}: {said}" for name, said in reasons.items() if _asked_for(looked, name))
        raise NothingToLearnError(cohorts=[each.name for each in looked], why=why or "nothing speaks")
    weight = _weights(totals[_DOUBTS[0]])
    table = pd.DataFrame({"draw": np.arange(count), "weight": weight})
    draws = pd.DataFrame(kept, columns=["draw", "cohort", "row", "log_likelihood"])
    return Learned(
        weights=pd.concat([table, cards.reset_index(drop=True)], axis=1),
        fields=_fields(molecule, cards, weight, seed),
        predictions=_predictions(looked, facts, mapped, seen, weight),
        looks=pd.DataFrame(looks, columns=["cohort", "cut", "rows", "effective", "discrepancy"]),
        draws=draws.groupby(["draw", "cohort", "row"], sort=False, as_index=False)["log_likelihood"].mean(),
    )


def _asked_for(looked: Sequence[Looked], name: str) -> bool:
    return any(name in cut for each in looked for cut in each.cuts)


def _weights(logs: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(logs - logsumexp(logs)))


def _effective(logs: np.ndarray) -> float:
    """Effective number of draws: how many equally weighted ones would tell as much."""
    weight = _weights(logs)
    return float(1 / np.sum(weight**2))


def _fields(molecule: Molecule, cards: pd.DataFrame, weight: np.ndarray, seed: int) -> pd.DataFrame:
    """Each entry of the card before and after."""
    shuffles = chance.generator(seed, "shuffled weights")
    orders = np.array([shuffles.permutation(len(weight)) for _ in range(_SHUFFLES)])
    rows = []
    for field, entry in molecule.entries().items():
        if not entry.is_drawn:
            continue
        value = cards[field].to_numpy(float)
        on = np.log(value) if entry.scale == "log" else value
        spread = on.std()
        if spread == 0:
            continue
        mean = float(weight @ on)
        shift = (mean - on.mean()) / spread
        contraction = 1 - float(weight @ (on - mean) ** 2) / spread**2
        by_chance = np.abs(weight[orders] @ on - on.mean()) / spread
        share = float(np.mean(by_chance >= abs(shift) - 1e-12))
        ends = [*_quantiles(value, np.full(len(value), 1 / len(value))), *_quantiles(value, weight)]
        rows.append((field, entry.unit, *ends, contraction, shift, share))
    columns = ["field", "unit", "prior_low", "prior", "prior_high", "low", "middle", "high"]
    return pd.DataFrame(rows, columns=[*columns, "contraction", "shift", "chance"])


def _quantiles(values: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """5, 50 and 95 % of weighted values; infinite ones last."""
    order = np.argsort(values)
    below = np.cumsum(weight[order]) - 0.5 * weight[order]
    at = [
        float(values[order][np.searchsorted(below, level).clip(0, len(values) - 1)])
        for level in (0.05, 0.5, 0.95)
    ]
    return at[0], at[1], at[2]


def _predictions(
    looked: Sequence[Looked],
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    seen: dict[str, _Seen | None],
    weight: np.ndarray,
) -> pd.DataFrame:
    """Cohorts of the reported size before and after, beside what was reported."""
    rows = []
    for each in looked:
        found = seen[each.name]
        if found is None:
            continue
        for name in each.cuts[-1]:
            endpoint = _endpoint(mapped, name, facts)
            part = found.table[(found.table["endpoint"] == endpoint) & found.table["value"].notna()]
            if not endpoint or part.empty:
                continue
            value, before = part["value"].to_numpy(float), part["weight"].to_numpy(float)
            after = before * weight[part["draw"].to_numpy(int)]
            ends = [*_quantiles(value, before / before.sum()), *_quantiles(value, after / after.sum())]
            fact = facts.loc[name]
            reported = mapped[name].value if name in mapped else float(fact["value"])
            rows.append((name, each.name, endpoint, reported, fact["n"], *ends))
    columns = ["row", "cohort", "endpoint", "reported", "n", "prior_low", "prior", "prior_high"]
    return pd.DataFrame(rows, columns=[*columns, "low", "middle", "high"])
