"""What is claimed of the molecule comes out when cards are swapped; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.molecule import read_molecule

CURVES = (
    "sld",
    "signal_effector",
    "signal_nk",
    "pstat5_treg",
    "nk_ratio",
    "leak",
    "il6",
    "inhibition_effector",
    "drug_central_nM",
)
CYTOKINE = ("il2_arm.kd_il2ra", "il2_arm.native_kd_il2rb")
BLOCKED = {
    "competitor_kon_pd1": 69.0,
    "competitor_koff_pd1": 3.5,
    "competitor_avidity_pd1": 100.0,
    "competitor_central_0": 300.0,
}


@pytest.fixture(scope="module")
def fusion():
    return read_molecule("ibi363")


def same(one, other, rtol):
    for name in CURVES:
        np.testing.assert_allclose(one[name].values, other[name].values, rtol=rtol, atol=1e-9, err_msg=name)


def test_without_cytokine_affinity_it_is_its_antibody(treat, fusion):
    weak = treat(fusion.without(*CYTOKINE), outputs=CURVES)
    same(weak, treat(fusion.without("il2_arm"), outputs=CURVES), rtol=1e-6)
    assert np.ptp(weak.signal_nk.values) < 1e-6
    assert weak.inhibition_effector.values[0, -1] < 0.01  # and it still blocks


def test_without_pd1_arm_it_is_the_untargeted_cytokine(treat, fusion):
    untargeted = read_molecule("untargeted_alpha_bias")
    values = {
        name: value
        for name, value in fusion.nominal().items()
        if name.startswith(("il2_arm.", "disposition.")) or name == "mass"
    }
    twin = untargeted.with_values(
        {name: value for name, value in values.items() if name in untargeted.nominal()}
    )
    lone = treat(fusion.without("pd1_arm"), outputs=CURVES)
    same(lone, treat(twin, outputs=CURVES), rtol=1e-6)
    assert lone.inhibition_effector.values[0, -1] > 0.85  # of the 0.9 that PD-1 can take


def test_pd1_arm_delivers_il2_to_tumor_specific_cells_and_not_to_nk(treat, fusion):
    """Fifty PD-1 on an NK cell add half of next to nothing; none add nothing."""
    names = ("signal_effector", "signal_nk")
    both, lone = (treat(m, "0.01 mg/kg", days=21, outputs=names) for m in (fusion, fusion.without("pd1_arm")))
    bare = treat(fusion, "0.01 mg/kg", days=21, outputs=names, pd1_nk=1e-3)
    gain = {name: both[name].values[0, 1] / lone[name].values[0, 1] for name in names}
    assert gain["signal_effector"] > 10
    assert gain["signal_effector"] > 5 * gain["signal_nk"]
    assert bare["signal_nk"].values[0, 1] < lone["signal_nk"].values[0, 1]
    assert both["signal_nk"].max() < 1  # complexes on a cell; half of its pSTAT5 takes 420


def test_beta_gamma_restored_brings_back_nk_cells_and_harm(treat, fusion):
    weakened = treat(
        fusion.with_values({"il2_arm.weakening_il2rb": 3000.0}), days=21, outputs=("nk_ratio", "leak", "il6")
    )
    restored = treat(
        fusion.with_values({"il2_arm.weakening_il2rb": 1.0, "il2_arm.weakening_il2rg": 1.0}),
        days=21,
        outputs=("nk_ratio", "leak", "il6"),
    )
    for driver in ("nk_ratio", "leak", "il6"):
        assert restored[driver].max() > 2 * weakened[driver].max(), driver
    assert weakened.nk_ratio.max() < 1.5
    assert restored.nk_ratio.max() > 4


def test_nk_cells_see_the_weakening_and_not_cd25(treat, fusion):
    kept = treat(fusion, days=21, outputs=("signal_nk",))
    lost = treat(fusion.without("il2_arm.kd_il2ra"), days=21, outputs=("signal_nk",))
    np.testing.assert_allclose(kept.signal_nk.values[0, 1:3], lost.signal_nk.values[0, 1:3], rtol=0.1)


@pytest.mark.parametrize("dose", ["0.1 mg/kg", "3 mg/kg"])
def test_cd25_matters_where_pd1_is_taken(treat, fusion, dose):
    """What binding CD25 adds to signaling on effectors, with and without an earlier anti-PD-1."""
    alone = fusion.without("il2_arm.kd_il2ra")
    added = {}
    for where, residue in (("open", {}), ("taken", BLOCKED)):
        with_, without = (
            treat(m, dose, days=7, outputs=("signal_effector",), **residue) for m in (fusion, alone)
        )
        added[where] = with_.signal_effector.values[0, 1:3] / without.signal_effector.values[0, 1:3]
    assert (added["taken"] > 1.2).all()
    assert (added["taken"] > added["open"]).all()


def test_treg_are_the_counterweight(treat, fusion):
    names = ("signal_treg_tumor", "treg_ratio_blood")
    kept, lost = (
        treat(m, "0.1 mg/kg", days=21, outputs=names) for m in (fusion, fusion.without("il2_arm.kd_il2ra"))
    )
    assert kept.signal_treg_tumor.values[0, 1] > lost.signal_treg_tumor.values[0, 1]
    assert kept.treg_ratio_blood.max() > 2 * lost.treg_ratio_blood.max()


def test_priming_lowers_the_first_cytokine_peak(model, typical, fusion):
    from twoarm.engine import simulate
    from twoarm.regimen import Regimen

    hours = np.arange(0, 9, 0.05)
    straight = Regimen(fusion, dose="3 mg/kg", every="3 weeks", start_day=7)
    primed = Regimen(fusion, dose="3 mg/kg", every="3 weeks", start_day=7, priming=[("0.1 mg/kg", 0)])
    peaks = [
        float(simulate(model, typical, r, days=9, visits=hours, outputs=["il6"]).il6.max())
        for r in (straight, primed)
    ]
    assert peaks[1] < peaks[0]


def test_bridging_is_bell_shaped_and_signaling_is_not():
    from twoarm.engine import simulate
    from twoarm.model.sbml import read_model

    from .one_cell import MODEL, one_cell

    nM = np.geomspace(1e-3, 1e5, 25)
    import pandas as pd

    bath = pd.concat([one_cell(drug=c, gain_cis=0.0036, off_b=124416.0 * 100) for c in nM], ignore_index=True)
    run = simulate(read_model(MODEL), bath, days=2, visits=[2], rtol=1e-5)
    bridged = sum(run[f"cell_{name}"].values[:, 0] for name in ("dpa", "dpb", "dpab", "dpbg", "dpabg"))
    signal = run["signal"].values[:, 0]
    assert 0 < bridged.argmax() < nM.size - 1
    assert bridged[-1] < 0.5 * bridged.max()
    assert signal[-1] > 0.9 * signal.max()


def test_the_sink_shows_at_low_dose_and_not_at_high(treat, fusion):
    """Clearance seen at 0.1 mg/kg exceeds that at 3 mg/kg: target-mediated loss saturates."""
    left = {}
    for dose in ("0.01 mg/kg", "3 mg/kg", "6 mg/kg"):
        run = treat(fusion, dose, days=21, outputs=("drug_central_nM",))
        left[dose] = run.drug_central_nM.values[0, 3] / float(dose.split()[0])
    assert left["0.01 mg/kg"] < 0.8 * left["3 mg/kg"]
    assert left["3 mg/kg"] == pytest.approx(left["6 mg/kg"], rel=0.25)


def test_an_antibody_to_pdl1_opens_the_synapse_too(treat):
    run = treat(read_molecule("atezolizumab"), "16 mg/kg", days=21, outputs=("inhibition_effector",))
    assert (run.inhibition_effector.values[0, :3] < 0.8).all()  # untreated 0.998


def test_a_cytotoxic_kills_tumor_and_neutrophils_and_they_come_back(treat):
    run = treat(read_molecule("docetaxel"), "75 mg/m2", days=21, outputs=("sld", "neutrophils"))
    assert run.sld.values[0, 2] < 80.1
    assert run.neutrophils.values[0].min() < 2.5
    assert run.neutrophils.values[0, -1] > 4


def test_a_steepness_below_one_is_integrated_from_no_drug_at_all(treat):
    """A power below one has no slope at zero; the cytotoxic's starts where it has one."""
    run = treat(read_molecule("docetaxel"), "75 mg/m2", days=21, outputs=("sld",), cytotoxic_hill=0.7)
    assert np.isfinite(run.sld.values).all()


