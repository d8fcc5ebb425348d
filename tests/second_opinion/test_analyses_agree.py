"""Weighted tests, restricted means, score intervals, competing risks and residuals against other hands.

Plain sums in Python, brute force over a grid, or lifelines where ours does not use it. Trials have ties.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from twoarm.trial.analyses.competing import (
    CAUSES,
    compare_causes,
    cumulative_incidence,
    incidence_at,
    treatment_ends,
)
from twoarm.trial.analyses.curves import restricted_mean, restricted_mean_difference, survival_at
from twoarm.trial.analyses.hazards import cox, hazard_ratio, log_rank, proportionality
from twoarm.trial.analyses.rates import rate_difference
from twoarm.trial.analyses.subdistribution import gray_test, subdistribution_ratio
from twoarm.trial.analyses.subgroups import interaction
from twoarm.trial.analyze import analyze

from .naive_survival import Z95, kaplan_meier
from .test_analyze_agrees import columns, random_trial

SEEDS = range(8)


def weighted_terms(days, events, treated, rho, gamma):
    """Observed less expected and variance, with S(t-)^rho (1 - S(t-))^gamma."""
    difference, variance, survival = 0.0, 0.0, 1.0
    for day in sorted({d for d, e in zip(days, events, strict=True) if e}):
        n = sum(d >= day for d in days)
        mine = sum(d >= day and t for d, t in zip(days, treated, strict=True))
        died = sum(e and d == day for d, e in zip(days, events, strict=True))
        own = sum(e and t and d == day for d, e, t in zip(days, events, treated, strict=True))
        weight = survival**rho * (1 - survival) ** gamma
        difference += weight * (own - died * mine / n)
        if n > 1:
            variance += weight**2 * died * mine / n * (1 - mine / n) * (n - died) / (n - 1)
        survival *= 1 - died / n
    return difference, variance


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weights", [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_weighted_log_rank(seed, weights):
    table = random_trial(seed)
    days, events, treated, strata = columns(table)
    arrays = [np.array(part) for part in (days, events, treated)]
    one = weighted_terms(days, events, treated, *weights)
    assert log_rank(*arrays, weights=weights)[0] == pytest.approx(one[0] ** 2 / one[1], rel=1e-9)
    sums = np.zeros(2)
    for stratum in set(strata):
        own = [i for i, name in enumerate(strata) if name == stratum]
        sums += weighted_terms(*([part[i] for i in own] for part in (days, events, treated)), *weights)
    found = log_rank(*arrays, np.array(strata), weights=weights)[0]
    assert found == pytest.approx(sums[0] ** 2 / sums[1], rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_restricted_mean(seed):
    table = random_trial(seed)
    own = table[table["arm"] == "control"]
    days, events = own["OS_day"].tolist(), own["OS_event"].tolist()
    steps = kaplan_meier(days, events)
    until = 0.8 * max(days)
    edges = [0.0, *(s.day for s in steps if s.day < until), until]
    levels = [1.0, *(s.survival for s in steps if s.day < until)]
    pieces = [(b - a) * level for a, b, level in zip(edges, edges[1:], levels, strict=False)]
    variance = 0.0
    for place, step in enumerate(s for s in steps if s.day < until):
        if step.at_risk > step.events:
            rest = sum(pieces[place + 1 :])
            variance += rest**2 * step.events / (step.at_risk * (step.at_risk - step.events))
    found = restricted_mean(own["OS_day"], own["OS_event"], until)
    assert found == pytest.approx((sum(pieces), math.sqrt(variance)), rel=1e-9)


def test_restricted_means_differ_as_their_curves_do():
    rng = np.random.default_rng(3)
    days, treated = np.ceil(rng.exponential(300, 400)), np.arange(400) % 2 == 0
    events = rng.random(400) < 0.8
    difference, low, high, p = restricted_mean_difference(days, events, treated, 360.0)
    parts = [restricted_mean(pd.Series(days[t]), pd.Series(events[t]), 360.0) for t in (treated, ~treated)]
    assert difference == pytest.approx(parts[0][0] - parts[1][0])
    half = Z95 * math.hypot(parts[0][1], parts[1][1])
    assert (low, high) == pytest.approx((difference - half, difference + half))
    assert (p < 0.05) == (low > 0 or high < 0)
    swapped = restricted_mean_difference(days, events, ~treated, 360.0)
    assert swapped[0] == pytest.approx(-difference)


def test_a_mean_beyond_the_last_patient_is_not_made_up():
    days, events = pd.Series([10.0, 20, 30]), pd.Series([True, False, False])
    assert np.isnan(restricted_mean(days, events, 31.0)).all()
    assert restricted_mean(days, pd.Series([True, True, True]), 31.0)[0] == pytest.approx(20.0)
    assert np.isnan(survival_at(days, events, 2.0)).all()


def likeliest_variance(difference, x1, n1, x2, n2):
    """Variance at the rates that are likeliest given their difference, by brute force."""

    def less_likely(p2):
        p1 = p2 + difference
        return -sum(
            (x and x * math.log(max(p, 1e-300))) + ((n - x) and (n - x) * math.log(max(1 - p, 1e-300)))
            for x, n, p in ((x1, n1, p1), (x2, n2, p2))
        )

    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    p2 = minimize_scalar(less_likely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    p1, n = p2 + difference, n1 + n2
    return (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * n / (n - 1)


@pytest.mark.parametrize("counts", [(56, 70, 48, 80), (5, 56, 1, 29), (12, 298, 9, 302), (3, 40, 3, 40)])
def test_score_interval_by_brute_force(counts):
    x1, n1, x2, n2 = counts
    found, low, high = rate_difference(*counts)
    assert found == pytest.approx(x1 / n1 - x2 / n2)
    for end in (low, high):
        z = abs(found - end) / math.sqrt(likeliest_variance(end, *counts))
        assert z == pytest.approx(Z95, rel=1e-4)


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 20), st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_score_interval_of_any_counts(x1, more1, x2, more2):
    counts = (x1, x1 + more1, x2, x2 + more2)
    found, low, high = rate_difference(*counts)
    assert -1 <= low <= found <= high <= 1
    back = rate_difference(*counts[2:], *counts[:2])
    assert back == pytest.approx((-found, -high, -low), abs=1e-8)


def test_stratified_difference_of_equal_strata_is_that_of_one_with_half_the_variance():
    one = rate_difference(12, 40, 6, 40)
    two = rate_difference([12, 12], [40, 40], [6, 6], [40, 40])
    assert two[0] == pytest.approx(one[0])
    assert (two[2] - two[1]) / (one[2] - one[1]) == pytest.approx(1 / math.sqrt(2), abs=0.02)
    with_empty = rate_difference([12, 3], [40, 9], [6, 0], [40, 0])  # a stratum with one arm says nothing
    assert with_empty == pytest.approx(one)
    assert np.isnan(rate_difference([1], [4], [0], [0])).all()


def three_ways(seed, n=120):
    """Two arms, three causes and censoring, no two days alike."""
    rng = np.random.default_rng(seed)
    day = rng.permutation(np.arange(1, n + 1)) + rng.random(n)
    cause = rng.choice(["toxicity", "progression", "death", ""], n, p=[0.2, 0.4, 0.2, 0.2])
    return pd.DataFrame({"arm": rng.choice(["new", "old"], n), "day": day, "cause": cause})


@pytest.mark.parametrize("seed", range(3))
def test_incidence_as_lifelines_has_it_without_ties(seed):
    from lifelines import AalenJohansenFitter

    table = three_ways(seed)
    curves = cumulative_incidence(table, causes=CAUSES)
    code = table["cause"].map({"": 0, "toxicity": 1, "progression": 2, "death": 3})
    for arm in ("new", "old"):
        own = table[table["arm"] == arm]
        for number, cause in enumerate(CAUSES, start=1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = AalenJohansenFitter().fit(own["day"], code[own.index], event_of_interest=number)
            theirs = fit.cumulative_density_.iloc[:, 0]
            mine = curves[(curves["cause"] == cause) & (curves["arm"] == arm)].set_index("day")
            shared = mine.index.intersection(theirs.index)
            assert len(shared) == len(mine)
            assert mine.loc[shared, "share"].to_numpy() == pytest.approx(theirs[shared].to_numpy(), abs=1e-12)
            inside = mine.loc[shared]
            inside = inside[(inside["share"] > 0) & (inside["at_risk"] > 2)]
            scale = (np.log(-np.log(inside["low"])) - np.log(-np.log(inside["high"]))) / (2 * Z95)
            error = scale * inside["share"] * -np.log(inside["share"])
            variance = pd.Series(np.ravel(fit.variance_), theirs.index)[inside.index]
            assert error.to_numpy() ** 2 == pytest.approx(variance.to_numpy(), rel=1e-6)


def test_incidence_with_ties_and_nobody_censored_is_a_count():
    table = pd.DataFrame({"arm": "one", "day": [1.0, 1, 2, 2, 2, 3, 4, 5], "cause": list("abaabbab")})
    curves = cumulative_incidence(table)
    for cause in "ab":
        own = curves[curves["cause"] == cause].set_index("day")["share"]
        for day in (1.0, 2.0, 3.0, 5.0):
            assert own[day] == pytest.approx(((table["cause"] == cause) & (table["day"] <= day)).mean())
    total = curves.groupby("day")["share"].sum()
    assert total[5.0] == pytest.approx(1.0)


def test_incidence_of_one_cause_alone_is_one_less_survival():
    table = random_trial(4)
    own = table[table["arm"] == "control"]
    days, events = own["OS_day"].tolist(), own["OS_event"].tolist()
    cause = np.where(own["OS_event"], "death", "")
    curve = cumulative_incidence(pd.DataFrame({"arm": "x", "day": own["OS_day"], "cause": cause}))
    by_day = curve.set_index("day")["share"]
    for step in kaplan_meier(days, events):
        assert by_day[step.day] == pytest.approx(1 - step.survival)


def test_incidence_is_read_no_later_than_somebody_was_followed():
    curves = cumulative_incidence(three_ways(1), causes=["toxicity"], arms=["new"])
    last = curves["day"].max()
    assert incidence_at(curves, last)[0] == pytest.approx(curves["share"].max())
    assert np.isnan(incidence_at(curves, last + 1)).all()
    assert incidence_at(curves, 0.5) == (0, 0, 0)


def test_causes_are_compared_with_the_others_censored():
    table = three_ways(2).assign(stratum=lambda x: np.where(x.index % 3 == 0, "a", "b"))
    found = compare_causes(table, causes=CAUSES, arms=["new", "old"]).set_index("cause")
    treated = (table["arm"] == "new").to_numpy()
    for cause in CAUSES:
        happened = (table["cause"] == cause).to_numpy()
        ratio = hazard_ratio(table["day"].to_numpy(), happened, treated, table["stratum"].to_numpy())
        assert found.loc[cause, ["value", "low", "high"]].tolist() == pytest.approx(ratio)
        assert found.loc[cause, "events"] == happened.sum()


def both(day, cause, treated, strata=None):
    """Gray's statistic and the ratio of cause a."""
    how = (day, cause == "a", cause == "b", treated, strata)
    return gray_test(*how)[0], subdistribution_ratio(*how)


