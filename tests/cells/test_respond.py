"""Cells in molecules: what responses, EC50 and windows are, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.cells import potency, read_cells, response, response_map, selectivity
from twoarm.cells.respond import half_way
from twoarm.errors import QuantityRangeError, UnknownFieldError
from twoarm.molecule import model_parameters, read_molecule

FUSION = read_molecule("ibi363")


def test_half_way_of_a_known_curve():
    dose = np.geomspace(1e-3, 1e3, 200)
    assert half_way(np.log(dose), dose / (dose + 2.0)) == pytest.approx(2.0, rel=0.01)
    bell = dose / (dose + 2.0) * 50 / (dose + 50)
    assert half_way(np.log(dose), bell) < 2.0  # on the way up
    assert np.isnan(half_way(np.log(dose), np.zeros(200)))
    assert np.isnan(half_way(np.log(dose), np.ones(200)))


def test_doses_are_followed_at_equilibrium_by_the_closed_form():
    """An antibody on PD-1, in and out: as much is held as binding, leaving and going in allow."""
    antibody = read_molecule("pembrolizumab")
    seen = response(antibody, cells=["effector"], doses=[0.01, 0.1, 1.0], hours=[2000.0])
    arm = model_parameters(antibody, "cell")
    on = arm["drug_sites_pd1"] * arm["drug_kon_pd1"]
    off = arm["drug_koff_pd1"] / (1 + arm["drug_avidity_pd1"])
    half = (off + read_cells().constants["kint_pd1"]) / on  # where as much is held as is open
    assert (seen.signal == 0).all()
    np.testing.assert_allclose(
        seen.occupancy.values.ravel(), [d / (d + half) for d in (0.01, 0.1, 1.0)], rtol=1e-3
    )


def test_native_il2_is_within_half_again_of_what_was_measured():
    told = {"treg": 0.0219, "helper": 0.386, "nk": 1.582, "cd8": 2.076}
    ec50 = potency(response("aldesleukin", cells=list(told))).ec50.values.ravel()
    fold = np.exp(np.abs(np.log(ec50 / list(told.values()))))
    assert (fold < 1.5).all()


def test_draws_are_the_members_of_the_card_and_the_first_is_nominal():
    drawn = response(FUSION, cells=["effector"], draws=4, seed=3)
    again = response(FUSION, cells=["effector"], draws=4, seed=3)
    np.testing.assert_allclose(
        drawn.pstat5[0, 0], response(FUSION, cells=["effector"]).pstat5[0, 0], rtol=1e-6
    )
    np.testing.assert_allclose(drawn.pstat5[0], again.pstat5[0], rtol=1e-6)
    assert np.ptp(drawn.pstat5.values[0, 1:, 0, 0, -1]) > 0


def test_a_molecule_beside_another_is_as_alone():
    both = response(["aldesleukin", FUSION], cells=["nk", "treg"])
    alone = response(FUSION, cells=["treg"])
    np.testing.assert_allclose(
        both.pstat5.sel(molecule="ibi363", cell="treg"), alone.pstat5[0, :, 0], rtol=1e-4
    )


def test_the_window_is_the_ratio_of_ec50():
    seen = response([FUSION, "aldesleukin"], cells=["effector", "nk", "treg"], draws=3)
    ec50 = potency(seen).ec50.isel(draw=0, hour=0)
    window = selectivity(seen).set_index(["molecule", "cell"])
    for molecule in ("ibi363", "aldesleukin"):
        expected = float(
            ec50.sel(molecule=molecule, cell="nk") / ec50.sel(molecule=molecule, cell="effector")
        )
        assert window.loc[(molecule, "nk"), "ratio"] == pytest.approx(expected)
    assert (window.ratio_low <= window.ratio_high).all()
    assert selectivity(response(FUSION, cells=["nk"])).empty


def test_an_earlier_antibody_takes_pd1_away_and_cd25_remains():
    open_, taken = (
        response(FUSION, cells=["effector"], doses=[1.0], hours=[24.0], pd1_blocked=blocked)
        for blocked in (0, 0.95)
    )
    lone = response(
        FUSION.without("il2_arm.kd_il2ra"), cells=["effector"], doses=[1.0], hours=[24.0], pd1_blocked=0.95
    )
    assert float(taken.signal[0, 0, 0, 0, 0]) < float(open_.signal[0, 0, 0, 0, 0])
    assert float(taken.signal[0, 0, 0, 0, 0]) > 1.5 * float(lone.signal[0, 0, 0, 0, 0])
    assert float(
        response("aldesleukin", cells=["effector"], doses=[1e-4], pd1_blocked=0.95).occupancy.max()
    ) == (pytest.approx(0.95, abs=0.01))


def test_a_map_holds_what_single_cards_give():
    kd, fold = [0.1, 10.0], [1.0, 30.0, 900.0]
    mapped = response_map(
        FUSION, {"il2_arm.weakening_il2rb": fold, "pd1_arm.kd": kd}, dose="10 nM", cells=["effector", "nk"]
    )
    one = FUSION.with_values({"il2_arm.weakening_il2rb": 30.0, "pd1_arm.kd": 10.0})
    single = response(one, cells=["effector", "nk"], doses=[10.0])
    np.testing.assert_allclose(mapped.pstat5[1, 1], single.pstat5[0, 0, :, 0, 0], rtol=1e-4)
    assert (np.diff(mapped.pstat5.sel(cell="nk").values[:, 0]) < 0).all()  # weaker on beta, less on NK cells
    np.testing.assert_allclose(mapped.window[..., 0], 0)
    with pytest.raises(UnknownFieldError):
        response_map(FUSION, {"il2_arm.flavor": [1], "pd1_arm.kd": [1]}, dose=1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"doses": "1 nM"},
        {"doses": "10 nM:1 nM"},
        {"doses": [1.0, 0.5]},
        {"hours": [2.0, 1.0]},
        {"hours": -1.0},
        {"pd1_blocked": 1.0},
        {"pd1_blocked": -0.1},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(QuantityRangeError):
        response("aldesleukin", cells=["nk"], **wrong)


def test_unknown_cells_are_named():
    with pytest.raises(UnknownFieldError, match="effector"):
        response("aldesleukin", cells=["efector"])
