"""The answer for two arms: power and assurance, type I error, time and size, and what moves them most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from twoarm import catalog
from twoarm.design.boundaries import crossing
from twoarm.design.card import Planned, check_design
from twoarm.errors import EventsOutOfReachError
from twoarm.plan.operate import (
    MONTH,
    Ask,
    boundaries_of,
    conduct_many,
    pool_error,
    ratios_over_time,
    summarize,
)
from twoarm.plan.pool import Course, Pool
from twoarm.plan.run import Asked
from twoarm.plan.trials import Drawn, Setting, draw_trials, event_day, happen
from twoarm.plan.vary import Scenario, dropout_of, enrollment_of
from twoarm.trial.ranks import risk_sets, survival_after
from twoarm.units import quantity

PLANNED = Scenario({})
_PILOT = 100  # trials that say how far the restricted mean can look
_HELD = 0.9  # share of a trial's patients in strata that the restricted mean keeps
_SHOWN = 400  # trials behind the picture of hazard ratios
_AROUND = 0.25  # by how much an input moves that has no range of its own
_CURVE = (0.5, 0.75, 1.25, 1.5)  # of the planned number of patients, where nothing is varied
_DAYS_OF_CURVE = 120

Tell = Callable[[str, float], None]
PoolsOf = Callable[[Scenario], Sequence[Pool]]


class Compared(NamedTuple):
    """Tables of a plan of two arms.

    Attributes
    ----------
    operating : DataFrame
        `scenario draw quantity value`, a row a scenario, draw of the cards and quantity.
    null : DataFrame
        Type I error by look: `look rejected low high`, look 0 the whole.
    boundaries : DataFrame
        `look events information efficacy futility hazard_ratio p` (one-sided), `chance` of a first crossing
        under the null.
    ratios : DataFrame
        `kind start month low middle high` of the hazard ratio over trials and draws.
    curves : DataFrame
        `arm month low middle high` of survival in the pool, over draws.
    inputs : DataFrame
        `input setting power months`: one moved at a time.
    facts : mapping
        Numbers for words: standard errors, restriction of the mean.
    """

    operating: pd.DataFrame
    null: pd.DataFrame
    boundaries: pd.DataFrame
    ratios: pd.DataFrame
    curves: pd.DataFrame
    inputs: pd.DataFrame
    facts: Mapping[str, Any]


def compare_arms(
    asked: Asked,
    pools_of: PoolsOf,
    scenarios: Sequence[Scenario],
    *,
    replicates: int,
    null: int,
    tell: Tell,
    keep: Path | None = None,
) -> Compared:
    """Plan a comparison of two arms.

    Parameters
    ----------
    asked : Asked
        From `read_plan`.
    pools_of : callable
        The pools of a scenario, one a draw.
    scenarios : sequence of Scenario
        Beside the design as it stands.
    replicates : int
        Trials of each scenario and draw.
    null : int
        Trials without a difference.
    tell : callable
        Told the step and the share done.
    keep : Path, optional
        Folder in which finished batches of trials are kept, to go on from.

    Returns
    -------
    Compared
        Tables.

    Raises
    ------
    EventsOutOfReachError
        If hardly a trial would reach its final analysis.
    TwoarmError
        As `check_design`.
    """
    arms = (asked.planned.experimental, asked.planned.control)
    pools = pools_of(PLANNED)
    ask = ask_of(asked, PLANNED, pools, arms)
    inputs = inputs_of(asked)
    size = asked.planned.patients
    curve = [] if scenarios else [Scenario({"n": round(share * size)}) for share in _CURVE]
    parts = [PLANNED, *scenarios, *curve]
    shorter = max(replicates // 4, 100)  # what is shown beside the plan needs fewer trials
    trials = [replicates] * (1 + len(scenarios)) + [shorter] * len(curve)
    each = len(pools)
    steps = _Steps(tell, each * (sum(trials) + len(inputs) * shorter) + null + _SHOWN)

    def operate(scenario: Scenario, own: Sequence[Pool], many: int, said: str) -> pd.DataFrame:
        told = steps.part(said, many * each)
        return _operate(asked, scenario, own, arms, many, ask.until, keep, told)

    operating = pd.concat(
        [
            operate(scenario, pools_of(scenario), many, f"trials, {scenario.label}")
            for scenario, many in zip(parts, trials, strict=True)
        ],
        ignore_index=True,
    )
    errors = _null(
        pools[0], arms, ask, null, asked.seed, keep, steps.part("trials without a difference", null)
    )
    steps.part("hazard ratio over time", _SHOWN)(0.0)
    ratios = _ratios(pools, arms, ask, asked.seed)
    moved = []
    for name, setting, scenario in inputs:
        found = operate(scenario, pools, shorter, f"moving {name}")
        means = found.groupby("quantity")["value"].mean()
        moved.append((name, setting, means["power"], means["months"]))
    moved += _cards(operating)
    drift = pool_error(pools[0], pools[0].arms[arms[0]], pools[0].arms[arms[1]], ask, seed=asked.seed)
    facts = {
        "pool_error": drift,
        "until_months": ask.until / MONTH,
        "replicates": replicates,
        "null_trials": null,
        "draws": len(pools),
        "trial_error": 2 / np.sqrt(ask.events[-1]),
    }
    return Compared(
        operating,
        errors,
        _boundary_table(ask, asked.planned),
        ratios,
        _curves(pools, arms, ask.endpoint),
        pd.DataFrame(moved, columns=["input", "setting", "power", "months"]),
        facts,
    )


class _Steps:
    """Shares of the work that is done, in trials."""

    def __init__(self, tell: Tell, whole: int) -> None:
        self._tell, self._whole, self._done = tell, whole, 0

    def part(self, said: str, size: int) -> Callable[[float], None]:
        """Announce a part; what is returned takes the share of it that is done."""
        begin, self._done = self._done, self._done + size
        self._tell(said, begin / self._whole)
        return lambda share: self._tell(said, (begin + share * size) / self._whole)


def ask_of(
    asked: Asked, scenario: Scenario, pools: Sequence[Pool], arms: tuple[str, str], until: float | None = None
) -> Ask:
    """Say what a scenario asks of its trials.

    Parameters
    ----------
    asked : Asked
        From `read_plan`.
    scenario : Scenario
        What is varied.
    pools : sequence of Pool
        For a pilot: how long trials last.
    arms : tuple of str
        Experimental, control.
    until : float [day], optional
        End of the restricted mean; left out, as far as nearly every trial sees both arms.

    Returns
    -------
    Ask
        For `conduct_many`.

    Raises
    ------
    EventsOutOfReachError
        If half of the trials end with fewer events than the final analysis needs, in every draw.
    """
    planned = planned_of(asked, scenario)
    assert planned.design.test is not None
    protocol, test = planned.protocol, planned.design.test
    setting = Setting(
        planned.patients,
        enrollment_of(protocol.enrollment, scenario.values),
        protocol.randomization,
        (protocol.arms[arms[0]].share, protocol.arms[arms[1]].share),
        dropout_of(asked.outcomes.survival.dropout, scenario.values),
    )
    ask = Ask(
        setting,
        planned.events,
        boundaries_of(planned),
        test.alpha,
        planned.endpoint,
        test.by,
        test.stratified,
        until or MONTH,
    )
    usual, reach = 0, np.inf
    for pool in pools:
        found, longest = _pilot(pool, pool.arms[arms[0]], pool.arms[arms[1]], ask, asked.seed)
        usual, reach = max(usual, found), min(reach, longest)
    if usual < ask.events[-1] and not scenario.values:
        raise EventsOutOfReachError(
            design=planned.design.name,
            events=ask.events[-1],
            usual=usual,
            months=protocol.follow_up.horizon / MONTH,
        )
    return ask if until else ask._replace(until=max(np.floor(reach / MONTH), 1.0) * MONTH)


def planned_of(asked: Asked, scenario: Scenario) -> Planned:
    """Design and protocol with a scenario's number of patients and events."""
    patients, events = (
        int(scenario.values[name]) if name in scenario.values else None for name in ("n", "events")
    )
    return check_design(asked.planned.design, asked.planned.protocol, patients=patients, events=events)


