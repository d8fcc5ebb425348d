"""Which virtual patients may exist: bounds on their columns, and on what they do without treatment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import pandas as pd
import xarray as xr
from pydantic import BaseModel, ConfigDict, model_validator

from twoarm.errors import UntreatedRunError


class Rule(BaseModel):
    """Bounds of one column, or of one output of the untreated patient at one day.

    An output may be judged `relative` to its own value at day 0. What is not a number is not plausible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    column: str | None = None
    output: str | None = None
    day: float = 0.0
    relative: bool = False
    low: float | None = None
    high: float | None = None
    unit: str
    source: str
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.column is None) == (self.output is None):
            raise ValueError("name either a column or an output")
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.source == "assumed" and not self.note:
            raise ValueError("an assumed bound needs a note that says why")
        if self.day < 0:
            raise ValueError("day is below 0")
        return self


class Untreated(Protocol):
    """Anything that follows untreated patients: as `simulate` of one model, without doses."""

    def __call__(self, patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]) -> xr.Dataset:
        """Give outputs over (patient, day) of every patient in the table at the days asked for."""
        ...


def plausible_columns(patients: pd.DataFrame, rules: dict[str, Rule]) -> pd.DataFrame:
    """Whether each patient keeps each rule about a column.

    Parameters
    ----------
    patients : DataFrame
        One row a patient.
    rules : dict of Rule
        Rules by name; those about outputs are left out. A lesion-level column is named without its number
        and is kept when every lesion keeps it.

    Returns
    -------
    DataFrame of bool
        Index as `patients`, one column a rule.

    Examples
    --------
    >>> table = pd.DataFrame({"weight": [70.0, 20.0, float("nan")]})
    >>> rule = Rule(column="weight", low=35, unit="kg", source="assumed", note="adults")
    >>> plausible_columns(table, {"adult": rule})["adult"].tolist()
    [True, False, False]
    """
    kept = {}
    for name, rule in rules.items():
        if rule.column is not None:
            columns = columns_of(patients, rule.column)
            kept[name] = pd.concat([_within(patients[c], rule) for c in columns], axis=1).all(axis=1)
    return pd.DataFrame(kept, index=patients.index, dtype=bool)


def plausible_outputs(patients: pd.DataFrame, rules: dict[str, Rule], untreated: Untreated) -> pd.DataFrame:
    """Whether each patient, left untreated, keeps each rule about an output.

    Parameters
    ----------
    patients : DataFrame
        One row a patient.
    rules : dict of Rule
        Rules by name; those about columns are left out.
    untreated : callable
        Called once with the patients, the days and the outputs that the rules need.

    Returns
    -------
    DataFrame of bool
        Index as `patients`, one column a rule.

    Raises
    ------
    UntreatedRunError
        If the run lacks an output, a day or a patient that was asked for.
    """
    asked = {name: rule for name, rule in rules.items() if rule.output is not None}
    if not asked or patients.empty:
        return pd.DataFrame({name: pd.Series(dtype=bool) for name in asked}, index=patients.index)
    days = sorted({0.0} | {rule.day for rule in asked.values()})
    outputs = sorted({str(rule.output) for rule in asked.values()})
    run = untreated(patients, days, outputs)
    kept = {}
    for name, rule in asked.items():
        value = _at(run, str(rule.output), rule.day, patients)
        if rule.relative:
            value = value / _at(run, str(rule.output), 0.0, patients)
        kept[name] = _within(value, rule)
    return pd.DataFrame(kept, index=patients.index)


def columns_of(patients: pd.DataFrame, name: str) -> list[str]:
    """Name the column itself, or the numbered columns of a lesion-level name.

    Examples
    --------
    >>> columns_of(pd.DataFrame(columns=["growth_1", "growth_2", "weight"]), "growth")
    ['growth_1', 'growth_2']
    """
    if name in patients:
        return [name]
    return [c for c in map(str, patients) if c.startswith(f"{name}_") and c[len(name) + 1 :].isdecimal()]


def _within(value: pd.Series, rule: Rule) -> pd.Series:
    """Tell where a number lies inside the bounds; NaN is outside."""
    kept = value.notna()
    if rule.low is not None:
        kept &= value >= rule.low
    if rule.high is not None:
        kept &= value <= rule.high
    return kept


def _at(run: xr.Dataset, output: str, day: float, patients: pd.DataFrame) -> pd.Series:
    """One output of every patient at one day of the run."""
    try:
        values = run[output].sel(day=day).sel(patient=patients.index.to_numpy())
    except KeyError as missing:
        raise UntreatedRunError(output=output, day=day) from missing
    return pd.Series(values.to_numpy(), index=patients.index)
