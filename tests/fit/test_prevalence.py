"""Prevalence weights: what must hold of them whatever the cohort."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from twoarm.errors import OutOfReachError, WeightTableError
from twoarm.fit.prevalence import weigh_patients
from twoarm.trial.analyses.curves import product_limit

MONTH = 365.25 / 12


def cohort(seed, n=150, arms=("a",), censored=True):
    """Patients with two times, a response and a change, some of them censored, some never judged."""
    chance = np.random.default_rng(seed)
    frames = []
    for arm in arms:
        true, lost = chance.exponential(300, n), chance.exponential(900, n)
        lost = lost if censored else np.full(n, np.inf)
        change = np.where(chance.random(n) < 0.1, np.nan, chance.normal(-10, 30, n))
        frames.append(
            pd.DataFrame(
                {
                    "patient": np.arange(n), "arm": arm, "OS_day": np.minimum(true, lost).round(),
                    "OS_event": true <= lost, "change": change, "response": (change < -30) * 1.0,
                }
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def target(what, at, value, tolerance=0.01, arm="a"):
    return {"arm": arm, "what": what, "at": at, "value": value, "tolerance": tolerance}


def curve_at(table, weights, month, arm="a"):
    """Weighted Kaplan-Meier by another program."""
    own = table[table["arm"] == arm]
    from lifelines import KaplanMeierFitter

    fit = KaplanMeierFitter().fit(
        own["OS_day"], own["OS_event"], weights=1000 * weights[own["patient"]].to_numpy()
    )
    return float(fit.predict(month * MONTH))


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 10**6), st.floats(-0.06, 0.06), st.floats(-0.06, 0.06))
def test_weights_sum_to_one_meet_the_targets_and_do_not_depend_on_the_order_of_patients(seed, up, down):
    table = cohort(seed)
    asked = pd.DataFrame(
        [
            target("OS", 6.0, 0.54 + up, 0.02),
            target("response", np.nan, 0.25 + down, 0.02),
            target("change", 0.0, 0.63, 0.05),
        ]
    )
    found = weigh_patients(table, asked)
    assert found.weights.sum() == pytest.approx(1.0)
    assert (found.weights >= 0).all()
    assert ((found.targets["after"] - asked["value"]).abs() <= asked["tolerance"] + 1e-4).all()
    assert found.effective <= len(found.weights) + 1e-9
    again = weigh_patients(table.sample(frac=1, random_state=seed), asked)
    np.testing.assert_allclose(again.weights, found.weights, atol=1e-5)


def test_no_targets_or_targets_that_are_met_give_equal_weights():
    table = cohort(3)
    none = weigh_patients(table, pd.DataFrame([target("OS", 6.0, 0.5)]).iloc[:0])
    assert (none.weights == 1 / 150).all()
    assert none.effective == 150
    share = table["response"].mean()
    met = weigh_patients(table, pd.DataFrame([target("response", np.nan, share)]))
    np.testing.assert_allclose(met.weights, 1 / 150, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*weights are not integers.*")
def test_a_curve_with_censored_patients_is_met_as_another_program_reads_it():
    table = cohort(5, n=300)
    months = [3.0, 6.0, 9.0, 12.0, 15.0]
    asked = pd.DataFrame([target("OS", m, np.exp(-m / 14.0), 0.005) for m in months])
    found = weigh_patients(table, asked)
    np.testing.assert_allclose(found.targets["after"], asked["value"], atol=0.0051)
    for month, share in zip(months, found.targets["after"], strict=True):
        assert curve_at(table, found.weights, month) == pytest.approx(share, abs=2e-3)
    own = product_limit(table["OS_day"], table["OS_event"])
    assert found.targets["before"][1] == pytest.approx(float(own.predict(6.0 * MONTH)), abs=1e-9)


def test_both_arms_share_the_weight_of_a_patient_and_the_farther_the_target_the_fewer_are_left():
    table, left = cohort(7, arms=("a", "b")), []
    asked = pd.DataFrame([target("OS", 6.0, 0.55, 1.0, arm=arm) for arm in "ab"])
    a, b = weigh_patients(table, asked).targets["before"]
    for shift in (0.0, 0.05, 0.10, 0.15):
        rows = [target("OS", 6.0, a + shift, arm="a"), target("OS", 6.0, b - shift, arm="b")]
        found = weigh_patients(table, pd.DataFrame(rows))
        assert len(found.weights) == 150
        left.append(found.effective)
    assert (np.diff(left) < 0).all()


def test_it_is_the_most_even_of_all_weights_that_meet_the_target():
    """One target met exactly: responders share it evenly, and so do the others."""
    table = cohort(9, censored=False)
    found = weigh_patients(table, pd.DataFrame([target("response", np.nan, 0.5, 0.0)]))
    for _, own in found.weights.groupby(table.set_index("patient")["response"]):
        np.testing.assert_allclose(own, 0.5 / len(own), rtol=1e-4)


def test_what_no_patient_shows_is_out_of_reach_and_named():
    table = cohort(11)
    with pytest.raises(OutOfReachError, match=r"a change at -500 is 0\.000, where 0\.300 is asked"):
        weigh_patients(table, pd.DataFrame([target("OS", 6.0, 0.55), target("change", -500.0, 0.3)]))
    two = pd.DataFrame([target("OS", 6.0, 0.3, 0.0), target("OS", 9.0, 0.6, 0.0)])  # a curve that rises
    with pytest.raises(OutOfReachError, match="a OS at"):
        weigh_patients(table, two)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([target("PFS", 6.0, 0.5)], "neither a column PFS nor PFS_day"),
        ([target("OS", 6.0, 0.5, arm="c")], "in the arm c"),
        ([{"arm": "a", "what": "OS"}], "no column at"),
    ],
)
def test_a_table_without_what_is_asked_is_refused(rows, said):
    with pytest.raises(WeightTableError, match=said):
        weigh_patients(cohort(1), pd.DataFrame(rows))