def inputs_of(asked: Asked) -> list[tuple[str, str, Scenario]]:
    """List the inputs that are moved one at a time, each down and up.

    Parameters
    ----------
    asked : Asked
        From `read_plan`.

    Returns
    -------
    list of (input, setting, scenario)
        To the ends of the range that its file gives, else by a quarter.
    """
    planned, protocol = asked.planned, asked.planned.protocol
    place, final = catalog_path(protocol), planned.events[-1]
    size, rate = planned.patients, protocol.enrollment.rate * MONTH
    found: list[tuple[str, str, Scenario]] = []
    for share in (1 - _AROUND, 1 + _AROUND):
        n = round(share * size)
        found.append(("number of patients, events in proportion", f"{n}", Scenario({"n": n})))
    for events in _range(place, "follow_up", "events", "", final, final):
        capped = min(int(events), size)
        found.append(("number of events at the end", f"{capped}", Scenario({"events": capped})))
    for speed in _range(place, "enrollment", "rate", "1/month", rate, rate):
        found.append(("speed of enrollment", f"{speed:.3g} a month", Scenario({"rate": speed})))
    lost = asked.outcomes.survival.dropout * 365.25
    link = catalog.find("outcomes", protocol.outcomes) if isinstance(protocol.outcomes, str) else None
    for hazard in _range(link, "survival", "dropout", "1/year", lost, lost or 0.05):
        found.append(("dropout", f"{hazard:.3g} a year", Scenario({"dropout": hazard})))
    return found


