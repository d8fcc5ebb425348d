"""Who enters when and who gets which arm: staggered enrollment and stratified permuted blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from twoarm.chance import generator, uniforms
from twoarm.errors import BlockSizeError, MissingColumnError


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
    while_opening = np.sqrt(2 * expected * ramp / rate)
    return np.floor(np.where(expected < rate * ramp / 2, while_opening, expected / rate + ramp / 2))


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
