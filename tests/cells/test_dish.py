"""`twoarm response`, end to end: tables, files, pictures, and what is refused in words."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from twoarm.cells import response, response_map
from twoarm.cli import app
from twoarm.dish import curve_table, map_files, potency_table, response_files
from twoarm.errors import FileFormError, QuantityRangeError
from twoarm.figures.dish import dose_response, response_heat

SEEN = {"cells": ["effector", "nk"], "doses": "0.01 nM:10 nM"}


def run(*words: str) -> str:
    told = CliRunner().invoke(app, ["response", *words])
    assert told.exit_code == 0, told.output
    return told.output


def test_the_command_prints_tables_and_writes_curves_and_a_picture(tmp_path):
    out, plot = tmp_path / "curves.csv", tmp_path / "curves.png"
    told = run(
        *("ibi363", "aldesleukin", "--cells", "effector,nk", "--hours", "0.5,1", "--draws", "3"),
        *("--doses", "0.01 nM:10 nM", "--out", str(out), "--plot", str(plot)),
    )
    assert "ec50" in told
    assert "ratio" in told
    curves = pd.read_csv(out)
    assert set(curves["hour"]) == {0.5, 1.0}
    assert len(curves) == 2 * 2 * 2 * curves["dose_nM"].nunique()
    assert (curves["pstat5_low"] <= curves["pstat5_high"]).all()
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_command_draws_a_map(tmp_path):
    out, plot = tmp_path / "map.csv", tmp_path / "map.svg"
    run(
        *("ibi363", "--cells", "effector,nk", "--dose", "5 nM", "--out", str(out), "--plot", str(plot)),
        *("--map", "il2_arm.weakening_il2rb=1:1000", "--map", "pd1_arm.kd=0.1 nM:10 nM"),
    )
    table = pd.read_csv(out)
    assert {"il2_arm.weakening_il2rb", "pd1_arm.kd", "cell", "pstat5", "signal", "window"} == set(table)
    assert table["pd1_arm.kd"].min() == pytest.approx(0.1)
    assert "<svg" in plot.read_text(encoding="utf-8")


def test_tables_hold_what_the_curves_hold():
    seen = response(["ibi363", "aldesleukin"], draws=3, **SEEN)
    told, curves = potency_table(seen), curve_table(seen)
    for row in told.itertuples():
        own = curves[(curves.molecule == row.molecule) & (curves.cell == row.cell)]
        assert row.maximum == pytest.approx(own.pstat5.max())
        assert row.complexes == pytest.approx(own.signal.max())
    assert (told.maximum_low <= told.maximum_high).all()


def test_a_picture_has_a_panel_a_cell_and_a_line_a_molecule():
    figure = dose_response(response(["ibi363", "aldesleukin"], draws=2, **SEEN))
    assert isinstance(figure, Figure)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 2
    assert {line.get_label() for line in panels[0].lines} >= {"ibi363", "aldesleukin"}
    mapped = response_map(
        "ibi363",
        {"il2_arm.cis_gain": [0.01, 0.1, 1], "il2_arm.kd_il2ra": [1, 5, 25]},
        dose=1.0,
        cells=["nk", "effector"],
    )
    assert len(response_heat(mapped, variable="window").axes) == 3  # two panels and the scale


def test_several_hours_are_drawn_below_each_other():
    seen = response("aldesleukin", cells=["treg", "nk"], hours=[0.5, 4], doses="0.01 nM:10 nM")
    panels = dose_response(seen).axes
    assert len(panels) == 4
    assert [panel.get_title(loc="left").split(", ")[-1].strip() for panel in panels] == [
        "0.5 h",
        "0.5 h",
        "4 h",
        "4 h",
    ]
    tops = [panel.lines[0].get_ydata().max() for panel in panels]
    assert tops[:2] == pytest.approx(seen.pstat5.sel(hour=0.5).max("dose").values.ravel())
    assert tops[2:] == pytest.approx(seen.pstat5.sel(hour=4).max("dose").values.ravel())


def test_ec50_can_be_kept_as_a_file(tmp_path):
    kept = tmp_path / "deep" / "ec50.csv"
    run("aldesleukin", "--cells", "treg,nk", "--hours", "1,4", "--ec50", str(kept))
    table = pd.read_csv(kept)
    assert list(zip(table.hour, table.cell, strict=True)) == [(1, "treg"), (1, "nk"), (4, "treg"), (4, "nk")]
    told = potency_table(response("aldesleukin", cells=["treg", "nk"], hours=[1, 4]))
    assert table.ec50.to_numpy() == pytest.approx(told.ec50.to_numpy(), rel=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"out": "curves.xlsx"},
        {"plot": "curves.gif"},
        {"ec50": "ec50.json"},
    ],
)
def test_other_files_are_not_written(wrong):
    with pytest.raises(FileFormError):
        response_files(["aldesleukin"], **wrong)


@pytest.mark.parametrize("fields", [{"pd1_arm.kd": "1:2"}, {"pd1_arm.kd": "1", "il2_arm.cis_gain": "1:2"}])
def test_a_map_needs_two_ranges(fields):
    with pytest.raises(QuantityRangeError):
        map_files("ibi363", fields, dose="1 nM")


def test_hours_that_are_no_numbers_are_refused():
    told = CliRunner().invoke(app, ["response", "aldesleukin", "--hours", "soon"])
    assert isinstance(told.exception, QuantityRangeError)
