"""Events and two-stage designs against printed numbers."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from twoarm.design.events import freedman_events, schoenfeld_events, schoenfeld_power
from twoarm.design.two_stage import operate, two_stage
from twoarm.errors import DesignNumberError, NoTwoStageDesignError

# Simon 1989, Table 1 (target - null = 0.20): null, target, alpha, beta -> optimal r1/n1 r/n EN, minimax the
# same
PRINTED = [
    (0.05, 0.25, 0.05, 0.20, (0, 9, 2, 17, 12.0), (0, 12, 2, 16, 13.8)),
    (0.10, 0.30, 0.05, 0.20, (1, 10, 5, 29, 15.0), (1, 15, 5, 25, 19.5)),
    (0.20, 0.40, 0.05, 0.20, (3, 13, 12, 43, 20.6), (4, 18, 10, 33, 22.3)),
    (0.30, 0.50, 0.05, 0.20, (5, 15, 18, 46, 23.6), (6, 19, 16, 39, 25.7)),
    (0.10, 0.30, 0.05, 0.10, (2, 18, 6, 35, 22.5), (2, 22, 6, 33, 26.2)),
    (0.20, 0.40, 0.05, 0.10, (4, 19, 15, 54, 30.4), (5, 24, 13, 45, 31.2)),
]


@pytest.mark.parametrize(("null", "target", "alpha", "beta", "optimal", "minimax"), PRINTED)
def test_simon_designs_are_those_of_the_paper(null, target, alpha, beta, optimal, minimax):
    for how, printed in (("optimal", optimal), ("minimax", minimax)):
        found = two_stage(null, target, alpha=alpha, power=1 - beta, how=how, most=60)
        said = (found.stop_at, found.first, found.fail_at, found.patients, round(found.expected, 1))
        assert said == printed
        assert found.alpha <= alpha
        assert found.power >= 1 - beta


def test_two_stages_count_as_single_patients_do():
    # every sequence of ten patients, one by one
    rate, first, stop, n, fail = 0.3, 4, 1, 10, 4
    accept = 0.0
    for bits in range(2**n):
        seen = [(bits >> k) & 1 for k in range(n)]
        if sum(seen[:first]) > stop and sum(seen) > fail:
            accept += rate ** sum(seen) * (1 - rate) ** (n - sum(seen))
    assert operate(first, stop, n, fail, rate)[0] == pytest.approx(accept, abs=1e-12)
    assert operate(first, stop, n, fail, rate)[1] == pytest.approx(binom.cdf(stop, first, rate))


def test_events_are_those_of_the_formulas():
    # 4 (1.95996 + 1.28155)^2 / ln(0.7)^2; Freedman's tables for halved hazards, 80 % power: 71 events
    assert schoenfeld_events(0.7) == pytest.approx(330.4, abs=0.1)
    assert math.ceil(schoenfeld_events(0.5, power=0.8)) == 66
    assert math.ceil(freedman_events(0.5, power=0.8)) == 71
    assert schoenfeld_power(0.7, schoenfeld_events(0.7)) == pytest.approx(0.9, abs=1e-12)
    # two to one needs 9/8 as many
    assert schoenfeld_events(0.7, share=2 / 3) / schoenfeld_events(0.7) == pytest.approx(9 / 8)


def test_what_cannot_be_is_refused():
    with pytest.raises(NoTwoStageDesignError, match="Allow more patients"):
        two_stage(0.1, 0.12, most=20)
    with pytest.raises(DesignNumberError, match=r"0\.1 and 0\.3"):
        two_stage(0.3, 0.1)
    with pytest.raises(DesignNumberError, match="not 1"):
        schoenfeld_events(1.0)
    assert np.isfinite(freedman_events(1.4))
