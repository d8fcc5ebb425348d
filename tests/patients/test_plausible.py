"""Plausible patients: who is refused is counted and replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.errors import UntreatedRunError
from twoarm.patients.draw import draw_patients
from twoarm.patients.plausible import Rule, plausible_columns, plausible_outputs
from twoarm.patients.population import read_population

POPULATION = read_population("io_resistant_squamous_nsclc")


def exponential(patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]) -> xr.Dataset:
    """Untreated growth of the sum of diameters, each lesion a sphere."""
    diameter, rate = (
        patients[[f"{name}_{j}" for j in range(1, 6)]].to_numpy() for name in ("diameter_baseline", "growth")
    )
    sld = np.stack([(diameter * np.exp(rate * day / 3)).sum(axis=1) for day in days], axis=1)
    where = {"patient": patients.index.to_numpy(), "day": list(days)}
    return xr.Dataset({name: (("patient", "day"), sld) for name in outputs}, coords=where)


def rule(**words: object) -> Rule:
    return Rule.model_validate({"unit": "-", "source": "assumed", "note": "test"} | words)


def test_bounds_hold_where_a_rule_sets_them() -> None:
    narrow = rule(column="growth", high=0.01)
    population = POPULATION.model_copy(update={"plausibility": {"slow": narrow}})
    patients = draw_patients(population, 60, 3)
    growth = patients[[f"growth_{j}" for j in range(1, 6)]]
    assert (growth <= 0.01).all(axis=None)
    assert patients.attrs["rejected"]["slow"] == patients.attrs["candidates"] - 60 > 0


def test_the_refused_are_replaced_by_the_next() -> None:
    heavy = rule(column="weight", low=60)
    free = POPULATION.model_copy(update={"plausibility": {}})
    ruled = POPULATION.model_copy(update={"plausibility": {"heavy": heavy}})
    everybody = draw_patients(free, 400, 3)
    expected = everybody[everybody["weight"] >= 60].head(100)
    found = draw_patients(ruled, 100, 3)
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True).rename_axis("patient"))


def test_an_untreated_course_is_checked() -> None:
    calm = rule(output="sld", day=42, relative=True, high=1.1)
    population = POPULATION.model_copy(update={"plausibility": {"calm": calm}})
    patients = draw_patients(population, 60, 3, untreated=exponential)
    course = exponential(patients, [0.0, 42.0], ["sld"])["sld"].to_numpy()
    assert (course[:, 1] / course[:, 0] <= 1.1).all()
    assert patients.attrs["rejected"]["calm"] > 0
    assert patients.attrs["unchecked"] == []


def test_the_library_rule_refuses_few_and_keeps_order() -> None:
    few = draw_patients(POPULATION, 100, 3, untreated=exponential)
    many = draw_patients(POPULATION, 300, 3, untreated=exponential)
    pd.testing.assert_frame_equal(few, many.iloc[:100])
    assert many.attrs["candidates"] < 330


def test_what_did_not_finish_is_not_plausible() -> None:
    table = pd.DataFrame({"weight": [70.0, 71.0]}, index=[4, 9])

    def half(patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]) -> xr.Dataset:
        values = np.full((2, len(days)), 50.0)
        values[1, -1] = np.nan
        where = {"patient": patients.index.to_numpy(), "day": list(days)}
        return xr.Dataset({"sld": (("patient", "day"), values)}, coords=where)

    kept = plausible_outputs(table, {"course": rule(output="sld", day=42, low=1)}, half)
    assert kept["course"].tolist() == [True, False]


def test_a_run_without_the_output_is_an_error() -> None:
    table = draw_patients(POPULATION, 3, 1)

    def nothing(patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]) -> xr.Dataset:
        return exponential(patients, days, ["volume"])

    with pytest.raises(UntreatedRunError, match="sld"):
        plausible_outputs(table, {"course": rule(output="sld", day=42, low=1)}, nothing)


def test_no_rule_is_no_column() -> None:
    table = pd.DataFrame({"weight": [70.0]})
    assert plausible_columns(table, {}).all(axis=1).tolist() == [True]


@pytest.mark.parametrize(
    "words",
    [
        {"low": 1},
        {"column": "a"},
        {"column": "a", "low": 1, "note": ""},
        {"output": "sld", "day": -1, "low": 1},
    ],
)
def test_a_rule_is_complete(words: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        rule(**words)
