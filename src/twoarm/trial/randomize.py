"""Who enters when and who gets which arm: staggered enrollment, permuted blocks, minimization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from twoarm.chance import generator, uniforms
from twoarm.errors import BlockSizeError, EmptyStratumError, MissingColumnError
from twoarm.trial.protocol import Enrollment


def enrollment_days(
    seed: int, patients: np.ndarray, *, rate: float, ramp: float, replicate: int = 0
) -> np.ndarray:
    """Calendar day on which each patient is randomized, day 0 being the opening of the trial.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    patients : (n,) int array
        Patient labels; their order does not matter.
    rate : float [1/day]
        Patients per day once all sites are open.
    ramp : float [day]
        Time over which the rate rises in a straight line from 0 to `rate`.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        Whole days. A patient's day depends on the seed, the label and the number of patients only.

    Notes
    -----
    With L(t) the expected number enrolled by t, the day is L^-1(n u): a Poisson process given its count.

    Examples
    --------
    >>> enrollment_days(1, np.arange(600), rate=1.0, ramp=100.0).max() < 650
    np.True_
    """
    labels = np.asarray(patients)
    expected = uniforms(seed, "enrollment", labels, replicate=replicate)[:, 0] * labels.size
    return np.floor(_when(expected, rate, ramp))


def enrollment_by_region(
    seed: int, patients: np.ndarray, region: np.ndarray, enrollment: Enrollment, *, replicate: int = 0
) -> np.ndarray:
    """Calendar day on which each patient is randomized, each region at its own speed.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    patients : (n,) int array
        Patient labels.
    region : (n,) str array
        Region of each.
    enrollment : Enrollment
        With `regions`.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        Whole days; a region enrolls its own patients from its start on.

    Raises
    ------
    EmptyStratumError
        If a patient's region does not enroll.
    """
    days = np.full(len(patients), np.nan)
    for name, speed in enrollment.regions.items():
        own = np.asarray(region) == name
        labels = np.asarray(patients)[own]
        expected = uniforms(seed, "enrollment", labels, replicate=replicate)[:, 0] * labels.size
        days[own] = np.floor(speed.start + _when(expected, speed.rate, speed.ramp))
    if np.isnan(days).any():
        stray = str(np.asarray(region)[np.isnan(days)][0])
        raise EmptyStratumError(factor="enrollment.regions", level=stray, present=list(enrollment.regions))
    return days


def enter(chance: np.ndarray, enrollment: Enrollment, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Calendar days of entry of many trials at once, and the region of each entry.

    Parameters
    ----------
    chance, which : (trial, patient) float array
        Uniform draws: for the day, and for the region.
    enrollment : Enrollment
        Speed of the whole, or of regions.

    Returns
    -------
    day : (trial, patient) float array [day]
        Whole days, rising along a row.
    region : (trial, patient) int array
        Number of the region, in the order of the file; 0 without regions.

    Notes
    -----
    A Poisson process given its count, as `enrollment_days`; with regions the sum of theirs, where an entry
    on day t belongs to a region with probability speed_r(t) / sum of speeds.

    Examples
    --------
    >>> from twoarm.trial.protocol import Enrollment
    >>> day, region = enter(np.array([[0.5, 0.25]]), Enrollment(rate="1 1/day"), np.array([[0.1, 0.9]]))
    >>> day.tolist(), region.tolist()
    ([[0.0, 1.0]], [[0, 0]])
    """
    count = chance.shape[1]
    expected = np.sort(chance, axis=1) * count
    if not enrollment.regions:
        return np.floor(_when(expected, enrollment.rate, enrollment.ramp)), np.zeros(chance.shape, np.int64)
    speeds = list(enrollment.regions.values())
    day = np.interp(expected, *_entered(enrollment, count))
    now = [
        np.where(day >= s.start, s.rate * np.minimum((day - s.start) / max(s.ramp, 1e-9), 1.0), 0.0)
        for s in speeds
    ]
    share = np.cumsum(now, axis=0) / np.maximum(np.sum(now, axis=0), 1e-300)
    return np.floor(day), (which[None] >= share[:-1]).sum(axis=0)