def two_causes(seed, n=150):
    rng = np.random.default_rng(seed)
    day, treated = rng.permutation(np.arange(1.0, n + 1)), rng.random(n) < 0.5
    cause = rng.choice(["a", "b", ""], n, p=[0.45, 0.3, 0.25])
    return day, cause, treated


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_compared_turn_round_and_do_not_see_the_clock(seed):
    day, cause, treated = two_causes(seed)
    statistic, ratio = both(day, cause, treated)
    turned, other = both(np.exp(day / 100), cause, ~treated)
    assert turned == pytest.approx(statistic)
    assert (other[0], other[1]) == pytest.approx((1 / ratio[0], 1 / ratio[2]))
    assert other[3] == pytest.approx(ratio[3])
    later = np.concatenate([day, day + 500])
    twice, narrower = both(later, np.tile(cause, 2), np.tile(treated, 2), np.repeat(["x", "y"], len(day)))
    assert twice == pytest.approx(2 * statistic)
    assert narrower[0] == pytest.approx(ratio[0])
    width = math.log(ratio[2] / ratio[1]) / math.log(narrower[2] / narrower[1])
    assert width == pytest.approx(math.sqrt(2))


def test_with_one_cause_alone_the_ratio_of_shares_is_that_of_hazards():
    day, cause, treated = two_causes(3)
    cause = np.where(cause == "b", "", cause)
    found = subdistribution_ratio(day, cause == "a", cause == "b", treated)
    assert found[0] == pytest.approx(hazard_ratio(day, cause == "a", treated)[0], rel=1e-6)


