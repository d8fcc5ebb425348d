"""Numbers of the biology that are not known: drawn from the ranges that the model's text gives them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from scipy.stats import qmc

from twoarm import catalog
from twoarm.chance import generator
from twoarm.entries import read_numbers
from twoarm.errors import NoRangeError


def biology_of(model: str, names: Sequence[str], n: int, seed: int) -> pd.DataFrame:
    """Draw numbers of the biology, one row a patient.

    Parameters
    ----------
    model : str
        Name in the library, or a path, of a model whose text says ranges.
    names : sequence of str
        Its parameters.
    n : int
        How many rows.
    seed : int
        Of the draw.

    Returns
    -------
    DataFrame
        A column a name, a row a patient, in a Latin hypercube: spread over the logarithm where the range lies
        above 0, otherwise over the range.

    Raises
    ------
    NoRangeError
        If the text gives a name no range.

    Examples
    --------
    >>> drawn = biology_of("pd1_il2", ["k_kill"], n=4, seed=1)
    >>> len(drawn), bool(drawn["k_kill"].between(0.9, 24).all())
    (4, True)
    """
    said = read_numbers(catalog.find("biology", model)).set_index("entry")
    if missing := [name for name in names if name not in said.index]:
        raise NoRangeError(name=missing[0], model=model, known=[str(name) for name in said.index])
    points = qmc.LatinHypercube(d=max(len(names), 1), rng=generator(seed, "biology")).random(n)
    columns = {}
    for name, u in zip(names, points.T, strict=False):
        low, high = (float(said.loc[name, end]) for end in ("low", "high"))
        columns[name] = low * (high / low) ** u if low > 0 else low + (high - low) * u
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="patient"), dtype=float)


def laid_over(people: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """Give patients these numbers, in place of their own where they have them.

    Parameters
    ----------
    people : DataFrame
        A row a patient.
    drawn : DataFrame
        As many rows.

    Returns
    -------
    DataFrame
        The patients.
    """
    kept = people.drop(columns=people.columns.intersection(drawn.columns))
    whole = pd.concat([kept, drawn.set_axis(people.index)], axis=1)
    whole.attrs = people.attrs
    return whole