def fill_day(enrollment: Enrollment, patients: int) -> float:
    """Day by which so many patients are expected to have entered.

    Parameters
    ----------
    enrollment : Enrollment
        Speed of the whole, or of regions.
    patients : int
        How many.

    Returns
    -------
    float [day]
        Since the trial opened.

    Examples
    --------
    >>> from twoarm.trial.protocol import Enrollment
    >>> fill_day(Enrollment(rate="2 1/day", ramp="10 days"), 40)
    25.0
    """
    if enrollment.regions:
        return float(np.interp(patients, *_entered(enrollment, patients)))
    return float(_when(np.array(float(patients)), enrollment.rate, enrollment.ramp))


def _entered(enrollment: Enrollment, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Patients of all regions together, expected so far, and the days of which this is said."""
    speeds = list(enrollment.regions.values())
    least = min(speed.rate for speed in speeds)
    longest = max(speed.start + speed.ramp for speed in speeds) + count / least + 1
    grid = np.linspace(0.0, longest, 4096)
    open_for = [np.maximum(grid - speed.start, 0.0) for speed in speeds]
    so_far = [
        np.where(t < s.ramp, s.rate * t**2 / (2 * max(s.ramp, 1e-9)), s.rate * (t - s.ramp / 2))
        for t, s in zip(open_for, speeds, strict=True)
    ]
    return np.sum(so_far, axis=0), grid


def _when(expected: np.ndarray, rate: float, ramp: float) -> np.ndarray:
    """Day on which so many are expected to have entered."""
    while_opening = np.sqrt(2 * expected * ramp / rate)
    return np.where(expected < rate * ramp / 2, while_opening, expected / rate + ramp / 2)


def strata_of(patients: pd.DataFrame, factors: Sequence[str]) -> pd.Series:
    """Name of each patient's stratum.

    Parameters
    ----------
    patients : DataFrame, index patient
        One column for each factor.
    factors : sequence of str
        Columns that stratify.

    Returns
    -------
    Series of str
        Levels joined by `` / ``; "all" without factors.

    Raises
    ------
    MissingColumnError
        If a factor is not a column.

    Examples
    --------
    >>> table = pd.DataFrame({"region": ["asia", "non_asia"], "resistance": ["primary", "acquired"]})
    >>> strata_of(table, ["resistance", "region"]).tolist()
    ['primary / asia', 'acquired / non_asia']
    """
    for factor in factors:
        if factor not in patients.columns:
            raise MissingColumnError(column=factor, table="patients", purpose="to stratify the randomization")
    if not factors:
        return pd.Series("all", index=patients.index, name="stratum")
    levels = patients[list(factors)].astype(str)
    return levels.agg(" / ".join, axis=1).rename("stratum")


def randomize(
    strata: pd.Series,
    enrolled_on: np.ndarray,
    *,
    shares: Mapping[str, int],
    block_sizes: Sequence[int],
    seed: int,
    replicate: int = 0,
) -> pd.DataFrame:
    """Arm of each patient, by permuted blocks within each stratum in order of enrollment.

    Parameters
    ----------
    strata : Series of str, index patient
        Stratum of each patient.
    enrolled_on : (n,) float array [day]
        Calendar day of randomization; ties go by label.
    shares : mapping of arm to int
        Patients per arm in the smallest block, as ``{"experimental": 1, "control": 1}``.
    block_sizes : sequence of int
        Sizes to choose among, each a multiple of the sum of the shares.
    seed : int
        Seed of the trial.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    DataFrame, index patient (as given)
        `arm`, `stratum`, `block` (number within the stratum), `enrolled_on` [day].

    Raises
    ------
    BlockSizeError
        If a block size is not a multiple of the sum of the shares.

    Examples
    --------
    >>> table = randomize(
    ...     pd.Series("all", index=range(4)),
    ...     np.arange(4.0),
    ...     shares={"experimental": 1, "control": 1},
    ...     block_sizes=[4],
    ...     seed=5,
    ... )
    >>> sorted(table["arm"])
    ['control', 'control', 'experimental', 'experimental']
    """
    whole = sum(shares.values())
    for size in block_sizes:
        if size <= 0 or size % whole:
            raise BlockSizeError(size=size, shares=dict(shares))
    table = pd.DataFrame({"stratum": strata, "enrolled_on": np.asarray(enrolled_on, float)}, strata.index)
    order = table.assign(label=table.index).sort_values(["enrolled_on", "label"])
    arm = pd.Series("", index=table.index)
    block = pd.Series(0, index=table.index)
    for stratum, members in order.groupby("stratum", sort=True):
        draw = generator(seed, f"randomization {stratum}", replicate=replicate)
        arms, blocks = _blocks(len(members), shares, list(block_sizes), whole, draw)
        arm[members.index], block[members.index] = arms, blocks
    return table.assign(arm=arm, block=block)[["arm", "stratum", "block", "enrolled_on"]]


def _blocks(
    n: int, shares: Mapping[str, int], sizes: list[int], whole: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fill the first `n` places of one stratum's list: arm and block number of each."""
    arms: list[str] = []
    blocks: list[int] = []
    number = 0
    while len(arms) < n:
        size = sizes[int(draw.integers(len(sizes)))]
        block = [arm for arm, share in shares.items() for _ in range(share * size // whole)]
        arms += [block[place] for place in draw.permutation(size)]
        blocks += [number] * size
        number += 1
    return np.array(arms[:n], dtype=object), np.array(blocks[:n])


def permute_blocks(
    strata: np.ndarray, shares: Sequence[int], block_sizes: Sequence[int], draw: np.random.Generator
) -> np.ndarray:
    """Permuted blocks within strata for many trials at once.

    Parameters
    ----------
    strata : (trial, patient) int array
        Stratum of each patient, from 0; patients in order of enrollment.
    shares : sequence of int
        Patients of each arm in the smallest block.
    block_sizes : sequence of int
        Sizes to choose among, each a multiple of the sum of the shares.
    draw : numpy.random.Generator
        Of the batch of trials.

    Returns
    -------
    (trial, patient) int array
        Number of the arm.

    Raises
    ------
    BlockSizeError
        If a block size is not a multiple of the sum of the shares.

    Examples
    --------
    >>> arms = permute_blocks(np.zeros((2, 8), int), [1, 1], [4], generator(1, "blocks"))
    >>> arms[:, :4].sum(axis=1).tolist()
    [2, 2]
    """
    whole = sum(shares)
    for size in block_sizes:
        if size <= 0 or size % whole:
            raise BlockSizeError(size=size, shares={f"arm {k}": share for k, share in enumerate(shares)})
    pattern = np.repeat(np.arange(len(shares)), shares)
    arms = np.zeros(strata.shape, np.int64)
    trials = strata.shape[0]
    for stratum in range(int(strata.max(initial=0)) + 1):
        own = strata == stratum
        length = int(own.sum(axis=1).max(initial=0))
        if not length:
            continue
        sizes = np.asarray(block_sizes)[
            draw.integers(len(block_sizes), size=(trials, length // min(block_sizes) + 1))
        ]
        ends = np.cumsum(sizes, axis=1)
        places = np.arange(int(ends[:, -1].max()))
        block = (places[None, :, None] >= ends[:, None, :]).sum(axis=2)
        begins = np.concatenate([np.zeros((trials, 1), int), ends], axis=1)
        inside = places - np.take_along_axis(begins, block, 1)
        list_of = pattern[inside % whole]
        order = np.argsort(block + draw.random(block.shape), axis=1)
        filled = np.take_along_axis(list_of, order, 1)
        rank = np.cumsum(own, axis=1) - 1
        arms = np.where(own, np.take_along_axis(filled, np.maximum(rank, 0), 1), arms)
    return arms


def minimize(
    levels: np.ndarray, shares: Sequence[int], chance: np.ndarray, tie: np.ndarray, *, probability: float
) -> np.ndarray:
    """Minimization: each patient goes, as a rule, to the arm that leaves the factors most alike.

    Parameters
    ----------
    levels : (trial, patient, factor) int array
        Level of each factor; patients in order of enrollment.
    shares : sequence of int
        Patients of each arm beside the other arms.
    chance, tie : (trial, patient) float array
        Uniform draws: whether the best arm is given, and which one where two are as good.
    probability : float
        To give the best arm; the rest is shared by the others as their shares are.

    Returns
    -------
    (trial, patient) int array
        Number of the arm.

    Notes
    -----
    Imbalance of an arm is the sum over factors of the range, over arms, of the patients with the newcomer's
    level divided by the arm's share, were the newcomer given that arm.

    References
    ----------
    pococksimon1975.

    Examples
    --------
    >>> same = np.zeros((1, 6, 1), int)
    >>> halves = np.full((1, 6), 0.5)
    >>> minimize(same, [1, 1], halves, np.linspace(0.1, 0.9, 6)[None], probability=1.0).sum()
    np.int64(3)
    """
    trials, patients, factors = levels.shape
    weights = np.asarray(shares, float)
    counts = np.zeros((trials, factors, int(levels.max(initial=0)) + 1, weights.size))
    row, factor = np.arange(trials)[:, None], np.arange(factors)[None, :]
    given = np.zeros((trials, patients), np.int64)
    for patient in range(patients):
        mine = counts[row, factor, levels[:, patient]]
        badness = np.zeros((trials, weights.size))
        for arm in range(weights.size):
            then = (mine + (np.arange(weights.size) == arm)) / weights
            badness[:, arm] = (then.max(axis=2) - then.min(axis=2)).sum(axis=1)
        nudge = (np.arange(weights.size) + np.floor(tie[:, patient, None] * weights.size)) % weights.size
        best = np.argmin(badness + 1e-9 * nudge, axis=1)
        odds = np.where(np.arange(weights.size) == best[:, None], 0.0, weights)
        odds = odds / np.maximum(odds.sum(axis=1, keepdims=True), 1e-300) * (1 - probability)
        odds[row[:, 0], best] = probability
        arm = (chance[:, patient, None] >= np.cumsum(odds, axis=1)[:, :-1]).sum(axis=1)
        given[:, patient] = arm
        counts[row, factor, levels[:, patient], arm[:, None]] += 1
    return given


def minimize_one(
    levels: pd.DataFrame,
    enrolled_on: np.ndarray,
    *,
    shares: Mapping[str, int],
    probability: float,
    seed: int,
    replicate: int = 0,
) -> pd.Series:
    """Arm of each patient of one trial by minimization, in order of enrollment.

    Parameters
    ----------
    levels : DataFrame, index patient
        A column for each factor.
    enrolled_on : (n,) float array [day]
        Calendar day of randomization; ties go by label.
    shares : mapping of arm to int
        Patients of each arm beside the other arms.
    probability : float
        As `minimize`.
    seed, replicate : int
        Key of the draws.

    Returns
    -------
    Series of str, index patient
        Arms.
    """
    order = np.lexsort((levels.index.to_numpy(), np.asarray(enrolled_on, float)))
    codes = [np.unique(levels[name].astype(str), return_inverse=True)[1] for name in levels]
    table = np.stack(codes, axis=-1) if codes else np.zeros((len(levels), 1), int)
    chance = uniforms(seed, "minimization", levels.index.to_numpy(), 2, replicate=replicate)[order].T[:, None]
    arm = minimize(table[order][None], list(shares.values()), chance[0], chance[1], probability=probability)[
        0
    ]
    chosen = np.empty(len(levels), object)
    chosen[order] = np.array(list(shares), object)[arm]
    return pd.Series(chosen, levels.index, name="arm")
