"""Chance: every draw of the package, keyed by (seed, purpose, patient, replicate).

A draw belongs to its key and to nothing else: not to the order of patients, not to who else is in the table,
not to how many numbers another purpose used. Both arms of a trial, every back end and every subset of a
cohort therefore see the same patient.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from twoarm.errors import KeyOfDrawError, PatientLabelError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_ROTATIONS = (16, 42, 12, 31, 16, 32, 24, 21)
_PARITY = 0x1BD11BDAA9FC1A22
_MASK = 0xFFFFFFFFFFFFFFFF


def generator(seed: int, purpose: str, patient: int | None = None, replicate: int = 0) -> np.random.Generator:
    """Random generator of one key, for draws whose number is not known beforehand.

    Parameters
    ----------
    seed : int
        Seed of the whole run; any size.
    purpose : str
        What the draws are for, as ``"reader error"``. Two purposes never share numbers.
    patient : int, optional
        Patient label; left out, the draws belong to the trial as a whole.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    numpy.random.Generator
        Philox, at the start of the stream of this key.

    Raises
    ------
    KeyOfDrawError
        If seed, patient or replicate is not an integer, or the purpose is empty.

    References
    ----------
    salmon2011.

    Examples
    --------
    >>> one, same = generator(7, "dropout", 3), generator(7, "dropout", 3)
    >>> bool(one.random() == same.random())
    True
    """
    whose = "all" if patient is None else str(_integer("patient", patient))
    # through a seed sequence, and not the bare key, so that libraries may spawn from the generator
    words = np.random.SeedSequence(_key(seed, purpose, replicate, whose))
    return np.random.Generator(np.random.Philox(words))


def uniforms(
    seed: int, purpose: str, patients: ArrayLike, size: int = 1, *, replicate: int = 0
) -> np.ndarray:
    """Uniform draws between 0 and 1, one row a patient.

    Parameters
    ----------
    seed : int
        Seed of the whole run; any size.
    purpose : str
        What the draws are for. Two purposes never share numbers.
    patients : (n,) array of int
        Patient labels, 0 or above, in any order; a label may appear twice.
    size : int
        Draws per patient. The first draws of a patient stay the same when `size` grows.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n, size) float array
        Strictly between 0 and 1. A row depends on (seed, purpose, replicate, patient) only.

    Raises
    ------
    KeyOfDrawError
        If seed or replicate is not an integer, the purpose is empty, or `size` is below 0.
    PatientLabelError
        If a patient label is not a whole number of 0 or above.

    Notes
    -----
    Threefry-2x64 with 20 rounds: the key is a hash of (seed, purpose, replicate), the counter is
    (patient, draw). Additions, rotations and exclusive-or of 64-bit words only, hence the same bits on
    every platform.

    References
    ----------
    salmon2011, section 3.3 and the known-answer tests of its code.

    Examples
    --------
    >>> whole = uniforms(7, "visit", [0, 1, 2], size=2)
    >>> part = uniforms(7, "visit", [2], size=1)
    >>> bool(whole[2, 0] == part[0, 0])
    True
    """
    labels = _labels(patients)
    if _integer("size", size) < 0:
        raise KeyOfDrawError(part="size", value=size)
    key = _key(seed, purpose, replicate, "each")
    blocks = (size + 1) // 2
    first = np.repeat(labels, blocks)
    second = np.tile(np.arange(blocks, dtype=np.uint64), labels.size)
    words = np.stack(threefry(first, second, key & _MASK, key >> 64), axis=-1)
    bits = words.reshape(labels.size, 2 * blocks)[:, :size]
    # 52 bits and a half step: never 0, never 1, so that the inverse of a distribution is always finite
    return np.asarray(((bits >> np.uint64(12)).astype(float) + 0.5) * 2.0**-52)


def normals(seed: int, purpose: str, patients: ArrayLike, size: int = 1, *, replicate: int = 0) -> np.ndarray:
    """Draw standard normals, one row a patient: `uniforms` through the inverse distribution.

    Parameters
    ----------
    seed : int
        Seed of the whole run; any size.
    purpose : str
        What the draws are for.
    patients : (n,) array of int
        Patient labels, 0 or above, in any order.
    size : int
        Draws per patient.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n, size) float array
        Mean 0, standard deviation 1.

    Raises
    ------
    KeyOfDrawError
        As `uniforms`.
    PatientLabelError
        As `uniforms`.

    Examples
    --------
    >>> normals(7, "reader error", range(4), size=3).shape
    (4, 3)
    """
    return np.asarray(ndtri(uniforms(seed, purpose, patients, size, replicate=replicate)))


def threefry(first: np.ndarray, second: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Threefry-2x64-20 of the counters (first, second) under the key (low, high).

    Parameters
    ----------
    first, second : (n,) uint64 array
        The two words of each counter.
    low, high : int
        The two words of the key, each below 2**64.

    Returns
    -------
    tuple of two (n,) uint64 arrays
        The two words of each block.

    References
    ----------
    salmon2011, section 3.3.

    Examples
    --------
    >>> zero = np.zeros(1, np.uint64)
    >>> [hex(int(word[0])) for word in threefry(zero, zero, 0, 0)]
    ['0xc2b6e3a8c2c69865', '0x6f81ed42f350084d']
    """
    schedule = (low, high, low ^ high ^ _PARITY)
    x, y = first + np.uint64(low), second + np.uint64(high)
    for turn in range(20):
        rotation = _ROTATIONS[turn % 8]
        x = x + y
        y = (y << np.uint64(rotation)) | (y >> np.uint64(64 - rotation))
        y = y ^ x
        if turn % 4 == 3:
            step = turn // 4 + 1
            x = x + np.uint64(schedule[step % 3])
            y = y + np.uint64((schedule[(step + 1) % 3] + step) & _MASK)
    return x, y


