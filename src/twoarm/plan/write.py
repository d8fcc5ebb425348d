"""Plan a trial into a folder: pools, tables and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from twoarm.design.card import Planned
from twoarm.errors import SimulationInputError
from twoarm.patients.population import Population
from twoarm.plan.climb import check_escalation, plan_escalation
from twoarm.plan.compare import PLANNED, Compared, compare_arms, planned_of
from twoarm.plan.operate import boundaries_of
from twoarm.plan.rates import Disease, plan_baskets, plan_rates, stages_of
from twoarm.plan.run import Asked, Progress, claim, make_pools, read_plan
from twoarm.plan.tell import plan_page
from twoarm.plan.tell_rates import escalation_page, rates_page
from twoarm.plan.vary import (
    Scenario,
    check_vary,
    design_of,
    dropout_of,
    enrollment_of,
    protocol_of,
    read_vary,
)
from twoarm.study import folder as files
from twoarm.trial.conduct import Advance
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.prescribe import prescribe
from twoarm.trial.protocol import Protocol

OPERATING, NULL, BOUNDARIES = "operating.csv", "type_one.csv", "boundaries.csv"
TRIALS = "trials"  # batches of drawn trials, to go on from
RATIOS, CURVES, INPUTS, DOSES = "ratios.csv", "survival.csv", "inputs.csv", "doses.csv"


def plan_trial(
    name: str | Path,
    folder: str | Path,
    *,
    design: str | Path | None = None,
    replicates: int = 2000,
    vary: Sequence[str] = (),
    seed: int = 11,
    draws: int = 8,
    pool: int = 1000,
    null: int | None = None,
    population: str | Path | Population | None = None,
    frozen: bool = False,
    backend: str = "auto",
    advance: Advance | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Plan a trial: what its design does, from virtual patients simulated once.

    Parameters
    ----------
    name : str or Path
        A design that names its protocol, a protocol or a study; of the library, or a file.
    folder : str or Path
        Where to write; patients that are there are kept, so that an interrupted plan goes on.
    design : str or Path, optional
        The design of a protocol; left out, one analysis at the protocol's number of events.
    replicates : int
        Trials of each scenario and draw.
    vary : sequence of str
        As "n=300:900:100"; several are crossed.
    seed : int
        Same seed, same numbers.
    draws : int
        Of the molecules' cards (and of the population, where it is frozen).
    pool : int
        Virtual patients of each arm that trials are drawn from.
    null : int, optional
        Trials without a difference, for the type I error; left out, as many as `replicates`.
    population : str, Path or Population, optional
        Instead of the protocol's.
    frozen : bool
        Take the calibrated population of that name, with its posterior.
    backend : str
        As of `simulate`.
    advance : callable, optional
        Stands in for the engine, in tests.
    progress : callable, optional
        Told the step and the share done.

    Returns
    -------
    DataFrame
        `scenario quantity value low high`: mean over draws, and 90 % of the draws. The folder then holds
        `report.html`, the tables, and what an interrupted plan goes on from: `pool/` and `trials/`.

    Raises
    ------
    EventsOutOfReachError, EventsAbovePatientsError, LookOrderError, LookAfterEndError, EmptyStratumError, \
DesignArmError, DesignKindError, VaryError, PoolSizeError
        If the design cannot be.
    OtherStudyError, FolderInUseError, NotWrittenError
        If the folder holds something else.
    TwoarmError
        As the verbs that it calls.

    Examples
    --------
    >>> import twoarm as ta
    >>> table = ta.plan_trial("marslight-11", "results/plan", replicates=200, pool=100)  # doctest: +SKIP
    """
    if replicates < 2:
        rule = "It must be 2 or above. Pass, as an example, 2000."
        raise SimulationInputError(what="replicates", value=replicates, rule=rule)
    place = Path(folder)
    scenarios = read_vary(vary) if vary else []
    asked = read_plan(
        name, design=design, population=population, frozen=frozen, seed=seed, draws=draws, pool=pool
    )
    check_vary(scenarios, asked.planned.design.kind)
    for scenario in (PLANNED, *scenarios):
        _refuse(asked, scenario)
    claim(asked, place)
    work = _Work(asked, place, advance, backend, progress)
    kind = asked.planned.design.kind
    if kind == "comparison":
        found = _comparison(work, scenarios, replicates, null or replicates)
    elif kind == "escalation":
        found = _escalation(work, scenarios, replicates)
    else:
        found = _rates(work, scenarios)
    work.tell("done", 1.0)
    return found


