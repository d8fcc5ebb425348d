"""Nothing comes from nowhere: drug, receptors, cycles of binding, and a patient without drug."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.engine import simulate
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import read_molecule

from .one_cell import one_cell

PD1 = ("pd1", "mp", "dp", "dpa", "dpb", "dpab", "dpbg", "dpabg")
ALPHA = ("il2ra", "la", "lab", "da", "dab", "dabg", "dpa", "dpab", "dpabg")
BETA = ("il2rb", "lb", "lab", "db", "dab", "dbg", "dabg", "dpb", "dpab", "dpbg", "dpabg")
# not quite 0: what was counted is held by a balance of these
STILL = {
    name: 1e-30
    for name in (
        "turnover_p",
        "turnover_a",
        "turnover_b",
        "internalize_p",
        "internalize_active",
        "recycle_a",
        "shed_a",
    )
}
factor = st.floats(-2, 2).map(lambda power: 10.0**power)


@pytest.mark.parametrize(
    ("name", "dose"),
    [
        ("ibi363", "0.1 mg/kg"),
        ("ibi363", "3 mg/kg"),
        ("aldesleukin", "0.037 mg/kg"),
        ("pembrolizumab", "2 mg/kg"),
    ],
)
def test_drug_given_is_drug_found(treat, typical, name, dose):
    molecule = read_molecule(name)
    run = treat(molecule, dose, days=50, outputs=["drug_given"], rtol=1e-8)
    amount = float(dose.split()[0]) * 70e3 / molecule.nominal()["mass"]  # mg/kg · kg over kDa = nmol, a dose
    given_by = amount * np.array(
        [1, 1, 1, 1, 1, 2, 3]
    )  # what is recorded on a dosing day is from before the dose
    np.testing.assert_allclose(run.drug_given.values[0], given_by, rtol=1e-6)


def test_residual_antibody_is_conserved(model: Model):
    patient = pd.DataFrame(
        {
            "competitor_central_0": [300.0],
            "competitor_kon_pd1": [69.0],
            "competitor_koff_pd1": [3.5],
            "competitor_avidity_pd1": [100.0],
        }
    )
    run = simulate(model, patient, days=100, visits=[0, 10, 50, 100], outputs=["competitor_given"], rtol=1e-8)
    np.testing.assert_allclose(run.competitor_given.values[0], run.competitor_given.values[0, 0], rtol=1e-6)


@settings(max_examples=5)
@given(drug=factor, affinity=factor, gain=factor, competitor=factor)
def test_receptors_of_a_cell_are_conserved_without_turnover(drug, affinity, gain, competitor):
    cell = one_cell(drug=drug, gain_cis=0.0575 * gain, off_p=43.2 * affinity, competitor=competitor, **STILL)
    visits = [0, 0.01, 1, 7]
    run = simulate(read_model_once(), cell, days=7, visits=visits, rtol=1e-6)
    for chain in (PD1, ALPHA, BETA):
        total = sum(run[f"cell_{name}"].values[0] for name in chain)
        if chain is ALPHA:
            total = total + run["cell_il2ra_inside"].values[0]
        np.testing.assert_allclose(total, total[0], rtol=1e-9)


@settings(max_examples=5)
@given(
    drug=factor,
    affinity=factor,
    gain=factor,
    help_=st.floats(1, 5),
    il2=factor,
    moieties=st.sampled_from([1.0, 2.0]),
)
def test_at_rest_every_binding_step_stands_still(drug, affinity, gain, help_, il2, moieties):
    """Net flux of each step is zero at equilibrium if, and only if, every cycle closes."""
    model = read_model_once()
    cell = one_cell(
        drug=drug,
        gain_cis=0.0575 * gain,
        off_a=8640 * affinity,
        cooperativity=help_,
        il2=0.01 * il2,
        competitor=1.0,
        moieties=moieties,
        **STILL,
    )
    steps = [
        name
        for name in model.outputs
        if name.startswith("cell_")
        and any(word in name for word in ("bind_", "_then_", "block", "il2_a", "il2_b"))
        and "_inside" not in name
    ]
    steps = [
        name for name in steps if model.units.get(name, "").startswith("molecule") or name not in model.states
    ]
    run = simulate(model, cell, days=3000, visits=[3000], rtol=1e-8, outputs=[*steps, "cell_bind_p"])
    traffic = 1e3  # molecules a day that bind in either direction, at least
    moving = {name: float(run[name][0, 0]) for name in steps if abs(float(run[name][0, 0])) > 1e-5 * traffic}
    assert len(steps) >= 23
    assert not moving


def test_a_year_without_drug_and_tumor_changes_nothing(model: Model):
    patient = pd.DataFrame({f"diameter_baseline_{j}": [0.0] for j in range(1, 6)})
    run = simulate(model, patient, days=365, visits=[0, 365], outputs=list(model.states), rtol=1e-8)
    for name in model.states:
        before, after = run[name].values[0]
        assert after == pytest.approx(before, rel=1e-6, abs=1e-9 if before == 0 else 0), name


def test_a_year_beside_a_frozen_tumor_changes_nothing(model: Model):
    frozen = {f"growth_{j}": [0.0] for j in range(1, 6)} | {
        "k_kill": [0.0],
        "loss_rate": [0.0],
        "resistance_rate": [0.0],
        "nk_kill_rate": [0.0],
    }
    run = simulate(
        model, pd.DataFrame(frozen), days=365, visits=[0, 365], outputs=list(model.states), rtol=1e-8
    )
    for name in model.states:
        before, after = run[name].values[0]
        assert after == pytest.approx(before, rel=2e-6, abs=1e-9 if before == 0 else 0), name


def read_model_once() -> Model:
    from .one_cell import MODEL

    return read_model(MODEL)