def test_gray_rejects_one_in_twenty_where_shares_are_the_same():
    rng, rejected = np.random.default_rng(12), 0
    for _ in range(400):
        n = 120
        treated, cause = rng.random(n) < 0.5, rng.choice(["a", "b"], n)
        day, censored = np.ceil(rng.exponential(60, n)), np.ceil(rng.exponential(120, n))
        cause = np.where(censored < day, "", cause)
        statistic, p = gray_test(np.minimum(day, censored), cause == "a", cause == "b", treated)
        assert statistic >= 0
        rejected += p < 0.05
    assert 8 <= rejected <= 34  # 20 expected, 4.4 the error


def test_nothing_to_compare_is_no_number():
    day, cause, treated = two_causes(1)
    nobody = np.zeros(len(day), bool)
    assert np.isnan(gray_test(day, nobody, cause == "b", treated)).all()
    assert np.isnan(gray_test(day, cause == "a", cause == "b", nobody)).all()
    assert np.isnan(subdistribution_ratio(day, (cause == "a") & treated, cause == "b", treated)).all()
    assert np.isnan(subdistribution_ratio(day, nobody, cause == "b", treated)).all()


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(["a", "b", ""]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=60, deadline=None)
def test_shares_of_any_patients_are_compared_without_noise(rows):
    day, cause, treated, stratum = (np.array(column) for column in zip(*rows, strict=True))
    statistic, ratio = both(day.astype(float), cause, treated, stratum)
    assert np.isnan(statistic) or statistic >= 0
    assert np.isnan(ratio[0]) or ratio[1] <= ratio[0] <= ratio[2]


