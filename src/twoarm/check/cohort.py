"""Predict a cohort: endpoints of its patients over draws of cards, members of the population, and chance."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.check.between import Spread, effects_of
from twoarm.check.endpoints import days_needed, read_endpoint, work_out
from twoarm.check.pool import (
    LARGEST,
    Ensemble,
    Request,
    Subset,
    members_of,
    pool_seed,
    simulate_pool,
    twins_of,
)
from twoarm.check.sampling import Drawn, choose, drawn_in, echo_of, once_and_twins, seen
from twoarm.errors import CohortError
from twoarm.frozen import Member
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, read_molecule
from twoarm.study.card import BIOLOGY
from twoarm.trial.conduct import Advance
from twoarm.trial.outcomes import Outcomes, read_outcomes
from twoarm.trial.protocol import Protocol

ENDPOINTS = ("ORR", "ORR_any", "DCR", "mPFS", "PFS_6m", "PFS_12m", "mOS", "OS_12m", "mDOR", "TRAE_G3plus")
"""What a cohort is asked for where nothing is said; two arms are asked for hazard ratios too."""

# with fewer pools a cohort is drawn with replacement: they do not stand for the spread between patients
_FEW = 8

Cards = Mapping[str, pd.DataFrame]


class Part(NamedTuple):
    """A population's part of a mixed cohort.

    Attributes
    ----------
    members : sequence of Member
        Its ensemble.
    share : float
        Of the cohort's patients.
    subset : Subset or None
        Who is admitted.
    """

    members: Sequence[Member]
    share: float = 1.0
    subset: Subset | None = None


class Ask(NamedTuple):
    """What is asked of a cohort; `plan_cohort` makes it."""

    protocol: Protocol
    tables: Mapping[str, pd.DataFrame]
    names: tuple[str, ...]
    sizes: Mapping[str, int]
    parts: Sequence[Part]
    pool: int
    replicates: int
    replacing: bool
    follow_up: tuple[float, float] | None
    between: Mapping[str, Spread]
    seed: int

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Every draw of the cards with every member."""
        draws = len(next(iter(self.tables.values())))
        return [(draw, member) for draw in range(draws) for member in range(len(self.parts[0].members))]

    def requests(self, draw: int, member: int) -> dict[str, list[Request]]:
        """Pools of one draw and member, by arm, one a part."""
        found: dict[str, list[Request]] = {}
        for arm, planned in self.protocol.arms.items():
            given = {
                name: _row(self.tables[name], draw)
                for name in _given(self.protocol, arm)
                if name in self.tables
            }
            found[arm] = [
                Request(
                    part.members[member],
                    self.protocol,
                    arm,
                    self.pool,
                    pool_seed(self.seed, planned.label, part.members[member].label, part.subset, draw),
                    given,
                    part.subset,
                )
                for part in self.parts
            ]
        return found


