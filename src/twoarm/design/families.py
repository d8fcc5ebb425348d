"""Several tests in one trial: baskets that share an error, and what they accept together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twoarm.errors import DesignNumberError

_MOST = 7  # tests whose every outcome is looked at: 8^7, two million


class Family(NamedTuple):
    """Everything that several independent tests can do together.

    Attributes
    ----------
    chance : (outcome,) float array
        Probability of each combination of results.
    rejects : (outcome, test) bool array
        Which tests reject then.
    """

    chance: np.ndarray
    rejects: np.ndarray

    @property
    def each(self) -> np.ndarray:
        """Probability that each test rejects."""
        return np.asarray(self.chance @ self.rejects)

    def any_rejects(self, among: np.ndarray) -> float:
        """Probability that at least one of these tests rejects; 0 among none."""
        return float(self.chance[self.rejects[:, among].any(axis=1)].sum())


def steps_of(alpha: float, tests: int, control: str) -> np.ndarray:
    """Levels that p-values are laid beside, the strictest first.

    Parameters
    ----------
    alpha : float
        Error that is shared; without control, that of each test.
    tests : int
        How many share it.
    control : {"none", "bonferroni", "holm"}
        How.

    Returns
    -------
    (test,) float array
        Holm's steps; the same level again and again for the others.

    References
    ----------
    holm1979.

    Examples
    --------
    >>> steps_of(0.06, 3, "holm").round(3).tolist()
    [0.02, 0.03, 0.06]
    """
    if control == "holm":
        return np.asarray(alpha / np.arange(tests, 0, -1.0))
    return np.full(tests, alpha / tests if control == "bonferroni" else alpha)


def together(below: np.ndarray) -> Family:
    """Conduct Holm's procedure, or one with equal steps, on independent tests.

    Parameters
    ----------
    below : (test, step) float array
        Probability that the p-value of a test is at or below each level of `steps_of`.

    Returns
    -------
    Family
        Exact.

    Raises
    ------
    DesignNumberError
        If there are more than seven tests.

    Notes
    -----
    With p(1) <= p(2) <= ..., Holm rejects the first m, m being the largest number with
    p(i) <= alpha/(K - i + 1) for every i up to m. Every combination of steps that the tests may reach is
    looked at. With equal steps the same rule rejects each test whose p is at or below the level.

    References
    ----------
    holm1979.

    Examples
    --------
    >>> found = together(np.array([[0.025, 0.05], [0.025, 0.05]]))  # two tests without an effect
    >>> round(found.any_rejects(np.array([True, True])), 5)  # 1 - 0.975^2
    0.04938
    """
    tests = len(below)
    if tests > _MOST:
        rule = f"Every combination of outcomes is looked at; up to {_MOST} are possible. Plan fewer together."
        raise DesignNumberError(what="the number of baskets", value=tests, rule=rule)
    at = np.diff(np.column_stack([np.zeros(tests), below, np.ones(tests)]), axis=1)
    # step that each test reaches, the last for none, in every combination
    reached = np.indices((tests + 1,) * tests, dtype=np.int8).reshape(tests, -1).T
    chance = at[np.arange(tests), reached].prod(axis=1)
    good = np.stack([(reached <= step).sum(axis=1) >= step + 1 for step in range(tests)], axis=1)
    last = np.logical_and.accumulate(good, axis=1).sum(axis=1)  # how many are rejected, at least
    return Family(chance, reached < last[:, None])