def test_arming_by_il2_leaves_an_antibody_alone_and_helps_the_fusion(treat, fusion):
    bare, armed = ({"arming": value} for value in (0.0, 5.0))
    antibody = fusion.without("il2_arm")
    same(treat(antibody, outputs=CURVES, **bare), treat(antibody, outputs=CURVES, **armed), rtol=1e-6)
    shrunk = [treat(fusion, outputs=["sld"], **change)["sld"].values[0, -1] for change in (bare, armed)]
    assert shrunk[1] < 0.99 * shrunk[0]


def test_treg_of_the_tumor_crowd_each_other(treat, fusion):
    strong = fusion.with_values({"il2_arm.weakening_il2rb": 30.0})
    counts = [
        treat(strong, outputs=["treg_cells_tumor"], room_treg_tumor=room)["treg_cells_tumor"].values[0]
        for room in (3.0, 10.0, 1e6)
    ]
    assert counts[0][-1] < counts[1][-1] < counts[2][-1]


def test_il2_lifts_the_brake_of_treg_and_an_antibody_does_not(treat, fusion):
    none, most = ({"treg_lift": value} for value in (0.0, 0.9))
    antibody = fusion.without("il2_arm")
    same(treat(antibody, outputs=CURVES, **none), treat(antibody, outputs=CURVES, **most), rtol=1e-6)
    shrunk = [treat(fusion, outputs=["sld"], **change)["sld"].values[0, -1] for change in (none, most)]
    assert shrunk[1] < 0.99 * shrunk[0]


