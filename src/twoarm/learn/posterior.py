"""What a fit left open: each fitted field of a frozen population as an unknown, spread over its posterior."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from twoarm.frozen import Frozen

_OUTCOMES = "outcomes:"
_TIED = 0.9999  # rank correlation above which two fields are one number of the fit
_WEIGHT = "weight"


def ties_of(frozen: Frozen) -> list[tuple[str, ...]]:
    """Find the fields that move together, as they are one parameter of the fit.

    Parameters
    ----------
    frozen : Frozen
        From `read_frozen`.

    Returns
    -------
    list of tuple of str
        Every field that varies between members once, in the order of the ensemble.

    Examples
    --------
    >>> from twoarm.frozen import read_frozen
    >>> ties = ties_of(read_frozen("io_naive_squamous_nsclc"))
    >>> [tie for tie in ties if tie[0] == "il2_tumor.inflamed.median"][0][1:]
    ('il2_tumor.excluded.median', 'il2_tumor.desert.median')
    """
    table = frozen.ensemble.drop(columns=_WEIGHT)
    table = table[[name for name in table.columns if table[name].nunique() > 1]]
    if len(table) < 2 or table.empty:
        return []
    alike = table.rank().corr().to_numpy() > _TIED
    names, taken, found = list(table.columns), set(), []
    for place, name in enumerate(names):
        if name in taken:
            continue
        tie = tuple(other for other, same in zip(names, alike[place], strict=True) if same)
        taken |= set(tie)
        found.append(tie)
    return found


def fitted_places(frozen: Frozen | None, *, clinic: bool) -> set[str]:
    """Name what the fit has settled: entries of the clinical link, or variables whose center was fitted.

    Parameters
    ----------
    frozen : Frozen or None
        None where nothing was fitted.
    clinic : bool
        Which of the two files.

    Returns
    -------
    set of str
        "section.entry" of the clinical link, or names of variables.
    """
    fields = [] if frozen is None else [field for tie in ties_of(frozen) for field in tie]
    if clinic:
        return {field.removeprefix(_OUTCOMES) for field in fields if field.startswith(_OUTCOMES)}
    own = [field.split(".") for field in fields if not field.startswith(_OUTCOMES)]
    return {entry for entry, *_, last in own if last not in ("sd", "within_patient")}


def group_of(tie: tuple[str, ...]) -> str:
    """Say in which file a parameter of the fit stands: "population" or "clinic"."""
    return "clinic" if tie[0].startswith(_OUTCOMES) else "population"


def place_of(tie: tuple[str, ...]) -> str:
    """Name a parameter of the fit by its first field."""
    return tie[0].removeprefix(_OUTCOMES)


def at_quantile(frozen: Frozen, fields: Iterable[str], u: float) -> dict[str, float]:
    """Give each field the quantile of its posterior.

    Parameters
    ----------
    frozen : Frozen
        From `read_frozen`.
    fields : iterable of str
        Columns of its ensemble.
    u : float
        0 to 1.

    Returns
    -------
    dict of str to float
        Between the members' values by their weights.

    Examples
    --------
    >>> from twoarm.frozen import read_frozen
    >>> frozen = read_frozen("io_naive_squamous_nsclc")
    >>> low, high = (at_quantile(frozen, ["killing.median"], u)["killing.median"] for u in (0.1, 0.9))
    >>> bool(low < high)
    True
    """
    weight = frozen.ensemble[_WEIGHT].to_numpy(float)
    found = {}
    for field in fields:
        value = frozen.ensemble[field].to_numpy(float)
        order = np.argsort(value)
        middle = np.cumsum(weight[order]) - 0.5 * weight[order]
        found[field] = float(np.interp(u * weight.sum(), middle, value[order]))
    return found


def values_at(
    frozen: Frozen, ties: Mapping[str, tuple[str, ...]], point: Mapping[str, float]
) -> dict[str, float]:
    """Give every fitted field its value at a point.

    Parameters
    ----------
    frozen : Frozen
        From `read_frozen`.
    ties : mapping of name to fields
        By the unknown's name.
    point : mapping of name to float
        Between 0 and 1; who is left out keeps the posterior's middle.

    Returns
    -------
    dict of str to float
        By field.
    """
    found: dict[str, float] = {}
    for name, fields in ties.items():
        if name in point:
            found |= at_quantile(frozen, fields, float(point[name]))
    return found