def catalog_path(protocol: Any) -> Path | None:
    """File of a protocol of the library; None for one made by hand."""
    try:
        return catalog.find("protocols", protocol.name)
    except LookupError:
        return None
    except ValueError:
        return None


def _range(
    path: Path | None, table: str, field: str, unit: str, middle: float, otherwise: float
) -> tuple[float, float]:
    """Range of a number as its file gives it; a quarter down and up where it gives none."""
    said = catalog.read_toml(path).get(table, {}).get(field, {}) if path is not None else {}
    if isinstance(said, Mapping) and {"low", "high"} <= set(said):
        ends = [
            quantity(said[end], unit, what=field) if isinstance(said[end], str) else float(said[end])
            for end in ("low", "high")
        ]
        if ends[0] <= middle <= ends[1]:
            return ends[0], ends[1]
    return otherwise * (1 - _AROUND), otherwise * (1 + _AROUND)


def _operate(
    asked: Asked,
    scenario: Scenario,
    pools: Sequence[Pool],
    arms: tuple[str, str],
    trials: int,
    until: float,
    keep: Path | None,
    tell: Callable[[float], None],
) -> pd.DataFrame:
    """Operating characteristics of one scenario, draw by draw."""
    ask = ask_of(asked, scenario, pools, arms, until)
    rows = []
    for number, pool in enumerate(pools):
        found = conduct_many(
            pool,
            pool.arms[arms[0]],
            pool.arms[arms[1]],
            ask,
            replicates=trials,
            seed=asked.seed,
            keep=keep,
            progress=partial(_within, tell, number, len(pools)),
        )
        said = summarize(found, len(ask.events), ask.alpha)
        said |= {
            name: float(value) for name, value in scenario.values.items() if isinstance(value, int | float)
        }
        rows += [(scenario.label, pool.draw, name, value) for name, value in said.items()]
    return pd.DataFrame(rows, columns=["scenario", "draw", "quantity", "value"])


def _within(tell: Callable[[float], None], number: int, of: int, share: float) -> None:
    tell((number + share) / of)


def _pilot(pool: Pool, experimental: Course, control: Course, ask: Ask, seed: int) -> tuple[int, float]:
    """Usual number of events at the end of follow-up, and how far nearly every trial sees both arms."""
    drawn = draw_trials(pool, ask.setting, seed=seed, chunk=0)
    drawn = Drawn(*(part[:_PILOT] for part in drawn))
    happened = happen(drawn, experimental, control, ask.endpoint, by=ask.by)
    usual = int(np.median(np.isfinite(happened.event).sum(axis=1)))
    cutoff = event_day(drawn, happened, ask.events[-1])
    seen = np.minimum(cutoff[:, None] - drawn.enrolled, happened.until)
    reach = _reach(seen, drawn.treated, np.ones(seen.shape, bool))
    if ask.stratified:
        # strata that hold nearly everybody see so far; the others may be left out of a trial
        died = happened.event <= seen
        own = [drawn.stratum == stratum for stratum in range(int(drawn.stratum.max()) + 1)]
        far = np.stack([_reach(seen, drawn.treated, here, died) for here in own], axis=1)
        share = np.stack([here.mean(axis=1) for here in own], axis=1)
        order = np.argsort(far, axis=1)
        lost = np.cumsum(np.take_along_axis(share, order, 1), axis=1)
        first = (lost > 1 - _HELD).argmax(axis=1)[:, None]
        reach = np.minimum(reach, np.take_along_axis(np.take_along_axis(far, order, 1), first, 1)[:, 0])
    return usual, float(np.quantile(reach, 0.02))


def _reach(
    seen: np.ndarray, treated: np.ndarray, here: np.ndarray, died: np.ndarray | None = None
) -> np.ndarray:
    """How long both arms are seen in each trial; infinite where both curves have come to 0."""
    reach = np.full(len(seen), np.inf)
    for group in (treated & here, ~treated & here):
        alive = group if died is None else group & ~died
        longest, last = (np.where(part, seen, 0.0).max(axis=1) for part in (alive, group))
        reach = np.where((longest == last) | (last == 0), np.minimum(reach, longest), reach)
    return reach


