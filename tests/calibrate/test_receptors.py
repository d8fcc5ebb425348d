"""The receptor layer as the library has it, beside the cells it was fitted to; and the fit itself."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.calibrate import fit_receptors, measured_ec50, read_measured, write_receptor_fit
from twoarm.calibrate.measured import lay_beside
from twoarm.calibrate.receptors import (
    library_values,
    ligand_ec50,
    molecule_of,
    native_ec50,
    predict,
    relative_error,
)
from twoarm.cells import read_cells

MEASURED = read_measured()
VALUES = library_values(MEASURED)


@pytest.fixture(scope="module")
def curve():
    return predict(MEASURED, "human", [VALUES])[0]


def test_all_that_may_move_stands_in_the_library():
    assert set(VALUES) == {one.name for one in MEASURED.free}
    assert all(one.low <= VALUES[one.name] <= one.high for one in MEASURED.free)


def test_native_il2_is_within_half_again_of_what_was_told():
    fold = np.abs(
        np.log(native_ec50(MEASURED, "human", [VALUES])[0] / np.array(list(MEASURED.ec50.values())))
    )
    assert (np.exp(fold) < 1.5).all()


def test_half_of_all_readings_are_within_a_tenth_of_the_plateau(curve):
    error = relative_error(MEASURED, curve)
    assert len(error) == 3600
    assert np.median(error) < 0.07
    for cell in ("treg", "helper", "nk", "cd8"):
        assert np.median(error[(MEASURED.table["cell"] == cell).to_numpy()]) < 0.10, cell


def test_cells_answer_in_the_order_that_was_measured():
    """Treg before helper cells before CD8, for each ligand and valency whose order the readings tell."""
    names = list(MEASURED.ec50)
    for kind in MEASURED.kinds:
        told = dict(zip(names, (measured_ec50(MEASURED, kind, cell) for cell in names), strict=True))
        found = dict(zip(names, ligand_ec50(MEASURED, "human", VALUES, kind), strict=True))
        for first, later in (("treg", "helper"), ("treg", "nk"), ("treg", "cd8"), ("helper", "cd8")):
            if told[first][1] and told[later][1] and told[later][0] > 2 * told[first][0]:
                assert found[first] < found[later], (kind, first, later)


def test_scale_and_background_of_a_day_are_those_of_least_squares(curve):
    predicted, scale = lay_beside(MEASURED, curve)
    seen = MEASURED.table["pstat5"].to_numpy()
    for group in MEASURED.table["group"].unique()[:3]:
        part = (MEASURED.table["group"] == group).to_numpy()
        slope, foot = np.polyfit(curve[part], seen[part], 1)
        np.testing.assert_allclose(predicted[part], foot + slope * curve[part], rtol=1e-5)
        np.testing.assert_allclose(scale[part], slope, rtol=1e-5)


def test_a_ligand_of_the_data_is_what_a_card_of_its_readings_gives(tmp_path):
    from twoarm.molecule import model_parameters, read_molecule

    path = tmp_path / "twin.toml"
    path.write_text(
        'name = "twin"\nkind = "cytokine"\ndescription = "a ligand of the data"\n'
        '[il2_arm]\nassay = "interferometry"\n'
        'moieties = { value = 2, source = "typeickine" }\n'
        'sensor_kd_il2ra = { value = "0.43 nM", source = "typeickine" }\n'
        'sensor_kd_il2rbg = { value = "22.35 nM", source = "typeickine" }\n',
        encoding="utf-8",
    )
    card = model_parameters(read_molecule(path), "cell")
    fitted = molecule_of(MEASURED, "fc_h16n_n_term", 2, VALUES)
    assert card == pytest.approx(fitted, rel=1e-9)


def test_readings_and_fit_are_drawn_side_by_side(curve):
    from twoarm.figures.dish import fitted_readings

    table = MEASURED.table.assign(fitted=lay_beside(MEASURED, curve)[0])
    figure = fitted_readings(table)
    assert len(figure.axes) == 4 * len(MEASURED.kinds)
    dots, line = figure.axes[0].lines[:2]
    assert dots.get_ydata().shape == line.get_ydata().shape == (12,)


def test_without_a_ligand_no_reading_of_it_is_left():
    seen = MEASURED.without("fc_wt_n_term")
    assert "fc_wt_n_term" not in set(seen.table["ligand"])
    assert len(seen.kinds) == len(MEASURED.kinds) - 2


@pytest.mark.slow
def test_the_fit_comes_to_what_the_library_says():
    fit = fit_receptors(MEASURED, start=VALUES)
    for name in fit.names:
        low, high = fit.interval(name)
        assert low <= VALUES[name] <= high, name
    assert fit.error < 0.07
    assert (
        abs(fit.correlation().loc["koff_il2rg", "half_signal_nk"]) > 0.3
    )  # they hang together, and it is said


@pytest.mark.slow
def test_the_second_set_of_counts_fits_too_and_worse():
    first, second = (fit_receptors(MEASURED, cells, start=VALUES) for cells in ("human", "human_second"))
    assert second.error < 0.10
    assert second.cost > first.cost
    assert read_cells("human_second").cells["nk"] != read_cells("human").cells["nk"]


@pytest.mark.slow
def test_a_folder_says_everything_and_a_stopped_fit_goes_on(tmp_path):
    said: list[str] = []
    values = write_receptor_fit(tmp_path, starts=1, profiles=False, say=said.append)
    assert {
        "values.csv",
        "left_out.csv",
        "ec50.csv",
        "readings.csv",
        "correlation.csv",
        "starts.csv",
        "known.csv",
        "pairs.csv",
        "order.csv",
    } <= {path.name for path in tmp_path.iterdir()}
    assert len(said) == 7  # the search, and six ligands left out
    again = write_receptor_fit(tmp_path, starts=1, profiles=False, say=said.append)
    assert len(said) == 7
    np.testing.assert_allclose(values["value"], again["value"])