def spread_evenly(weights: np.ndarray, n: int, seed: int, whose: str) -> np.ndarray:
    """Choose by weight, evenly spaced over all there are in an order of chance: few stand for the whole.

    Parameters
    ----------
    weights : (m,) float array
        Of those that may be chosen; not below 0.
    n : int
        How many are chosen; one of large weight may come more than once.
    seed : int
        Seed of the whole run.
    whose : str
        What is chosen, as "members".

    Returns
    -------
    (n,) int array
        Places among the weights, each as often as its share of `n` to within one.

    Examples
    --------
    >>> places = spread_evenly(np.array([3.0, 1.0]), 4, 7, "members")
    >>> sorted(places.tolist())
    [0, 0, 0, 1]
    """
    start = generator(seed, f"draw {whose}").random()
    order = generator(seed, f"order of {whose}").permutation(len(weights))
    steps = (np.arange(n) + start) / n
    sums = np.cumsum(weights[order])
    return np.asarray(order[np.searchsorted(sums, steps * sums[-1])])


def effective_number(weights: np.ndarray) -> float:
    """How many equal weights would tell as much: one over the sum of the squared shares.

    Parameters
    ----------
    weights : (m,) float array
        Not below 0; of any sum.

    Returns
    -------
    float
        Between 1 and m.

    Examples
    --------
    >>> effective_number(np.array([1.0, 1.0, 0.0, 0.0])), effective_number(np.ones(5))
    (2.0, 5.0)
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def _key(seed: int, purpose: str, replicate: int, whose: str) -> int:
    """128 bits of a hash of the key's parts; the parts are set apart so that no two keys read alike."""
    if not isinstance(purpose, str) or not purpose:
        raise KeyOfDrawError(part="purpose", value=purpose)
    parts = [str(_integer("seed", seed)), str(_integer("replicate", replicate)), whose, purpose]
    text = "".join(f"{len(part)}:{part};" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def _integer(part: str, value: int) -> int:
    """`value` as int, numpy integers welcome, truth values and floats not."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise KeyOfDrawError(part=part, value=value)
    return int(value)


def _labels(patients: ArrayLike) -> np.ndarray:
    """Patient labels as unsigned words."""
    labels = np.atleast_1d(np.asarray(patients))
    if labels.size == 0:
        return np.zeros(0, np.uint64)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise PatientLabelError(value=labels.ravel()[0])
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise PatientLabelError(value=labels.min())
    return np.asarray(labels.astype(np.uint64))
