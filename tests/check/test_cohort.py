"""Cohorts from pools: their spread is that of patients, whatever the size of the pools."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from twoarm.check import Part, predict_cohort, split_width
from twoarm.check import cohort as room
from twoarm.check.between import Spread
from twoarm.check.pool import Request, twins_of
from twoarm.check.sampling import scale_of_unit
from twoarm.check.widths import PARTS, _card_and_population
from twoarm.errors import CohortError, NoSuchEndpointError
from twoarm.frozen import member_of
from twoarm.patients.population import read_population
from twoarm.trial.protocol import read_protocol

from .pools import made_up

POPULATION = read_population("io_naive_squamous_nsclc")
ONE_ARM, TWO_ARMS = read_protocol("oak_docetaxel_squamous"), read_protocol("checkmate_017")


@pytest.fixture(autouse=True)
def _pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "simulate_pool", made_up)


def shares(asked: Request, *, between: float, **_: object) -> pd.DataFrame:
    """Members of which each has a response rate of its own."""
    level = 0.4 + between * np.random.default_rng(abs(hash(asked.member.label)) % 2**32).standard_normal()
    responds = np.random.default_rng(asked.seed).random(asked.size) < level
    return made_up(asked).assign(bor=np.where(responds, "PR", "PD"))


def spread_of(
    n: int, pool: int, members: int, monkeypatch: pytest.MonkeyPatch, between: float = 0.0
) -> float:
    monkeypatch.setattr(room, "simulate_pool", partial(shares, between=between))
    several = [POPULATION] * members
    told = predict_cohort(
        several, ONE_ARM, n=n, seed=3, pool=pool, replicates=20, endpoints=["ORR"], model=object()
    )
    return float(told["value"].std())


@pytest.mark.parametrize(
    ("n", "pool", "members"), [(40, 50, 100), (40, 400, 100), (150, 75, 100), (40, 60, 6)]
)
def test_the_spread_is_that_of_n_patients(
    n: int, pool: int, members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spread_of(n, pool, members, monkeypatch)
    assert found == pytest.approx(100 * np.sqrt(0.4 * 0.6 / n), rel=0.3)


def test_the_spread_of_members_is_kept_where_n_is_above_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    found = spread_of(400, 60, 150, monkeypatch, between=0.08)
    assert found == pytest.approx(100 * np.sqrt(0.08**2 + 0.24 / 400), rel=0.25)


def test_two_arms_are_compared_and_one_is_not() -> None:
    told = predict_cohort(POPULATION, TWO_ARMS, n=30, seed=1, pool=40, replicates=4, model=object())
    assert set(told.loc[told["endpoint"] == "HR_OS", "arm"]) == {""}
    assert set(told.loc[told["endpoint"] == "ORR", "arm"]) == {"docetaxel", "nivolumab"}
    assert told.attrs["n"] == {"nivolumab": 30, "docetaxel": 30}
    with pytest.raises(CohortError, match="compares two arms"):
        predict_cohort(POPULATION, ONE_ARM, endpoints=["HR_OS"], model=object())


def test_the_draws_of_the_card_come_with_the_cohorts() -> None:
    protocol = read_protocol("ibi363_squamous_3")
    told = predict_cohort(
        "io_resistant_squamous_nsclc", protocol, n=30, seed=1, pool=40, draws=3, replicates=4, model=object()
    )
    cards = told.attrs["cards"]["ibi363"]
    assert sorted(told["draw"].unique()) == [0, 1, 2]
    assert len(set(cards["il2_arm.weakening_il2rb"])) == 3
    again = predict_cohort(
        "io_resistant_squamous_nsclc", protocol, n=30, seed=1, pool=40, draws=3, replicates=4, model=object()
    )
    pd.testing.assert_frame_equal(told, again)


def test_a_mixed_cohort_has_the_shares_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_population(asked: Request, **_: object) -> pd.DataFrame:
        best = "PR" if asked.member.label.startswith("io_naive_squamous") else "PD"
        return made_up(asked).assign(bor=best, bor_any=best)

    monkeypatch.setattr(room, "simulate_pool", by_population)
    parts = [Part(["io_naive_squamous_nsclc"], 0.25), Part(["io_naive_nonsquamous_nsclc"], 0.75)]
    told = predict_cohort(
        parts, ONE_ARM, n=40, seed=1, pool=50, replicates=4, endpoints=["ORR"], model=object()
    )
    assert told["value"].tolist() == [25.0] * 4


def test_a_cut_hides_what_came_later() -> None:
    ask = {"n": 40, "seed": 1, "pool": 40, "replicates": 2, "model": object()}
    late = predict_cohort(POPULATION, ONE_ARM, endpoints=["ORR", "TRAE_G3plus", "mOS"], **ask)
    early = predict_cohort(
        POPULATION, ONE_ARM, endpoints=["ORR", "TRAE_G3plus", "mOS"], follow_up=(0.2, 0.4), **ask
    )
    for name in ("ORR", "TRAE_G3plus"):
        assert late.loc[late["endpoint"] == name, "value"].min() > 0
        assert early.loc[early["endpoint"] == name, "value"].max() == 0
    assert np.isinf(early.loc[early["endpoint"] == "mOS", "value"]).all()


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": True}, {"n": {"docetaxel": 2.5}}, {"draws": 0, "protocol": "ibi363_squamous_3"}]
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, object]) -> None:
    protocol = read_protocol(str(wrong.pop("protocol", "oak_docetaxel_squamous")))
    with pytest.raises(CohortError):
        predict_cohort(POPULATION, protocol, model=object(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(NoSuchEndpointError):
        predict_cohort(POPULATION, protocol, endpoints=["speed"], model=object())


def test_parts_have_ensembles_of_one_size() -> None:
    parts = [Part([POPULATION]), Part([POPULATION, POPULATION])]
    with pytest.raises(CohortError, match="one size"):
        predict_cohort(parts, ONE_ARM, model=object())


def test_widths_are_those_of_a_nested_design() -> None:
    chance = np.random.default_rng(5)
    card, population = chance.normal(0, 0.3, 200), chance.normal(0, 0.4, (200, 6))
    rows = []
    for d in range(200):
        for m in range(6):
            center, patients, trial = card[d] + population[d, m], *chance.normal(0, (0.35, 0.25), (8, 2)).T
            fates = chance.normal(0, 0.2, (3, 8))
            plain = center + chance.normal(0, 0.35, 8) + fates[0]
            for r in range(8):
                twins = center + patients[r] + fates[1:, r]
                rows.append((d, m, r, *np.exp((plain[r] + trial[r], plain[r], plain[r], *twins))))
    columns = ["draw", "member", "replicate", "value", "plain", "free", "first", "second"]
    table = pd.DataFrame(rows, columns=columns).assign(endpoint="mOS", arm="a")
    table.attrs = {"units": {"mOS": "months"}, "echo": 0.0, "n": {"a": 30}}
    found = split_width(table).loc[0, list(PARTS)].to_numpy(float)
    truth = np.array([0.3, 0.4, 0.25, 0.35, 0.2]) ** 2
    assert found == pytest.approx(truth / truth.sum(), abs=0.04)
    alone = split_width_of(table.assign(first=np.nan, second=np.nan), table)
    assert np.isnan(alone["patients"])
    assert alone["sampling"] == pytest.approx(found[3] + found[4], abs=0.01)


@pytest.mark.parametrize("crossed", [True, False])
def test_the_card_is_told_from_members_that_every_draw_shares(crossed: bool) -> None:
    chance = np.random.default_rng(6)
    found = []
    for _ in range(60):
        members = np.tile(chance.normal(0, 0.4, 4), (6, 1)) if crossed else chance.normal(0, 0.4, (6, 4))
        centers = chance.normal(0, 0.3, (6, 1)) + members + chance.normal(0, 0.2, (6, 4))
        found.append(_card_and_population(pd.DataFrame(centers), 0.2**2))
    assert np.mean(found, axis=0) == pytest.approx([0.09, 0.16], abs=0.035)
    alone = _card_and_population(pd.DataFrame(chance.normal(0, 0.4, (1, 4000))), 0.1**2)
    assert alone == pytest.approx((0.0, 0.15), abs=0.02)


def split_width_of(table: pd.DataFrame, like: pd.DataFrame) -> pd.Series:
    table.attrs = like.attrs
    return split_width(table).loc[0]


def people(asked: Request, *, same: float, **_: object) -> pd.DataFrame:
    """A pool in which a share `same` of the variance of a response is the patient's own, the rest chance."""
    draw = np.random.default_rng(asked.seed)
    twins = twins_of(asked.size)
    own = np.where(draw.random(asked.size) < 0.4, 1.0, 0.0)
    own = np.concatenate([own, own[:twins]])
    other = draw.random(len(own)) < 0.4
    responds = np.where(draw.random(len(own)) < np.sqrt(same), own > 0, other)
    pool = pd.concat([made_up(asked), made_up(asked).iloc[:twins]], ignore_index=True)
    return pool.assign(bor=np.where(responds, "PR", "PD"))