@pytest.mark.parametrize("seed", range(3))
def test_means_differ_within_strata_as_by_hand(seed):
    table = random_trial(seed)
    days, events, treated, strata = (np.array(part) for part in columns(table))
    until, parts = 0.15 * days.max(), []
    for name in np.unique(strata):
        sides = [
            restricted_mean(days[who], events[who], until)
            for who in ((strata == name) & treated, (strata == name) & ~treated)
        ]
        n1, n2 = ((strata == name) & treated).sum(), ((strata == name) & ~treated).sum()
        parts.append((n1 * n2 / (n1 + n2), sides[0][0] - sides[1][0], sides[0][1] ** 2 + sides[1][1] ** 2))
    total = sum(w for w, _, _ in parts)
    expected = sum(w * d for w, d, _ in parts) / total
    error = math.sqrt(sum(w**2 * v for w, _, v in parts)) / total
    found = restricted_mean_difference(days, events, treated, until, strata)
    assert found[:3] == pytest.approx((expected, expected - Z95 * error, expected + Z95 * error))
    alone = restricted_mean_difference(days, events, treated, until, np.repeat("all", len(days)))
    assert alone == pytest.approx(restricted_mean_difference(days, events, treated, until))


@pytest.mark.parametrize("seed", range(4))
def test_stratified_score_interval_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(8, 40, 3), rng.integers(8, 40, 3)
    x1, x2 = rng.binomial(n1, 0.5), rng.binomial(n2, 0.3)
    weight = n1 * n2 / (n1 + n2) / (n1 * n2 / (n1 + n2)).sum()
    found, low, high = rate_difference(x1, n1, x2, n2)
    assert found == pytest.approx((weight * (x1 / n1 - x2 / n2)).sum())
    for end in (low, high):
        parts = [likeliest_variance(end, *each) for each in zip(x1, n1, x2, n2, strict=True)]
        z = abs(found - end) / math.sqrt((weight**2 * np.array(parts)).sum())
        assert z == pytest.approx(Z95, rel=1e-4)


def test_treatment_ends_for_the_cause_that_the_ledger_names():
    reasons = ["toxicity", "delay", "progression", "death", "completed", "lost to follow-up", ""]
    table = pd.DataFrame({"arm": "x", "treatment_end": 50.0, "off_reason": reasons})
    causes = treatment_ends(table)["cause"].tolist()
    assert causes == ["toxicity", "toxicity", "progression", "death", "", "", ""]


def log_likelihood(beta, days, events, x):
    """Cox's partial likelihood without ties, from its definition."""
    eta = x @ beta
    return sum(eta[i] - math.log(np.exp(eta[days >= days[i]]).sum()) for i in np.flatnonzero(events))


def test_interaction_is_twice_the_gain_of_the_likelihood():
    from scipy.stats import chi2

    rng = np.random.default_rng(8)
    n = 90
    days, events = rng.permutation(np.arange(1.0, n + 1)), rng.random(n) < 0.8
    treated, level = rng.random(n) < 0.5, rng.choice(["a", "b", "c"], n)
    plain = np.column_stack([treated, level == "b", level == "c"]).astype(float)
    full = np.column_stack([plain, plain[:, :1] * plain[:, 1:]])
    best = [
        -minimize(
            lambda beta, x=x: -log_likelihood(beta, days, events, x), np.zeros(x.shape[1]), tol=1e-9
        ).fun
        for x in (plain, full)
    ]
    expected = chi2.sf(2 * (best[1] - best[0]), 2)
    assert interaction(days, events, treated, level) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(interaction(days, events, treated, np.repeat("a", n)))


