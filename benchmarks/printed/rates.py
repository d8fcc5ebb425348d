"""Intervals of one proportion and of the difference of two."""

from __future__ import annotations

from collections.abc import Iterator

from printed.beside import Row
from twoarm.trial.analyses.rates import exact_interval, rate_difference


def rates() -> Iterator[Row]:
    """Intervals of one proportion and of the difference of two."""
    basis = "Newcombe 1998, Stat Med 17:857, Table I, Clopper-Pearson"
    for count, n, ends in (
        (81, 263, ("0.2527", "0.3676")),
        (15, 148, ("0.0578", "0.1617")),
        (0, 20, ("0.0000", "0.1684")),
        (1, 29, ("0.0009", "0.1776")),
    ):
        found = exact_interval(count, n)
        yield "Clopper-Pearson", f"{count}/{n}: low", found[0], ends[0], basis
        yield "Clopper-Pearson", f"{count}/{n}: high", found[1], ends[1], basis
    basis = "Newcombe 1998, Stat Med 17:873, Table II, Miettinen-Nurminen"
    for counts, ends in (
        ((56, 70, 48, 80), ("0.0528", "0.3382")),
        ((9, 10, 3, 10), ("0.1700", "0.8406")),
        ((5, 56, 0, 29), ("-0.0326", "0.1933")),
        ((0, 10, 0, 20), ("-0.1658", "0.2844")),
        ((10, 10, 0, 20), ("0.7156", "1.0000")),
    ):
        _, *interval = rate_difference(*counts)
        what = "{}/{} - {}/{}".format(*counts)
        yield "Miettinen-Nurminen", f"{what}: low", interval[0], ends[0], basis
        yield "Miettinen-Nurminen", f"{what}: high", interval[1], ends[1], basis
