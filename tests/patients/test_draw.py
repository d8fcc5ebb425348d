"""Draws: keyed, correlated, and like the published aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.errors import ImplausiblePopulationError, NumberOfDrawsError, UnknownMethodError
from twoarm.patients.draw import Method, draw_patients
from twoarm.patients.population import Population, read_population

METHODS: list[Method] = ["sobol", "random"]
RESISTANT = read_population("io_resistant_squamous_nsclc")
NAIVE = read_population("io_naive_squamous_nsclc")
COHORTS = {
    (name, method): draw_patients(population, 4000, 3, method=method)
    for name, population in (("resistant", RESISTANT), ("naive", NAIVE))
    for method in METHODS
}
cohorts = pytest.mark.parametrize("patients", COHORTS.values(), ids=["-".join(key) for key in COHORTS])


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    few=st.integers(1, 40),
    more=st.integers(0, 60),
    method=st.sampled_from(METHODS),
)
def test_the_first_patients_stay_when_more_are_drawn(seed: int, few: int, more: int, method: Method) -> None:
    part = draw_patients(RESISTANT, few, seed, method=method)
    whole = draw_patients(RESISTANT, few + more, seed, method=method)
    pd.testing.assert_frame_equal(part, whole.iloc[:few])


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_is_another_cohort(method: Method) -> None:
    one, other = (draw_patients(RESISTANT, 50, seed, method=method)["killing"] for seed in (1, 2))
    assert not np.isclose(one, other).any()


def test_random_draws_do_not_notice_another_variable() -> None:
    fewer = RESISTANT.model_copy(
        update={"variables": {k: v for k, v in RESISTANT.variables.items() if k != "killing"}}
    )
    whole = draw_patients(RESISTANT, 30, 5, method="random").drop(columns="killing")
    part = draw_patients(fewer, 30, 5, method="random")
    pd.testing.assert_frame_equal(part, whole[part.columns])


@cohorts
def test_sums_of_diameters_are_those_of_oak_squamous(patients: pd.DataFrame) -> None:
    # OAK squamous, docetaxel and atezolizumab arms: median 82 and 75, quartiles 52-116 and 42-104,
    # sd of the log 0.55 and 0.67 (gandara2018)
    low, middle, high = patients["sld_baseline"].quantile([0.25, 0.5, 0.75])
    assert 75 <= middle <= 82
    assert 42 <= low <= 54
    assert 102 <= high <= 124
    assert 0.55 <= np.log(patients["sld_baseline"]).std() <= 0.67
    assert patients["lesions"].median() in (2, 3)


@cohorts
def test_single_lesions_are_those_of_oak(patients: pd.DataFrame) -> None:
    # one target lesion of 696 OAK patients: median 38 mm, sd of the log 0.59 (laleh2022)
    assert patients["diameter_baseline_1"].median() == pytest.approx(38, rel=0.05)
    assert np.log(patients["diameter_baseline_1"]).std() == pytest.approx(0.59, abs=0.06)


@cohorts
def test_absent_lesions_have_no_diameter(patients: pd.DataFrame) -> None:
    diameters = patients[[f"diameter_baseline_{j}" for j in range(1, 6)]].to_numpy()
    assert ((diameters > 0).sum(axis=1) == patients["lesions"]).all()
    assert np.allclose(diameters.sum(axis=1), patients["sld_baseline"])
    assert (np.diff((diameters > 0).astype(int), axis=1) <= 0).all()


@cohorts
def test_doubling_times_are_those_of_squamous(patients: pd.DataFrame) -> None:
    for lesion in (1, 5):
        time = np.log(2) / patients[f"growth_{lesion}"]
        assert time.median() == pytest.approx(95, rel=0.06)
        assert np.log(time).std() == pytest.approx(0.79, abs=0.03)  # 0.86, cut at 15 and 700 days
    both = np.log(patients[["growth_1", "growth_4"]]).corr().iloc[0, 1]
    assert both == pytest.approx(0.66, abs=0.04)


@cohorts
def test_correlations_of_the_file_are_in_the_draws(patients: pd.DataFrame) -> None:
    shrink = np.log(patients["cytotoxic_sensitivity"])
    for lesion in (1, 3):
        growth = np.log(patients[f"growth_{lesion}"])
        assert growth.corr(shrink) == pytest.approx(0.55, abs=0.04)
    size = np.log(patients["lesion_diameter_2"])
    assert patients["albumin"].corr(size) == pytest.approx(-0.2, abs=0.05)
    assert patients["albumin"].corr(np.log(patients["sld_baseline"])) < -0.1
    factors = np.log(patients[["clearance_factor", "volume_factor"]]).corr().iloc[0, 1]
    assert factors == pytest.approx(0.3, abs=0.05)
    free = np.log(patients["killing"]).corr(np.log(patients["half_signal"]))
    assert free == pytest.approx(0.0, abs=0.05)


@cohorts
def test_antigen_loss_has_two_kinds_of_patients(patients: pd.DataFrame) -> None:
    has = patients["antigen_loss_clone"] == 1
    loss = patients[[f"antigen_loss_{j}" for j in range(1, 6)]]
    assert (loss[~has] <= 1e-4).all(axis=None)
    assert (loss[has] >= 0.05).all(axis=None)


def test_resistant_and_naive_differ_where_they_should() -> None:
    resistant, naive = COHORTS["resistant", "sobol"], COHORTS["naive", "sobol"]
    assert resistant["antigen_loss_clone"].mean() == pytest.approx(0.294, abs=0.02)
    assert naive["antigen_loss_clone"].mean() == pytest.approx(0.10, abs=0.02)
    assert (naive["competitor_central_0"] == 0).all()
    # weeks after the last dose most PD-1 is still taken: 3.7 nM is half-maximal (elassaissschaap2017)
    assert 0.6 < (resistant["competitor_central_0"] > 3.7).mean() < 0.99
    assert resistant["exhausted_share"].median() > naive["exhausted_share"].median()


def test_residual_antibody_falls_with_time() -> None:
    patients = COHORTS["resistant", "random"]
    expected = patients["prior_antibody_trough"] * 0.5 ** (
        (patients["days_since_anti_pd1"] - 21) / patients["prior_antibody_half_life"]
    )
    assert np.allclose(patients["competitor_central_0"], expected)
    ranks = patients[["competitor_central_0", "days_since_anti_pd1"]].rank().corr().iloc[0, 1]
    assert ranks < -0.8


def test_sobol_is_closer_to_the_population_than_chance() -> None:
    error = {}
    for method in METHODS:
        means = [
            np.log(draw_patients(RESISTANT, 256, seed, method=method)["neutrophils_0"]).mean()
            for seed in range(12)
        ]
        error[method] = np.std(means)
    assert error["sobol"] < 0.3 * error["random"]


def test_provenance_travels_with_the_patients() -> None:
    patients = draw_patients(RESISTANT, 20, 9)
    known = patients.attrs
    assert known["population"] == "io_resistant_squamous_nsclc"
    assert known["seed"] == 9
    assert known["candidates"] >= 20
    assert known["units"]["growth_3"] == "1/day"
    assert known["unchecked"] == ["untreated_course"]
    assert {"region", "doubling_time_2", "age"} <= set(known["covariates"])
    assert not {"growth_1", "killing"} & set(known["covariates"])
    assert patients.index.tolist() == list(range(20))
    assert patients.index.name == "patient"


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_cohort_has_a_whole_number_of_patients(n: object) -> None:
    with pytest.raises(NumberOfDrawsError):
        draw_patients(RESISTANT, n, 1)  # type: ignore[arg-type]


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UnknownMethodError, match="halton"):
        draw_patients(RESISTANT, 5, 1, method="halton")  # type: ignore[arg-type]


def test_a_rule_that_nobody_keeps_is_an_error(tmp_path: Path) -> None:
    rule = RESISTANT.plausibility["body"].model_copy(update={"low": 2.55})
    population: Population = RESISTANT.model_copy(update={"plausibility": {"body": rule}})
    with pytest.raises(ImplausiblePopulationError, match="body"):
        draw_patients(population, 30, 1)


def test_an_untreated_run_gets_whole_patients_who_carry_their_residue() -> None:
    """What judges plausibility sees the prior antibody's card and knows which columns are covariates."""
    seen: list[pd.DataFrame] = []

    def course(patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]) -> xr.Dataset:
        seen.append(patients)
        size = np.ones((len(patients), len(days))) * np.array([1.0 if day == 0 else 1.1 for day in days])
        coords = {"patient": patients.index, "day": list(days)}
        return xr.Dataset({name: (("patient", "day"), size) for name in outputs}, coords=coords)

    drawn = draw_patients(read_population("io_resistant_squamous_nsclc"), 8, 1, untreated=course)
    assert drawn.attrs["unchecked"] == []
    assert (seen[0]["competitor_kon_pd1"] > 0).all()
    assert "weight" in seen[0].attrs["covariates"]
    assert drawn["competitor_kon_pd1"].nunique() == 1