@pytest.mark.parametrize("same", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [30, 300])
def test_patients_and_chance_are_told_apart_by_two_fates_of_the_same(
    same: float, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "simulate_pool", partial(people, same=same))
    told = predict_cohort(
        [POPULATION] * 20, ONE_ARM, n=n, seed=3, pool=120, replicates=12, endpoints=["ORR"], model=object()
    )
    found = split_width(told).loc[0]
    if n < 120:  # of larger cohorts small pools say little about their population
        assert found["population"] + found["card"] == pytest.approx(0.0, abs=0.2)
    assert found["patients"] / (found["patients"] + found["sampling"]) == pytest.approx(same, abs=0.15)


def test_trials_of_their_own_are_wider_and_keep_their_middle() -> None:
    ask = {"n": 200, "seed": 1, "pool": 400, "replicates": 60, "model": object()}
    spreads = {"all": Spread(re.compile("."), np.array([0.39, 0.4, 0.41]), np.full(3, 1 / 3), 1, 2)}
    names = ["ORR", "DCR", "mPFS", "PFS_6m", "mOS", "mDOR", "TRAE_G3plus", "HR_OS"]
    without = predict_cohort([POPULATION] * 8, TWO_ARMS, endpoints=names, **ask)
    with_them = predict_cohort([POPULATION] * 8, TWO_ARMS, endpoints=names, between=spreads, **ask)
    for name in names:
        scale = scale_of_unit(without.attrs["units"][name])
        before, after = (
            scale.to(table.loc[table["endpoint"] == name, "value"].to_numpy(float))
            for table in (without, with_them)
        )
        if name == "mDOR":  # all of one length there
            assert np.std(after) == pytest.approx(0.4, abs=0.06)
            continue
        assert np.median(after) == pytest.approx(np.median(before), abs=0.15), name
        wanted = 0.4
        if name == "PFS_6m":  # of the log hazard, here on log odds
            free = scale.back(np.median(before)) / 100
            wanted *= -np.log(free) / (1 - free)
        assert np.sqrt(np.var(after) - np.var(before)) == pytest.approx(wanted, rel=0.25), name
    share = split_width(with_them).set_index(["endpoint", "arm"])["trial"]
    assert share.min() > 0.3
    assert split_width(without)["trial"].max() == pytest.approx(0.0)


def test_a_member_of_a_frozen_population_is_taken_as_it_is() -> None:
    from twoarm.check.ensemble import ensemble_of

    members = ensemble_of("io_naive_acral_melanoma", members=3, seed=1, which="prior").members
    told = predict_cohort(members, ONE_ARM, n=20, seed=1, pool=30, replicates=2, model=object())
    assert [label for label, _ in told.attrs["members"]] == [member.label for member in members]
    assert told["weight"].iloc[0] == pytest.approx(1 / 3)
    assert member_of is not None
