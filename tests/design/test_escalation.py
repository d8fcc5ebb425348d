"""Escalation against printed boundaries, exact probabilities and second implementations."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import isotonic_regression
from scipy.stats import beta, binom, norm

from twoarm.design.escalation import (
    _isotonic,
    boin,
    boin_interval,
    crm,
    crm_posterior,
    isotonic_choice,
    skeleton_of,
    three_plus_three,
)
from twoarm.errors import DesignNumberError

# Liu and Yuan 2015, Table 1
PRINTED = {
    0.15: (0.118, 0.179),
    0.20: (0.157, 0.238),
    0.25: (0.197, 0.298),
    0.30: (0.236, 0.358),
    0.35: (0.276, 0.419),
    0.40: (0.316, 0.479),
}


def tosses(p, trials, most, seed=0):
    return np.random.default_rng(seed).random((trials, len(p), most)) < np.asarray(p)[None, :, None]


@pytest.mark.parametrize("target", PRINTED)
def test_interval_is_that_of_the_paper(target):
    # the paper cuts 0.35852 and 0.47965 off after three digits
    np.testing.assert_allclose(boin_interval(target), PRINTED[target], atol=1e-3)


def test_counts_are_those_of_the_published_table():
    # BOIN for a target of 0.30: escalate at or below, reduce at or above, give up at or above, by patients
    # treated
    low, high = boin_interval(0.3)
    printed = {3: (0, 2, 3), 6: (1, 3, 4), 9: (2, 4, 5), 12: (2, 5, 7), 15: (3, 6, 8), 18: (4, 7, 9)}
    for n, (up, down, out) in printed.items():
        assert int(np.floor(low * n + 1e-12)) == up
        assert int(np.ceil(high * n - 1e-12)) == down
        assert next(y for y in range(n + 1) if beta.sf(0.3, 1 + y, 1 + n - y) > 0.95) == out


def test_three_plus_three_as_its_tree_says():
    # every path of two doses, by hand
    p = (0.2, 0.45)
    found = three_plus_three(tosses(p, 40000, 6))

    def passes(q):
        return binom.pmf(0, 3, q) + binom.pmf(1, 3, q) * binom.pmf(0, 3, q)

    # the second dose: none in three, then at most one in six
    second = sum(
        binom.pmf(y, 3, p[1]) * binom.pmf(z, 3, p[1]) for y, z in product(range(2), range(4)) if y + z <= 1
    )
    top = passes(p[0]) * second
    assert np.mean(found.selected == 1) == pytest.approx(top, abs=0.01)
    # the first dose is left for good with two events or more, at once or after the second failed
    six_at_first = binom.pmf(1, 3, p[0]) * binom.pmf(0, 3, p[0])
    three_at_first = binom.pmf(0, 3, p[0])
    again = sum(binom.pmf(z, 3, p[0]) for z in range(2))
    first = (1 - second) * (six_at_first + three_at_first * again)
    assert np.mean(found.selected == 0) == pytest.approx(first, abs=0.01)


def test_boin_agrees_with_the_exact_tree_of_its_states():
    p, target, cohort, most = (0.15, 0.35, 0.55), 0.3, 3, 12
    low, high = boin_interval(target)

    @cache
    def picks(dose, n, y, ceiling, left):
        """Chance of each recommendation, by going through every outcome of every cohort."""
        if left == 0 or ceiling == 0:
            chosen = isotonic_choice(np.array([n]), np.array([y]), target, np.array([ceiling]))[0]
            return tuple(float(chosen == k) for k in range(-1, 3))
        total = np.zeros(4)
        for events in range(cohort + 1):
            chance = binom.pmf(events, cohort, p[dose])
            n2 = tuple(x + cohort * (k == dose) for k, x in enumerate(n))
            y2 = tuple(x + events * (k == dose) for k, x in enumerate(y))
            out = beta.sf(target, 1 + y2[dose], 1 + n2[dose] - y2[dose]) > 0.95
            ceiling2 = min(ceiling, dose) if out else ceiling
            rate = y2[dose] / n2[dose]
            step = 1 if rate <= low else -1 if rate >= high else 0
            go_to = min(max(dose + step, 0), max(ceiling2 - 1, 0))
            total += chance * np.array(picks(go_to, n2, y2, ceiling2, left - 1))
        return tuple(total)

    exact = np.array(picks(0, (0, 0, 0), (0, 0, 0), 3, most // cohort))
    found = boin(tosses(p, 40000, most), target=target, cohort=cohort, most=most, certainty=0.95)
    share = np.array([np.mean(found.selected == k) for k in range(-1, 3)])
    np.testing.assert_allclose(share, exact, atol=0.01)


def test_isotonic_fit_is_that_of_scipy():
    draw = np.random.default_rng(4)
    for _ in range(50):
        rate, weight = draw.random(6), draw.random(6) + 0.1
        np.testing.assert_allclose(
            _isotonic(rate[None], weight[None])[0], isotonic_regression(rate, weights=weight).x
        )


def test_posterior_of_the_model_is_that_of_an_adaptive_integral():
    skeleton, spread = [0.05, 0.12, 0.25, 0.4], 1.34
    n, y = np.array([3, 6, 3, 0]), np.array([0, 1, 2, 0])

    def likelihood(a):
        p = np.array(skeleton) ** np.exp(a)
        return float(np.prod(p**y * (1 - p) ** (n - y)) * norm.pdf(a, scale=spread))

    whole = quad(likelihood, -8, 6, epsabs=1e-13)[0]
    mean = [
        quad(lambda a, s=s: s ** np.exp(a) * likelihood(a), -8, 6, epsabs=1e-13)[0] / whole for s in skeleton
    ]
    found, beyond = crm_posterior(n[None], y[None], skeleton=skeleton, spread=spread, target=0.3)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    assert (np.diff(beyond[0]) >= 0).all()


def test_the_model_neither_skips_doses_nor_goes_on_when_the_first_is_too_toxic():
    skeleton = list(skeleton_of(4, 0.3, half_width=0.05, guess=1))
    how = {"target": 0.3, "skeleton": skeleton, "spread": 1.34, "cohort": 3, "most": 24, "certainty": 0.95}
    good = crm(np.zeros((1, 4, 24), bool), **how)
    assert (good.patients[0] > 0).all()
    bad = crm(np.ones((1, 4, 24), bool), **how)
    assert bad.selected[0] == -1
    assert bad.patients[0].sum() < 24


def test_skeleton_is_the_published_one():
    # getprior(0.05, 0.25, 3, 5) of dfcrm
    np.testing.assert_allclose(
        skeleton_of(5, 0.25, half_width=0.05, guess=2), [0.08, 0.16, 0.25, 0.35, 0.46], atol=0.006
    )


def test_a_target_without_meaning_is_refused():
    with pytest.raises(DesignNumberError, match="target toxicity"):
        boin_interval(0.8)