def summary_of(operating: pd.DataFrame) -> pd.DataFrame:
    """Mean of each quantity over draws, with 90 % of the draws.

    Parameters
    ----------
    operating : DataFrame
        `scenario draw quantity value`.

    Returns
    -------
    DataFrame
        `scenario quantity value low high`, scenarios and quantities as they come.

    Examples
    --------
    >>> rows = pd.DataFrame(
    ...     {"scenario": "as planned", "draw": [0, 1], "quantity": "power", "value": [0.8, 0.9]}
    ... )
    >>> summary_of(rows)["value"].round(2).tolist()
    [0.85]
    """
    groups = operating.groupby(["scenario", "quantity"], sort=False)["value"]
    table = pd.DataFrame(
        {"value": groups.mean(), "low": groups.quantile(0.05), "high": groups.quantile(0.95)}
    )
    return table.reset_index()


class _Work:
    """One plan under way: what it needs again and again."""

    def __init__(
        self, asked: Asked, place: Path, advance: Advance | None, backend: str, progress: Progress | None
    ) -> None:
        self.asked, self.place, self.advance, self.backend = asked, place, advance, backend
        self._progress = progress
        self._pools: dict[Any, Any] = {}

    def tell(self, step: str, share: float) -> None:
        if self._progress is not None:
            self._progress(step, share)

    def pools(self, arms: Sequence[str], scenario: Scenario = PLANNED) -> Any:
        """Pools of a scenario; those of other settings are the same patients."""
        key = (tuple(arms), scenario.regimen)
        if key not in self._pools:
            self._pools[key] = make_pools(
                self.asked,
                self.place,
                arms=arms,
                scenario=scenario,
                advance=self.advance,
                backend=self.backend,
                progress=None if self._progress is None else lambda step, share: self.tell(step, 0.7 * share),
            )
        return self._pools[key]


def _comparison(work: _Work, scenarios: Sequence[Scenario], replicates: int, null: int) -> pd.DataFrame:
    asked = work.asked
    arms = (asked.planned.experimental, asked.planned.control)
    found: Compared = compare_arms(
        asked,
        lambda scenario: work.pools(arms, scenario),
        scenarios,
        replicates=replicates,
        null=null,
        tell=lambda step, share: work.tell(step, 0.7 + 0.29 * share),
        keep=work.place / TRIALS,
    )
    for table, file in (
        (found.operating, OPERATING),
        (found.null, NULL),
        (found.boundaries, BOUNDARIES),
        (found.ratios, RATIOS),
        (found.curves, CURVES),
        (found.inputs, INPUTS),
    ):
        files.write_table(table, work.place / file, index=False)
    summary = summary_of(found.operating)
    _write(work, plan_page(asked, found, summary), dict(found.facts), replicates)
    return summary


def _refuse(asked: Asked, scenario: Scenario) -> None:
    """Refuse what cannot be, before anybody is simulated."""
    planned = _planned(asked, scenario)
    if planned.design.kind == "comparison":
        boundaries_of(planned_of(asked, scenario))
    elif planned.design.kind == "escalation":
        check_escalation(planned)
    else:
        stages_of(planned, max(len(planned.design.baskets), 1))
    enrollment_of(planned.protocol.enrollment, scenario.values)
    prescribe(protocol_of(planned.protocol, planned.experimental, scenario))


def _planned(asked: Asked, scenario: Scenario) -> Planned:
    """Design of a scenario beside its protocol."""
    design = design_of(asked.planned.design, scenario)
    size = int(scenario.values.get("n", asked.planned.patients))
    return asked.planned.model_copy(update={"design": design, "patients": size})