def test_proportionality_in_strata_from_residuals_by_hand():
    rng = np.random.default_rng(5)
    n = 80
    days, events = rng.permutation(np.arange(1.0, n + 1)), rng.random(n) < 0.7
    treated, stratum = rng.random(n) < 0.5, rng.choice(["a", "b"], n)
    people = pd.DataFrame({"treated": treated.astype(float)})
    fit = cox(days, events, people, stratum)
    beta, error = fit.loc["treated", ["log_ratio", "error"]]
    survival = {s.day: s.survival for s in kaplan_meier(days.tolist(), events.tolist())}
    late, residual, before = [], [], 1.0
    for day in sorted(survival):
        i = int(np.flatnonzero(days == day)[0])
        at_risk = (days >= day) & (stratum == stratum[i])
        weight = np.exp(beta * treated[at_risk])
        residual.append(treated[i] - (weight * treated[at_risk]).sum() / weight.sum())
        late.append(1 - before)
        before = survival[day]
    late, scaled = np.array(late), np.array(residual) * len(residual) * error**2
    late = late - late.mean()
    expected = (late @ scaled) ** 2 / (len(residual) * error**2 * (late**2).sum())
    found = proportionality(days, events, people, stratum)
    assert found.loc["treated", "statistic"] == pytest.approx(expected, rel=1e-6)


def test_arms_that_events_separate_have_no_test_and_no_noise():
    days, people = np.arange(1.0, 13), pd.DataFrame({"treated": [1.0] * 6 + [0.0] * 6})
    assert proportionality(days, np.ones(12, bool), people).isna().all(axis=None)
    assert cox(days, np.ones(12, bool), people).isna().all(axis=None)


def test_analyze_says_responses_differences_and_why_treatment_stopped():
    rng = np.random.default_rng(2)
    n = 200
    table = random_trial(1).sample(n, replace=True, random_state=1, ignore_index=True)
    table["PFS_day"], table["PFS_event"] = table["OS_day"], table["OS_event"]
    table["bor"] = rng.choice(["CR", "PR", "SD", "PD"], n)
    table["grade"] = 0
    responded = table["bor"].isin(["CR", "PR"])
    table["response_day"] = np.where(responded, 40.0, np.nan)
    table["DOR_day"] = np.where(responded, np.maximum(table["PFS_day"] - 40, 1), np.nan)
    table["DOR_event"] = table["PFS_event"] & responded
    table["treatment_end"] = np.minimum(table["PFS_day"], 200)
    table["off_reason"] = rng.choice(["toxicity", "progression", "death", ""], n)
    found = analyze(table, arms=["experimental", "control"]).set_index(["quantity", "arm"])
    rows = {}
    for arm in ("experimental", "control"):
        own = table[table["arm"] == arm]
        rows[arm] = [
            ((own["stratum"] == s) & own["bor"].isin(["CR", "PR"])).sum() for s in ("acquired", "primary")
        ]
        rows[arm] += [(own["stratum"] == s).sum() for s in ("acquired", "primary")]
        assert found.loc[("Median time to response", arm), "value"] == pytest.approx(40 / 30.4375)
        assert found.loc[("Median DOR", arm), "n"] == sum(rows[arm][:2])
        ends = cumulative_incidence(treatment_ends(own), causes=["toxicity"])
        share = incidence_at(ends, 6 * 30.4375)[0]
        said = found.loc[("Stopped for toxicity by 6 months", arm), "value"]
        assert said == pytest.approx(100 * share, nan_ok=True)
    new, old = rows["experimental"], rows["control"]
    difference = rate_difference(new[:2], new[2:], old[:2], old[2:])
    said = found.loc[("ORR", ""), ["value", "low", "high"]].tolist()
    assert said == pytest.approx([100 * x for x in difference])
    plain = analyze(table, arms=["experimental", "control"], stratified=False).set_index(["quantity", "arm"])
    assert plain.loc[("ORR", ""), "value"] == pytest.approx(
        plain.loc[("ORR", "experimental"), "value"] - plain.loc[("ORR", "control"), "value"]
    )
    tests = found[found.index.get_level_values("quantity").str.contains(" p of ")]
    assert len(tests) == 7
    assert tests["value"].between(0, 1).all()
