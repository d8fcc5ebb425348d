"""A population's patients, drawn block by block when their turn comes: a million need no table."""

from __future__ import annotations

from collections.abc import Hashable
from typing import get_args

import pandas as pd

from twoarm.errors import ImplausiblePopulationError, NumberOfDrawsError, UnknownMethodError
from twoarm.patients.draw import Method, draw_candidates
from twoarm.patients.plausible import plausible_columns
from twoarm.patients.population import Population

_BLOCK = 4096  # candidates drawn together, always the same ones, so that a patient has the same digits
_FEWEST_KEPT = 50


class DrawnPatients:
    """Virtual patients who are drawn when `stream` asks for them.

    Parameters
    ----------
    population : Population
        From `read_population`.
    n : int
        How many patients.
    seed : int
        Seed of the draw. The first patients stay the same when `n` grows.
    method : {"sobol", "random"}
        As for `draw_patients`, whose patients these are, to rounding.

    Attributes
    ----------
    identity : str
        Digest of the population, seed and method.
    seed : int
        As given.

    Raises
    ------
    NumberOfDrawsError
        If `n` is not a whole number of 1 or above.
    UnknownMethodError
        If the method is not on the list.

    Notes
    -----
    Rules of the population that look at an untreated course are not checked here.

    Examples
    --------
    >>> from twoarm.patients.population import read_population
    >>> patients = DrawnPatients(read_population("io_resistant_squamous_nsclc"), n=10_000, seed=7)
    >>> len(patients), patients.draw(5000, 5003).index.to_list()
    (10000, [5000, 5001, 5002])
    """

    def __init__(self, population: Population, n: int, seed: int, method: Method = "sobol") -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise NumberOfDrawsError(n=n)
        if method not in get_args(Method):
            raise UnknownMethodError(method=method, known=get_args(Method))
        self.population, self.n, self.seed, self.method = population, n, seed, method
        self.identity = f"population {population.digest} seed {seed} method {method}"
        self._before = [0]  # patients before each block of candidates, as far as that is known
        self._held: tuple[int, pd.DataFrame] | None = None  # the last block drawn, for the next call

    def __len__(self) -> int:
        return self.n

    def draw(self, first: int, last: int) -> pd.DataFrame:
        """Draw patients `first` to `last - 1`, labeled so.

        Parameters
        ----------
        first, last : int
            Which, counted from 0.

        Returns
        -------
        DataFrame
            As `draw_patients` gives them.
        """
        block = max(k for k, before in enumerate(self._before) if before <= first)
        parts: list[pd.DataFrame] = []
        found = first
        attributes: dict[Hashable, object] = {}
        while found < last:
            table = self._block(block)
            begin = self._before[block]
            part = table.iloc[max(found - begin, 0) : last - begin]
            parts.append(part)
            attributes = dict(table.attrs)
            found += len(part)
            block += 1
        drawn = pd.concat(parts, ignore_index=True) if parts else self._block(0).iloc[:0]
        drawn.index = pd.RangeIndex(first, last, name="patient")
        drawn.attrs = {**attributes, "seed": self.seed, "method": self.method}
        return drawn

    def _block(self, number: int) -> pd.DataFrame:
        """Take the plausible among a block's candidates."""
        if self._held is not None and self._held[0] == number:
            return self._held[1]
        table = draw_candidates(self.population, number * _BLOCK, _BLOCK, self.seed, self.method)
        good = plausible_columns(table, self.population.plausibility)
        kept = table[good.all(axis=1)]
        kept.attrs = table.attrs
        if len(kept) * _FEWEST_KEPT < _BLOCK:
            rejected = {str(name): int(lost) for name, lost in (~good).sum().items()}
            raise ImplausiblePopulationError(
                population=self.population.name, wanted=self.n, found=len(kept), rejected=rejected
            )
        if number + 1 == len(self._before):
            self._before.append(self._before[-1] + len(kept))
        self._held = (number, kept)
        return kept