def _rates(work: _Work, scenarios: Sequence[Scenario]) -> pd.DataFrame:
    asked = work.asked
    arm = asked.planned.experimental
    tables = []
    for scenario in (PLANNED, *scenarios):
        planned = _planned(asked, scenario)
        if planned.design.kind == "basket":
            label = scenario.label if scenario.values else ""
            tables.append(plan_baskets(planned, _diseases(work, scenario), arm, label=label))
            continue
        tables.append(
            plan_rates(
                planned,
                work.pools([arm], scenario),
                arm,
                dropout_of(asked.outcomes.survival.dropout, scenario.values),
                enrollment=enrollment_of(planned.protocol.enrollment, scenario.values),
                label=scenario.label,
            )
        )
    operating = pd.concat(tables, ignore_index=True)
    files.write_table(operating, work.place / OPERATING, index=False)
    summary = summary_of(operating)
    _write(work, rates_page(asked, summary), {}, 0)
    return summary


def _diseases(work: _Work, scenario: Scenario) -> list[Disease]:
    """Baskets with their patients, each at its own speed or at an equal part of the protocol's."""
    asked, baskets = work.asked, work.asked.planned.design.baskets
    speed = enrollment_of(asked.planned.protocol.enrollment, scenario.values)
    found = []
    for number, basket in enumerate(baskets):
        own = _basket(asked, basket.population, basket.outcomes)

        def tell(step: str, share: float, number: int = number) -> None:
            work.tell(step, 0.95 * (number + share) / len(baskets))

        pools = make_pools(
            own,
            work.place / "baskets" / basket.population,
            arms=[asked.planned.experimental],
            scenario=scenario,
            advance=work.advance,
            backend=work.backend,
            progress=tell,
        )
        rate = basket.rate if basket.rate is not None else speed.rate / len(baskets)
        its = speed.model_copy(update={"rate": rate, "regions": {}})
        dropout = dropout_of(own.outcomes.survival.dropout, scenario.values)
        found.append(Disease(basket.label, pools, dropout, its))
    return found


def _escalation(work: _Work, scenarios: Sequence[Scenario], replicates: int) -> pd.DataFrame:
    asked = work.asked
    card = asked.planned.design.escalation
    assert card is not None  # read_design made sure
    pools, settings = work.pools(card.arms), (PLANNED, *scenarios)
    tables = []
    for number, scenario in enumerate(settings):
        label = scenario.label if scenario.values else ""

        def tell(share: float, number: int = number, said: str = scenario.label) -> None:
            work.tell(f"escalations, {said}", 0.7 + 0.29 * (number + share) / len(settings))

        tables.append(
            plan_escalation(
                _planned(asked, scenario),
                pools,
                replicates=replicates,
                seed=asked.seed,
                label=label,
                keep=work.place / TRIALS,
                progress=tell,
            )
        )
    doses = pd.concat(tables, ignore_index=True)
    files.write_table(doses, work.place / DOSES, index=False)
    said = doses["scenario"] + doses["setting"].where(doses["setting"] == "", ", " + doses["setting"])
    rows = doses.assign(scenario=said, quantity="picks " + doses["dose"].where(doses["dose"] != "", "none"))
    operating = rows.rename(columns={"picked": "value"})[["scenario", "draw", "quantity", "value"]]
    summary = summary_of(operating)
    _write(work, escalation_page(asked, doses), {}, replicates)
    return summary


def _basket(asked: Asked, population: str, outcomes: str) -> Asked:
    """Take the same plan to another disease."""
    from twoarm.frozen import Member
    from twoarm.patients.population import read_population

    protocol: Protocol = asked.planned.protocol.model_copy(
        update={"population": population, "outcomes": outcomes}
    )
    planned = asked.planned.model_copy(update={"protocol": protocol})
    people = read_population(population)
    return asked._replace(planned=planned, members=(Member(people, read_outcomes(outcomes), people.name),))


def _write(work: _Work, page: str, facts: dict[str, Any], replicates: int) -> None:
    """Write the page and the record; the record comes last: it says done."""
    asked = work.asked
    files.write_whole(work.place / files.PAGE, lambda path: path.write_text(page, encoding="utf-8"))
    record = {
        "design": asked.planned.design.name,
        "protocol": asked.planned.protocol.name,
        "kind": asked.planned.design.kind,
        "patients": asked.planned.patients,
        "events": list(asked.planned.events),
        "replicates": replicates,
        "draws": asked.draws,
        "pool": asked.size,
        "seed": asked.seed,
        "members": [member.label for member in asked.members],
        "facts": facts,
    }
    files.write_record(record, work.place / files.RECORD)
