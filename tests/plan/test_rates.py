"""Response designs from pools whose rates are known: power, error, size and time in closed form."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from twoarm.design.card import check_design, read_design
from twoarm.design.two_stage import operate
from twoarm.errors import VaryError
from twoarm.plan.operate import MONTH
from twoarm.plan.pool import Course, Pool
from twoarm.plan.rates import ALL, Disease, plan_baskets, plan_rates, response_rate, stages_of
from twoarm.plan.vary import check_vary, design_of, read_vary
from twoarm.trial.protocol import Enrollment, read_protocol

SPEED = Enrollment(rate="0.5 1/day")
WAIT = 126.0  # 18 weeks, as the designs say


def responding(share, size=1000, day=84.0):
    """Patients of whom a share responds on a day."""
    never = np.full(size, np.inf)
    response = np.where(np.arange(size) < round(share * size), day, np.inf)
    none = np.zeros((size, 0))
    course = Course(never, never, never, response, never, none, none)
    return Pool(pd.DataFrame(index=pd.RangeIndex(size)), {"experimental": course})


def planned(name, **how):
    return check_design(read_design(name), read_protocol("marslight_11"), **how)


def told(table, scenario):
    return table[table["scenario"] == scenario].set_index("quantity")["value"]


def test_a_response_counts_in_time_and_before_loss():
    course = responding(0.4).arms["experimental"]
    assert response_rate(course, 0.0) == pytest.approx(0.4)
    assert response_rate(course, 0.001, 126.0) == pytest.approx(0.4 * np.exp(-0.084))
    assert response_rate(course, 0.0, 60.0) == 0.0


def test_one_arm_is_the_binomial_test_and_lasts_until_its_last_patient_is_read():
    own = planned("one_arm_response", patients=40)
    found = told(plan_rates(own, [responding(0.3)], "experimental", 0.0, enrollment=SPEED), "as planned")
    limit = binom.isf(0.025, 40, 0.1)
    assert found["power"] == pytest.approx(binom.sf(limit, 40, 0.3))
    assert found["type_one"] == pytest.approx(binom.sf(limit, 40, 0.1))
    assert found["months"] == pytest.approx((80 + WAIT) / MONTH)
    assert found["patients"] == 40


def test_two_stages_wait_for_the_first_and_end_early_as_often_as_they_stop():
    found = told(
        plan_rates(planned("simon_response"), [responding(0.1)], "experimental", 0.0, enrollment=SPEED),
        "as planned",
    )
    accept, early = operate(10, 1, 29, 5, 0.1)
    assert found["power"] == pytest.approx(accept)
    assert found["patients"] == pytest.approx(10 * early + 29 * (1 - early))
    days = early * (20 + WAIT) + (1 - early) * (58 + 2 * WAIT)
    assert found["months"] == pytest.approx(days / MONTH)


def test_the_minimax_design_is_simons():
    assert tuple(stages_of(planned("minimax_response"))) == (15, 1, 25, 5)  # simon1989, table 1


def test_another_target_is_another_design():
    wider = design_of(read_design("simon_response"), read_vary(["target=0.25"])[0])
    own = check_design(wider, read_protocol("marslight_11"))
    assert stages_of(own).patients > stages_of(planned("simon_response")).patients
    assert wider.rates.within == WAIT
    small = design_of(read_design("first_in_human"), read_vary(["target=0.25", "n=24", "cohort=1"])[0])
    assert (small.escalation.target, small.escalation.most, small.escalation.cohort) == (0.25, 24, 1)


@pytest.mark.parametrize(
    ("kind", "text"), [("two_stage", "n=40"), ("escalation", "dose=1 mg/kg"), ("comparison", "target=0.3")]
)
def test_what_means_nothing_in_a_kind_of_design_is_refused(kind, text):
    with pytest.raises(VaryError, match=f"kind {kind.replace('_', ' ')}"):
        check_vary(read_vary([text]), kind)


def diseases(*shares):
    return [
        Disease(f"basket {number}", [responding(share)], 0.0, SPEED) for number, share in enumerate(shares)
    ]


def with_control(how):
    design = read_design("basket_response")
    rates = design.rates.model_copy(update={"control": how})
    return check_design(design.model_copy(update={"rates": rates}), read_protocol("marslight_11"))


@pytest.mark.parametrize(("how", "most"), [("none", 1 - 0.95**3), ("bonferroni", 0.05), ("holm", 0.05)])
def test_baskets_keep_the_error_that_they_share(how, most):
    found = told(plan_baskets(with_control(how), diseases(0.1, 0.1, 0.1), "experimental"), ALL)
    assert found["any_false"] == pytest.approx(found["any_false_null"])
    assert 0.4 * most < found["any_false_null"] <= most


def test_baskets_do_what_drawn_baskets_do():
    own, shares = with_control("holm"), (0.1, 0.3, 0.35)
    table = plan_baskets(own, diseases(*shares), "experimental")
    stages = stages_of(own, 3)
    assert stages.patients > stages_of(own).patients  # each has the size that a third of the error needs
    draw = np.random.default_rng(6)
    trials = 4000
    first = draw.binomial(stages.first, shares, (trials, 3))
    both = first + draw.binomial(stages.patients - stages.first, shares, (trials, 3))
    # p-value: at the null, to pass the first stage and see as many
    value = np.array(
        [
            operate(stages.first, stages.stop_at, stages.patients, x - 1, 0.1)[0]
            for x in range(stages.patients + 1)
        ]
    )
    p = np.where(first > stages.stop_at, value[both], 1.0)
    order = np.argsort(p, axis=1)
    good = np.take_along_axis(p, order, 1) <= 0.05 / np.array([3, 2, 1])
    rejected = np.zeros((trials, 3), bool)
    np.put_along_axis(rejected, order, np.logical_and.accumulate(good, axis=1), 1)
    for number in range(3):
        power = told(table, f"basket {number}")["power"]
        assert power == pytest.approx(rejected[:, number].mean(), abs=0.03)
    whole = told(table, ALL)
    assert whole["any"] == pytest.approx(rejected.any(axis=1).mean(), abs=0.03)
    assert whole["accepted"] == pytest.approx(rejected.sum(axis=1).mean(), abs=0.06)
    assert whole["any_false"] == pytest.approx(rejected[:, 0].mean(), abs=0.01)
    days = np.where(first > stages.stop_at, 2 * stages.patients + 2 * WAIT, 2 * stages.first + WAIT).max(
        axis=1
    )
    assert whole["months"] == pytest.approx(days.mean() / MONTH, rel=0.01)
