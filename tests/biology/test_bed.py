"""The matrix of a lesion: laid down as cells grow, and left behind when they die."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.molecule import read_molecule
from twoarm.trial.imaging import diameters_at_baseline

LESION = {"diameter_baseline_1": 40.0, "diameter_baseline_2": 0.0, "diameter_baseline_3": 0.0}


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_what_is_left_of_a_lesion_whose_cells_are_gone_is_its_matrix(treat, share):
    """Killed by a cytotoxic that kills everything; the matrix goes at its own slow rate."""
    run = treat(
        read_molecule("docetaxel"),
        "75 mg/m2",
        days=120,
        outputs=("diameter_1", "cells_1"),
        **LESION,
        bed_share=share,
        cytotoxic_sensitivity=40.0,
        cytotoxic_resistant_fraction=0.0,
        infiltration_1=1e-6,
        bed_turnover=0.0,
    )
    assert float(run["cells_1"][0, -1]) < 1e-3 * float(run["cells_1"][0, 0])
    assert float(run["diameter_1"][0, -1]) == pytest.approx(40 * share ** (1 / 3), rel=0.02)


def test_a_bed_that_goes_in_a_month_lets_a_lesion_vanish(treat):
    """After the cells are gone volume falls at the rate of the bed: diameters at a third of it."""
    run = treat(
        read_molecule("docetaxel"),
        "75 mg/m2",
        days=168,
        outputs=("diameter_1",),
        **LESION,
        bed_share=0.1,
        cytotoxic_sensitivity=40.0,
        cytotoxic_resistant_fraction=0.0,
        infiltration_1=1e-6,
        bed_turnover=0.04,
    )
    course = run["diameter_1"].sel(patient=0)
    late = float(course.sel(day=168) / course.sel(day=42))
    assert late == pytest.approx(np.exp(-0.04 * 126 / 3), rel=0.1)
    assert float(course.sel(day=168)) < 3.0


def test_growth_before_treatment_leads_back_to_the_baseline_scan(treat):
    """Untreated for two weeks, then looked back upon: the size that it had."""
    run = treat(
        read_molecule("docetaxel"), "0.001 mg/m2", days=14, outputs=("diameter_1",), **LESION, growth_1=0.02
    )
    after = run["diameter_1"].values[:, -1:]
    before = diameters_at_baseline(after, np.array([[0.02]]), np.array([-14.0]))
    assert float(before[0, 0]) == pytest.approx(40.0, rel=0.01)


def test_a_lesion_that_grows_takes_its_matrix_along(treat):
    grown = [
        float(
            treat(
                read_molecule("docetaxel"),
                "75 mg/m2",
                days=63,
                outputs=("diameter_1",),
                **LESION,
                bed_share=share,
                cytotoxic_sensitivity=0.0,
            )["diameter_1"][0, -1]
        )
        for share in (0.0, 0.4)
    ]
    assert grown[0] > 43
    assert grown[1] == pytest.approx(grown[0], rel=0.02)


def test_an_antibody_to_the_ligand_blocks_as_one_to_the_receptor_does(treat):
    """Nearly: what PD-L2 does stays."""
    days = {
        name: float(
            treat(read_molecule(name), dose, days=42, outputs=("pd1_block_exposure",)).pd1_block_exposure[
                0, -1
            ]
        )
        for name, dose in (
            ("atezolizumab", "16 mg/kg"),
            ("pembrolizumab", "3 mg/kg"),
            ("docetaxel", "75 mg/m2"),
        )
    }
    assert 25 < days["atezolizumab"] < days["pembrolizumab"] <= 42
    assert np.isclose(days["docetaxel"], 0, atol=1e-6)