def _null(
    pool: Pool,
    arms: tuple[str, str],
    ask: Ask,
    trials: int,
    seed: int,
    keep: Path | None,
    tell: Callable[[float], None],
) -> pd.DataFrame:
    """Type I error: both arms are patients of the control arm, and stops for futility are overruled."""
    course = pool.arms[arms[1]]
    found = conduct_many(
        pool, course, course, ask, replicates=trials, seed=seed + 1, overrule=True, keep=keep, progress=tell
    )
    rows = []
    for look in range(len(ask.events) + 1):
        share = float((found["rejected"] & ((found["look"] == look) | (look == 0))).mean())
        half = float(ndtri(0.975)) * np.sqrt(max(share * (1 - share), 1e-12) / trials)
        rows.append((look, share, max(share - half, 0.0), share + half))
    return pd.DataFrame(rows, columns=["look", "rejected", "low", "high"])


def _ratios(pools: Sequence[Pool], arms: tuple[str, str], ask: Ask, seed: int) -> pd.DataFrame:
    each = max(_SHOWN // len(pools), 25)
    found = pd.concat(
        [
            ratios_over_time(pool, pool.arms[arms[0]], pool.arms[arms[1]], ask, trials=each, seed=seed)
            for pool in pools
        ]
    )
    # the median day of a cut differs from draw to draw: cuts are matched by their number
    groups = found.groupby(["kind", "start", "step"])
    table = pd.DataFrame(
        {
            "month": groups["month"].mean(),
            "low": groups["ratio"].quantile(0.05),
            "middle": groups["ratio"].quantile(0.5),
            "high": groups["ratio"].quantile(0.95),
            "known": groups["ratio"].apply(lambda ratio: float(ratio.notna().mean())),
        }
    ).reset_index()
    return table[table["known"] > 0.5].drop(columns=["step", "known"])


def _curves(pools: Sequence[Pool], arms: tuple[str, str], endpoint: str) -> pd.DataFrame:
    """Kaplan-Meier curves of the whole pool, arm by arm, over draws."""
    rows = []
    for arm in arms:
        longest = float(np.max([pool.arms[arm].until.max() for pool in pools]))
        days = np.linspace(0.0, longest, _DAYS_OF_CURVE)
        lines = np.array([_line(pool.arms[arm], endpoint, days) for pool in pools])
        low, middle, high = np.quantile(lines, [0.05, 0.5, 0.95], axis=0)
        rows.append(
            pd.DataFrame({"arm": arm, "month": days / MONTH, "low": low, "middle": middle, "high": high})
        )
    return pd.concat(rows, ignore_index=True)


def _line(course: Course, endpoint: str, days: np.ndarray) -> np.ndarray:
    event = course.death if endpoint == "OS" else np.minimum(course.progression, course.death)
    seen = event <= course.until
    sets = risk_sets(np.minimum(event, course.until)[None], seen[None], np.ones((1, seen.size), bool))
    after = survival_after(sets)[0]
    place = np.searchsorted(sets.day[0], days, side="right") - 1
    return np.where(place >= 0, after[np.maximum(place, 0)], 1.0)


def _cards(operating: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    """Power at a weak and a strong draw of the cards: the tenth and ninetieth of a hundred."""
    own = operating[operating["scenario"] == PLANNED.label]
    wide = own.pivot(index="draw", columns="quantity", values="value").sort_values("power")
    if len(wide) < 2:
        return []
    places = [round(share * (len(wide) - 1)) for share in (0.1, 0.9)]
    return [
        (
            "draw of the molecule's card (or of the population)",
            f"hazard ratio {wide['hazard_ratio'].iloc[place]:.2f}",
            float(wide["power"].iloc[place]),
            float(wide["months"].iloc[place]),
        )
        for place in places
    ]


def _boundary_table(ask: Ask, planned: Planned) -> pd.DataFrame:
    """Boundaries as z, as hazard ratios and as p."""
    from scipy.special import ndtr

    events, bounds = np.array(ask.events, float), ask.boundaries
    share = ask.setting.shares[0] / sum(ask.setting.shares)
    error = 1 / np.sqrt(events * share * (1 - share))
    under_null = crossing(bounds.information, bounds.efficacy).upper
    return pd.DataFrame(
        {
            "look": np.arange(1, events.size + 1),
            "events": events.astype(int),
            "information": events / events[-1],
            "efficacy": bounds.efficacy,
            "futility": bounds.futility,
            "hazard_ratio": np.exp(-bounds.efficacy * error),
            "futile_hazard_ratio": np.where(
                np.isinf(bounds.futility), np.nan, np.exp(-bounds.futility * error)
            ),
            "p": ndtr(-bounds.efficacy),
            "chance": under_null,
        }
    )