def predict_cohort(
    populations: Ensemble | Sequence[Part],
    protocol: Protocol,
    cards: Cards | Molecule | Sequence[Molecule] | None = None,
    n: int | Mapping[str, int] = 30,
    seed: int = 0,
    *,
    draws: int = 8,
    replicates: int = 50,
    pool: int = 128,
    endpoints: Sequence[str] | None = None,
    follow_up: tuple[float, float] | None = None,
    days: float | None = None,
    between: Mapping[str, Spread] | None = None,
    model: Model | None = None,
    keep: Path | None = None,
    advance: Advance | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> pd.DataFrame:
    """Predict the endpoints of a cohort of n patients.

    Parameters
    ----------
    populations : population or several
        One population; or members of an ensemble (`Member`, `Population`, names), all of which are equally
        likely unless weighted; or parts of a mixed cohort (`Part`), each with its own ensemble of one size.
    protocol : Protocol
        Arms, doses, scans; `twoarm.trial.protocol.read_protocol`.
    cards : mapping, Molecule or sequence of Molecule, optional
        Draws of the cards by molecule, from `draw_cards`, all of one length; or molecules, of which `draws`
        are drawn. Left out, those that the protocol names.
    n : int or mapping of arm to int
        Patients of each arm.
    seed : int
        Same seed, same numbers.
    draws : int
        Draws of cards that are ranges, where they are not given.
    replicates : int
        Cohorts of each draw and member.
    pool : int
        Patients simulated for each draw, member and arm.
    endpoints : sequence of str, optional
        Names as `read_endpoint` knows them.
    follow_up : tuple of two floats [months], optional
        Patients are followed between the first and the second time; left out, to the end.
    days : float [day], optional
        How long patients are simulated; as long as the endpoints need, at most the protocol's horizon, where
        left out.
    between : mapping of family to Spread, optional
        How much trials differ, from `estimate_spreads`; left out, they do not.
    model : Model, optional
        The biology; by default the one of studies.
    keep : Path, optional
        Folder where pools are kept.
    advance : callable, optional
        The simulator.
    progress : callable, optional
        Called with what is done and its share.

    Returns
    -------
    DataFrame
        `draw member replicate arm endpoint value weight`: a row a cohort, arm and endpoint, in % or months
        or as a ratio; arm "" where arms are compared. `plain` is the value without what its trial has of its
        own; `free first second` are for `split_width`: a cohort whose patients may come twice, and one whose
        patients were followed twice, with either fate (NaN without such). ``attrs``: `cards` (values of the
        draws by molecule and field, so that draws can be weighed later), `members` (label and weight), `n`,
        `pool`, `echo` (of `echo_of`), `units` and `seed`.

    Raises
    ------
    CohortError
        If n, draws or parts cannot be.
    NoSuchEndpointError
        If an endpoint is not worked out.

    Notes
    -----
    Each draw and member has a pool of patients of its own. Cohorts of n patients or fewer than the pool are
    drawn from it without replacement: each of them is then an independent sample of the population, so that
    over pools their spread is exact. With few pools, or with n above the pool, they are drawn with
    replacement; where n is above the pool, what a pool of that size adds to the spread between pools is taken
    out: centers are drawn in to the share of their variance that is not chance, on the scale of `scale_of`.

    Examples
    --------
    >>> from twoarm.trial.protocol import read_protocol
    >>> ask = dict(n=20, seed=1, pool=20, replicates=2, endpoints=["ORR"])
    >>> told = predict_cohort("io_naive_squamous_nsclc", read_protocol("oak_docetaxel_squamous"), **ask)
    >>> told["endpoint"].unique().tolist(), bool(told["value"].between(0, 100).all())
    (['ORR'], True)
    """
    ask = plan_cohort(
        populations,
        protocol,
        cards,
        n,
        seed,
        draws=draws,
        replicates=replicates,
        pool=pool,
        endpoints=endpoints,
        follow_up=follow_up,
        days=days,
        between=between,
    )
    return predict_asked(ask, model=model, keep=keep, advance=advance, progress=progress)


def predict_asked(
    ask: Ask,
    *,
    model: Model | None = None,
    keep: Path | None = None,
    advance: Advance | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> pd.DataFrame:
    """Predict what `plan_cohort` planned.

    Parameters
    ----------
    ask : Ask
        From `plan_cohort`.
    model, keep, advance, progress
        As for `predict_cohort`.

    Returns
    -------
    DataFrame
        As `predict_cohort`.
    """
    run = partial(simulate_pool, model=model or read_model(BIOLOGY), keep=keep, advance=advance)
    say = progress or (lambda step, share: None)
    rows: list[pd.DataFrame] = []
    for number, (draw, member) in enumerate(ask.cells):
        told = partial(_told, say, f"draw {draw + 1}, member {member + 1}", number, len(ask.cells))
        told(0.0)
        rows += _cell(ask, draw, member, partial(run, progress=told))
    say("done", 1.0)
    return _tabulated(ask, rows)


def plan_cohort(
    populations: Ensemble | Sequence[Part],
    protocol: Protocol,
    cards: Cards | Molecule | Sequence[Molecule] | None = None,
    n: int | Mapping[str, int] = 30,
    seed: int = 0,
    *,
    draws: int = 8,
    replicates: int = 50,
    pool: int = 128,
    endpoints: Sequence[str] | None = None,
    follow_up: tuple[float, float] | None = None,
    days: float | None = None,
    between: Mapping[str, Spread] | None = None,
) -> Ask:
    """Check what is asked of a cohort and draw its cards; nothing is simulated.

    Parameters
    ----------
    populations, protocol, cards, n, seed, draws, replicates, pool, endpoints, follow_up, days, between
        As for `predict_cohort`.

    Returns
    -------
    Ask
        Its `requests` are the pools that it needs.

    Raises
    ------
    CohortError
        If n, draws or parts cannot be.
    NoSuchEndpointError
        If an endpoint is not worked out.
    """
    parts = _parts(populations, protocol)
    names = _asked(endpoints, protocol)
    tables = _cards(protocol, cards, draws, seed)
    cells = len(next(iter(tables.values()))) * len(parts[0].members)
    return Ask(
        protocol=_followed(protocol, names, days),
        tables=tables,
        names=names,
        sizes=_sizes(n, protocol),
        parts=parts,
        pool=pool,
        replicates=replicates,
        replacing=cells < _FEW,
        follow_up=follow_up,
        between=between or {},
        seed=seed,
    )


def _tabulated(ask: Ask, rows: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the cohorts of all draws and members into one table, with what is needed to weigh them."""
    table = pd.concat(rows, ignore_index=True)
    shares = [part.share for part in ask.parts]
    echo = echo_of(ask.sizes, ask.pool, shares)
    if ask.replacing or max(ask.sizes.values()) * max(shares) > ask.pool:
        table = drawn_in(table, echo)
    members = ask.parts[0].members
    weights = np.array([member.weight for member in members])
    table["weight"] = (weights / weights.sum())[table["member"]]
    table.attrs = {
        "cards": {name: cards_of.to_dict("list") for name, cards_of in ask.tables.items()},
        "members": [(member.label, float(w)) for member, w in zip(members, weights, strict=True)],
        "n": dict(ask.sizes),
        "pool": ask.pool,
        "echo": echo,
        "units": {name: read_endpoint(name).unit for name in ask.names},
        "seed": ask.seed,
    }
    return table


def _told(say: Callable[[str, float], None], step: str, cell: int, of: int, share: float) -> None:
    """Pass on how far one draw and member is as a share of the whole."""
    say(step, (cell + share) / of)


def _cell(ask: Ask, draw: int, member: int, run: Callable[..., pd.DataFrame]) -> list[pd.DataFrame]:
    """Endpoints of the cohorts of one draw and member."""
    plain, free, first, second = (Drawn({}, {}) for _ in range(4))
    shares = [part.share for part in ask.parts]
    whose = [part.members[member] for part in ask.parts]
    for arm, requests in ask.requests(draw, member).items():
        lottery = pool_seed(ask.seed, "cohorts", arm, member, draw)
        tables = once_and_twins([run(request) for request in requests], whose, ask.pool, lottery)
        pools = [table if table is None else seen(table, ask.follow_up, lottery) for table in tables]
        pick = partial(choose, ask.sizes[arm], shares=shares, cohorts=ask.replicates, seed=lottery)
        for drawn, pool, size, replacing in (
            (plain, pools[0], ask.pool, ask.replacing),
            (free, pools[0], ask.pool, True),
            (first, pools[1], twins_of(ask.pool), True),
            (second, pools[2], twins_of(ask.pool), True),
        ):
            if pool is not None:
                drawn.pools[arm], drawn.chosen[arm] = pool, pick(pool=size, replacing=replacing)
    lottery = pool_seed(ask.seed, "trials", member, draw)
    effects = effects_of(ask.between, ask.replicates, lottery)
    rows = []
    for name in ask.names:
        endpoint = read_endpoint(name)
        effect = next((own for match, own in effects.items() if re.search(match, name)), None)
        columns = {
            told: work_out(endpoint, *drawn) if drawn.pools else {}
            for told, drawn in (("plain", plain), ("free", free), ("first", first), ("second", second))
        }
        columns["value"] = (
            columns["plain"]
            if effect is None
            else work_out(endpoint, *plain, effect=effect, seed=pool_seed(lottery, name))
        )
        for arm in columns["plain"]:
            row = {"draw": draw, "member": member, "replicate": np.arange(ask.replicates), "arm": arm}
            told = {column: values.get(arm, np.nan) for column, values in columns.items()}
            rows.append(pd.DataFrame({**row, "endpoint": name, **told}))
    return rows


def _parts(populations: object, protocol: Protocol) -> list[Part]:
    """Take what was given as the parts of one cohort, whose ensembles have one size."""
    link = protocol.outcomes if isinstance(protocol.outcomes, Outcomes) else read_outcomes(protocol.outcomes)
    if isinstance(populations, Sequence) and populations and isinstance(populations[0], Part):
        parts = [part._replace(members=members_of(part.members, link)) for part in populations]
    else:
        parts = [Part(members_of(populations, link))]  # type: ignore[arg-type]
    sizes = {len(part.members) for part in parts}
    total = sum(part.share for part in parts)
    if len(sizes) != 1 or not sizes.pop():
        rule = "The ensembles of its parts have one size, at least 1. Give each as many members."
        raise CohortError(what="members", value=[len(part.members) for part in parts], rule=rule)
    if any(part.share <= 0 for part in parts):
        raise CohortError(what="a share", value=[part.share for part in parts], rule="Shares are above 0.")
    return [part._replace(share=part.share / total) for part in parts]


def _asked(endpoints: Sequence[str] | None, protocol: Protocol) -> tuple[str, ...]:
    """Endpoints that are asked for."""
    if endpoints is None:
        return (*ENDPOINTS, *(("HR_PFS", "HR_OS") if len(protocol.arms) > 1 else ()))
    names = tuple(dict.fromkeys(endpoints))
    for name in names:
        if read_endpoint(name).kind == "ratio" and len(protocol.arms) < 2:
            rule = "A hazard ratio compares two arms. Give a protocol with two."
            raise CohortError(what="endpoint", value=name, rule=rule)
    return names


def _sizes(n: int | Mapping[str, int], protocol: Protocol) -> dict[str, int]:
    """Patients of each arm."""
    sizes = {arm: n for arm in protocol.arms} if isinstance(n, int) else dict(n)
    for arm in protocol.arms:
        size = sizes.get(arm)
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= LARGEST:
            rule = f"Each arm has 1 to {LARGEST:,} patients. Give a whole number."
            raise CohortError(what=f'n of arm "{arm}"', value=size, rule=rule)
    return {arm: sizes[arm] for arm in protocol.arms}


def _cards(
    protocol: Protocol, cards: Cards | Molecule | Sequence[Molecule] | None, draws: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Draws of every molecule of the protocol, all of one length; molecules without ranges have one."""
    tables = dict(cards) if isinstance(cards, Mapping) else {}
    given = [] if cards is None or isinstance(cards, Mapping) else cards
    known = {molecule.name: molecule for molecule in ([given] if isinstance(given, Molecule) else given)}
    for arm in protocol.arms:
        for name, molecule in _given(protocol, arm).items():
            known.setdefault(name, molecule)
    count = max([len(table) for table in tables.values()], default=0)
    if not count:
        count = draws if any(molecule.is_ensemble for molecule in known.values()) else 1
    if count < 1 or any(len(table) != count for table in tables.values()):
        rule = "At least 1, and as many of every molecule. Give tables of one length."
        raise CohortError(what="draws", value=[draws, *(len(table) for table in tables.values())], rule=rule)
    return {
        name: tables[name] if name in tables else draw_cards(molecule, count, seed)
        for name, molecule in known.items()
    }


def _given(protocol: Protocol, arm: str) -> dict[str, Molecule]:
    """Molecules of an arm by name."""
    found = [
        part.molecule if isinstance(part.molecule, Molecule) else read_molecule(part.molecule)
        for part in protocol.arms[arm].treatments
    ]
    return {molecule.name: molecule for molecule in found}


def _row(table: pd.DataFrame, draw: int) -> dict[str, float]:
    return {str(name): float(table[name].iloc[draw]) for name in table.columns}


def _followed(protocol: Protocol, names: tuple[str, ...], days: float | None) -> Protocol:
    """Follow patients as long as the endpoints need, and no longer: it costs time."""
    horizon = days_needed(names, longest=protocol.follow_up.horizon) if days is None else days
    plan = protocol.follow_up.model_copy(update={"horizon": float(np.ceil(horizon))})
    return protocol.model_copy(update={"follow_up": plan})
