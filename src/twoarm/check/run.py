"""Check: every row of evidence beside its prediction, misses first, and how often intervals held."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.check.between import estimate_spreads, read_between, spreads_table
from twoarm.check.cohort import predict_asked
from twoarm.check.ensemble import Which, ensemble_of
from twoarm.check.mapping import Mapped, map_rows
from twoarm.check.naive import naive_intervals
from twoarm.check.plan import Planned, gather, is_ranged, plan, requests_of
from twoarm.check.pool import Request, kept_at, simulate_pool, twins_of
from twoarm.check.rules import read_rules
from twoarm.check.score import coverage, score_row, widths_of
from twoarm.check.widths import split_width
from twoarm.errors import NothingToCheckError
from twoarm.evidence.compare import select_evidence
from twoarm.evidence.read import read_evidence
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.study import folder as files
from twoarm.study.card import BIOLOGY
from twoarm.trial.conduct import Advance

EVIDENCE = ("comparators", "oak_squamous", "ibi363")
TABLE, MISSING = "predicted.csv", "not_predicted.csv"
COVERAGE, WIDTHS, BETWEEN = "coverage.csv", "widths.csv", "between.csv"
KNOWN, RANGED = "cards that are known", "cards that are ranges"
"""Groups of rows over which coverage is counted: comparators, and molecules whose card is a set of ranges."""
_POOLS = "pools"
_SECONDS = (
    0.02  # a patient of a trial on one core: 13 to 27 ms, by how often doses are given (decisions/0019)
)
_CARRIED = (
    *("id", "drug", "tumor", "histology", "line", "prior_io", "biomarker_subset", "trial_name"),
    *("n", "use", "verified"),
)

_COVERED = ("nominal", "observed", "rows", "inside", "low", "high")

Progress = Callable[[str, float], None]


class Checked(NamedTuple):
    """What a check found.

    Attributes
    ----------
    table : DataFrame
        A row a predicted fact, misses first: the fact's columns; `regimen populations ensemble endpoint
        reported predicted low high` (90 % interval at the cohort's n); `rank z verdict inside_50` to
        `inside_95`; `card population trial patients sampling` (shares of the variance, `split_width`);
        `naive_low naive_high naive_rows`; `which` (of `KNOWN`, `RANGED`); `scored` (False where n is not
        stated, or the fact is not verified) and `notes`.
    missing : DataFrame
        `id drug endpoint reason` of every fact that is not predicted.
    coverage : DataFrame
        `which nominal observed rows inside low high`, over the rows of `counted`, comparators and molecules
        whose card is a range apart.
    widths : DataFrame
        `unit rows predicted naive_rows predicted_there naive_there naive_inside`: median width of the 90 %
        intervals, in percentage points, or upper over lower end; then the same for rows where other trials
        can be pooled, beside the width and coverage of that.
    between : DataFrame
        `family spread low high groups trials`: how much trials differ, from rows that do not validate.
    counted : str
        Which rows are counted, in words.
    """

    table: pd.DataFrame
    missing: pd.DataFrame
    coverage: pd.DataFrame
    widths: pd.DataFrame
    between: pd.DataFrame
    counted: str


class Cost(NamedTuple):
    """What a check has to simulate.

    Attributes
    ----------
    rows, cohorts, pools, patients : int
        Rows that are predicted, cohorts they are about, pools that are not kept yet, and their patients,
        those who are followed twice counted twice.
    """

    rows: int
    cohorts: int
    pools: int
    patients: int

    @property
    def minutes(self) -> float:
        """Time on one core, by what a patient took when this was measured."""
        return self.patients * _SECONDS / 60


def check_evidence(
    evidence: str | Path | Sequence[str | Path] = EVIDENCE,
    folder: str | Path = "results/check",
    *,
    use: str | None = None,
    drug: str | None = None,
    draws: int = 6,
    members: int = 8,
    replicates: int = 50,
    pool: int = 128,
    seed: int = 1,
    populations: Which = "frozen",
    rules: str | Path = "clinic",
    workers: int = 1,
    advance: Advance | None = None,
    tell: Callable[[Cost], None] | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Predict every row of evidence that can be, at the size of its cohort, and lay the report beside it.

    Parameters
    ----------
    evidence : str, Path or a sequence of them
        Tables of the library, or CSV files of the same shape.
    folder : str or Path
        Where tables and pools of patients are written; what it holds is used again.
    use : {"validate", "calibrate", "none"}, optional
        Only rows of that use.
    drug : str, optional
        Only rows of that drug.
    draws, members : int
        Draws of a card that is a range, and members of each population; of a card that is a range, each
        draw has half the members, and pools have half the patients.
    replicates, pool : int
        As `predict_cohort`.
    seed : int
        Same seed, same numbers.
    populations : {"frozen", "prior"}
        Frozen populations where they are, or priors everywhere.
    rules : str or Path
        The mapping.
    workers : int
        Processes.
    advance : callable, optional
        Stands in for the engine, in tests; with it there is one process.
    tell : callable, optional
        Called once with the `Cost`, before anything is simulated.
    progress : callable, optional
        Called with what is being done and the share of it that is done.

    Returns
    -------
    Checked
        Written to the folder too, as `predicted.csv`, `not_predicted.csv`, `coverage.csv`, `widths.csv` and
        `between.csv`.

    Raises
    ------
    NothingToCheckError
        If no row can be predicted.
    NoSuchEvidenceError
        If no row is of that use or drug.
    EvidenceColumnError
        If a table lacks a column, or has one too many.

    Examples
    --------
    >>> import twoarm as ta
    >>> found = ta.check_evidence("rows.csv", "results/check")  # doctest: +SKIP
    """
    folder, say = Path(folder), progress or (lambda step, share: None)
    facts = read_evidence(evidence, broken="list")
    broken = facts.attrs["broken"]
    chosen = select_evidence(facts, use=use, drug=drug)
    known = read_rules(rules)
    mapped, reasons = map_rows(facts, known)
    mapped = {name: row for name, row in mapped.items() if name in set(chosen["id"])}
    missing = _missing(chosen, reasons, broken)
    if not mapped:
        raise NothingToCheckError(rows=len(chosen) + len(broken), reasons=list(missing["reason"].unique()))
    files.claim(folder, {"kind": "check"})
    cohorts = gather(mapped)
    names = sorted({population for cohort in cohorts for population, _ in cohort.parts})
    each = partial(ensemble_of, seed=seed, which=populations)
    ensembles = {
        name: (each(name, members=members), each(name, members=max(members // 2, 2))) for name in names
    }
    between = estimate_spreads(read_between(), known)
    how = {"draws": draws, "replicates": replicates, "pool": pool, "seed": seed}
    planned = plan(cohorts, ensembles, between=between, **how)
    model = read_model(BIOLOGY)
    keep = folder / _POOLS
    _warm(planned, model, keep, workers, advance, len(mapped), tell, say)
    found: list[dict[str, object]] = []
    for number, one in enumerate(planned):
        say(f"cohort {number + 1} of {len(planned)}", number / len(planned))
        found += _rows(one, mapped, facts, model, keep, advance)
    sources = {name: ensembles[name][0].source for name in names}
    table = _table(found, facts, mapped, sources)
    counted, words = rows_counted(table)
    spreads = spreads_table(between)
    checked = Checked(table, missing, _coverages(counted), widths_of(counted), spreads, words)
    told = {TABLE: table, MISSING: missing, COVERAGE: checked.coverage, WIDTHS: checked.widths}
    told[BETWEEN] = spreads
    for name, content in told.items():
        files.write_table(content, folder / name, index=False)
    say("done", 1.0)
    return checked


def rows_counted(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Choose the rows over which coverage is counted.

    Parameters
    ----------
    table : DataFrame
        `scored use` and the rest.

    Returns
    -------
    rows : DataFrame
        Those that validate; where none does, all that are scored and were not fitted.
    words : str
        Which.
    """
    scored = table[table["scored"]]
    validating = scored[scored["use"] == "validate"]
    if len(validating):
        return validating, "validate"
    return scored[scored["use"] != "calibrate"], "are scored and not fitted; none is marked to validate"


def _coverages(counted: pd.DataFrame) -> pd.DataFrame:
    """Coverage of comparators, then of molecules whose card is a range."""
    found = [
        coverage(own).assign(which=which)[["which", *_COVERED]]
        for which in (KNOWN, RANGED)
        if len(own := counted[counted["which"] == which])
    ]
    return pd.concat(found, ignore_index=True) if found else coverage(counted).assign(which=KNOWN)


def _missing(chosen: pd.DataFrame, reasons: dict[str, str], broken: list[tuple[str, str]]) -> pd.DataFrame:
    """Say of every row that is not predicted why."""
    own = chosen[chosen["id"].isin(reasons.keys())]
    rows = [(row.id, row.drug, row.endpoint, reasons[row.id]) for row in own.itertuples()]
    rows += [(name, "", "", f"not read: {what}") for name, what in broken]
    return pd.DataFrame(rows, columns=["id", "drug", "endpoint", "reason"])


def _warm(
    planned: Sequence[Planned],
    model: Model,
    keep: Path,
    workers: int,
    advance: Advance | None,
    rows: int,
    tell: Callable[[Cost], None] | None,
    say: Progress,
) -> None:
    """Simulate the pools that are not kept yet."""
    waiting: dict[Path, Request] = {}
    for request in requests_of(planned):
        place = kept_at(request, model, keep)
        if not place.is_file():
            waiting.setdefault(place, request)
    patients = sum(request.size + twins_of(request.size) for request in waiting.values())
    cost = Cost(rows, len(planned), len(waiting), patients)
    if tell is not None:
        tell(cost)
    started = time.monotonic()
    for done, _ in enumerate(_each(list(waiting.values()), model, keep, workers, advance), 1):
        left = (time.monotonic() - started) / done * (len(waiting) - done) / 60
        say(f"pool {done} of {len(waiting)}, {left:.1f} min left", done / len(waiting))


def _each(
    requests: Sequence[Request], model: Model, keep: Path, workers: int, advance: Advance | None
) -> Iterator[None]:
    """Simulate pools, here or in processes; each is on disk when it is done."""
    if workers < 2 or advance is not None:
        for request in requests:
            simulate_pool(request, model=model, keep=keep, advance=advance)
            yield
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_open) as crew:
        try:
            for ended in as_completed([crew.submit(_one, request, keep) for request in requests]):
                ended.result()
                yield
        finally:
            crew.shutdown(cancel_futures=True)


_OPENED: list[Model] = []


def _open() -> None:
    _OPENED.append(read_model(BIOLOGY))


def _one(request: Request, keep: Path) -> None:
    simulate_pool(request, model=_OPENED[0], keep=keep)


def _rows(
    one: Planned,
    mapped: dict[str, Mapped],
    facts: pd.DataFrame,
    model: Model,
    keep: Path,
    advance: Advance | None,
) -> list[dict[str, object]]:
    """Score the rows of one cohort."""
    cohorts = predict_asked(one.ask, model=model, keep=keep, advance=advance)
    widths = split_width(cohorts).set_index(["endpoint", "arm"])
    own = facts.set_index("id")
    found = []
    for name, endpoint in one.rows.items():
        arm = "" if cohorts.attrs["units"][endpoint] == "ratio" else "first"
        part = cohorts[(cohorts["endpoint"] == endpoint) & (cohorts["arm"] == arm)]
        row, unit = mapped[name], cohorts.attrs["units"][endpoint]
        scores = score_row(part["value"].to_numpy(float), part["weight"].to_numpy(float), row.value, unit)
        told = {
            "id": name,
            "regimen": " against ".join(arm.label for arm in one.cohort.arms),
            "populations": "; ".join(f"{population} {share:g}" for population, share in one.cohort.parts),
            "endpoint": endpoint,
            "unit": unit,  # of the endpoint: a count of patients is a share by now
            "reported": row.value,
            "which": RANGED if is_ranged(one.cohort) else KNOWN,
            "scored": row.scored and bool(own.loc[name, "verified"]) and bool(scores),
            "notes": "; ".join(row.notes),
        }
        shares = widths.loc[(endpoint, arm)].to_dict()
        found.append({**told, **scores, **shares})
    return found


def _table(
    found: list[dict[str, object]], facts: pd.DataFrame, mapped: dict[str, Mapped], sources: dict[str, str]
) -> pd.DataFrame:
    """Put the scored rows beside what the facts say, misses first."""
    scored = pd.DataFrame(found)
    own = facts[list(_CARRIED)].merge(scored, on="id", how="right")
    inside = own["inside_90"].map({1.0: "inside", 0.0: "outside"}).fillna("no prediction")
    own["verdict"] = np.where(own["scored"], inside, inside + ", not scored")
    own["ensemble"] = [
        "; ".join(dict.fromkeys(sources[population] for population, _ in mapped[name].cohort.parts))
        for name in own["id"]
    ]
    sure = facts[facts["id"].isin(mapped.keys()) & facts["verified"]]
    groups = {name: _group(name, row, facts) for name, row in mapped.items()}
    sure = sure.assign(group=sure["id"].map(groups))
    beside = own[["id", "trial_name"]].assign(group=own["id"].map(groups))
    own = own.merge(naive_intervals(beside, sure), left_on="id", right_index=True, how="left")
    order = own.assign(
        first=~own["scored"], second=own["inside_90"].fillna(1.0), third=-own["z"].abs().fillna(0.0)
    )
    return own.loc[order.sort_values(["first", "second", "third", "id"]).index].reset_index(drop=True)


def _group(name: str, row: Mapped, facts: pd.DataFrame) -> str:
    """Name what a row shares with the others it is pooled with: agent, setting, subset and endpoint."""
    drug = str(facts.loc[facts["id"] == name, "drug"].iloc[0]).lower()
    return " | ".join([drug, row.setting, str(row.cohort.subset), row.endpoint])