def test_pd1_takes_no_more_than_its_depth(treat, fusion):
    """Cells that no antibody frees keep killing with what PD-1 leaves them: IL-2 alone can do something."""
    lone = fusion.without("pd1_arm").with_values({"il2_arm.weakening_il2rb": 1.0})
    for depth in (0.6, 0.9):
        run = treat(lone, outputs=["inhibition_effector"], days=21, pd1_depth=depth)
        assert (run.inhibition_effector.values < depth).all()
        assert run.inhibition_effector.values[0, 0] > 0.95 * depth
    size = [
        treat(lone, outputs=["sld"], days=63, pd1_depth=depth)["sld"].values[0, -1]
        / treat(fusion, dose="1e-9 mg", outputs=["sld"], days=63, pd1_depth=depth)["sld"].values[0, -1]
        for depth in (0.6, 1.0)
    ]
    assert size[0] < 0.95
    assert size[1] == pytest.approx(1, abs=0.01)  # a brake that takes all leaves IL-2 nothing to raise


def test_a_cold_lesion_has_room_for_effectors_that_il2_makes(treat, fusion):
    """Where few T cells were, niche_power says whether IL-2 can make many; where enough were, nothing."""
    strong = fusion.with_values({"il2_arm.weakening_il2rb": 30.0})
    cold = {f"infiltration_{j}": 0.05 for j in range(1, 6)}
    most = {}
    for power in (0.0, 1.0):
        for name, lesion in (("cold", cold), ("typical", {})):
            run = treat(strong, outputs=["effector_tumor"], niche_power=power, **lesion)
            count = run.effector_tumor.values[0]
            most[name, power] = count.max() / count[0]
    assert most["cold", 1.0] > 2 * most["cold", 0.0]
    assert most["typical", 1.0] == pytest.approx(most["typical", 0.0], rel=1e-6)
