"""`twoarm simulate` from files: what is written, what is resumed, and what is said of broken tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from twoarm import cli
from twoarm.errors import TwoarmError
from twoarm.study import cohort, read_files, write_files

MODEL = (
    "model m() compartment v = 2; species x in v, y in v; x = 3; y = 0; burn: x -> y; k*x*v; k = 0.5; "
    "g := x + 1; bomb' = b*bomb^2; bomb = 1; b = 0; end"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.ant").write_text(MODEL)
    k = np.linspace(0.1, 1.0, 600)
    pd.DataFrame({"ID": np.arange(600) + 1, "k": k, "b": np.where(np.arange(600) == 7, 2.0, 0.0)}).to_csv(
        "c.csv", index=False
    )
    return tmp_path


def call(*words: object):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli.app, ["simulate", "m.ant", *map(str, words)])


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    monkeypatch.setattr(sys, "argv", ["twoarm", "simulate", "m.ant", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_one_patient_as_a_table_with_every_digit(here: Path) -> None:
    assert call("--end", 10, "--start", 4, "--steps", 3, "--select", "x,g", "--out", "r.csv").exit_code == 0
    table = pd.read_csv("r.csv", float_precision="round_trip")
    assert list(table) == ["time", "x", "g"]
    assert table["time"].tolist() == [4.0, 6.0, 8.0, 10.0]
    np.testing.assert_allclose(table["x"], 3 * np.exp(-0.5 * table["time"]), rtol=1e-5)
    np.testing.assert_array_equal(table["g"], table["x"] + 1)  # no digit was lost on the way
    amounts = call("--end", 10, "--steps", 1, "--select", "x", "--amounts", "--out", "a.csv")
    assert amounts.exit_code == 0
    assert pd.read_csv("a.csv")["x"][0] == 6.0


def test_all_forms_hold_the_same(here: Path) -> None:
    words = ["--end", 4, "--steps", 4, "--cohort", "c.csv", "--failed", "mask", "--select", "x,bomb"]
    for name in ("r.csv", "r.nc", "r.zarr"):
        result = call(*words, "--out", name)
        assert result.exit_code == 0, result.exception
        assert "1 of 600 patients did not reach the end" in result.stderr
    table = pd.read_csv("r.csv", float_precision="round_trip")
    assert list(table) == ["id", "time", "x", "bomb"]
    with xr.open_dataset("r.nc", engine="h5netcdf") as net, xr.open_zarr("r.zarr", chunks=None) as store:
        for name in ("x", "bomb"):
            np.testing.assert_array_equal(net[name].to_numpy().ravel(), table[name])
            np.testing.assert_array_equal(store[name].to_numpy(), net[name].to_numpy())
        assert net["x"].attrs == store["x"].attrs
        assert net.attrs["backend"] == store.attrs["backend"] == "cpu"
        assert int(net["status"].sel(patient=8)) != 0
    failed = pd.read_csv("r.failed.csv")
    assert failed["id"].tolist() == [8]
    assert failed["stiffest"].tolist() == ["bomb"]
    assert failed["time"][0] == pytest.approx(0.5, rel=1e-3)
    assert table.query("id == 8")["x"].isna().all()
    assert sorted(path.name for path in here.iterdir()) == [
        "c.csv",
        "m.ant",
        "r.csv",
        "r.failed.csv",
        "r.nc",
        "r.zarr",
    ]


@pytest.mark.parametrize("name", ["r.csv", "r.nc", "r.zarr"])
def test_interrupted_and_resumed(here: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    how = {"end": 4.0, "steps": 2, "cohort": Path("c.csv"), "failed": "mask"}
    write_files(read_files("m.ant", **how), Path("whole.csv"))  # type: ignore[arg-type]

    def stop(done: int, of: int) -> None:
        if done >= 256:
            raise KeyboardInterrupt

    monkeypatch.setattr(cohort, "_CHUNKS", (128, 128))
    with pytest.raises(KeyboardInterrupt):
        write_files(read_files("m.ant", **how), Path(name), progress=stop)  # type: ignore[arg-type]
    assert not Path(name).exists()
    with pytest.raises(TwoarmError, match="--resume"):
        write_files(read_files("m.ant", **how), Path(name))  # type: ignore[arg-type]
    told: list[int] = []
    write_files(
        read_files("m.ant", **how), Path(name), resume=True, progress=lambda done, of: told.append(done)
    )  # type: ignore[arg-type]
    assert told[0] == 256
    if name == "r.csv":
        assert Path(name).read_bytes() == Path("whole.csv").read_bytes()
    assert not [path for path in here.iterdir() if "partial" in path.name]


def test_without_a_file_a_small_table(here: Path) -> None:
    rows = [line.split("\t") for line in call("--end", 10, "--select", "x").output.splitlines()]
    assert rows[0] == ["time", "x"]
    assert len(rows) == 12
    printed = call("--end", 4, "--cohort", "c.csv", "--failed", "mask", "--select", "x").stdout
    assert printed.startswith("at time 4\t5 %\tmedian\t95 %\nx\t")


def test_a_picture_an_estimate_and_a_diagnosis(here: Path) -> None:
    for out in ([], ["--out", "r.csv"], ["--out", "r.nc"]):
        result = call("--end", 4, "--cohort", "c.csv", "--failed", "mask", "--plot", "p.png", *out)
        assert result.exit_code == 0, result.exception
        assert Path("p.png").read_bytes()[:4] == b"\x89PNG"
        Path("p.png").unlink()
    assert "600 patients of 3 states" in call("--end", 4, "--cohort", "c.csv", "--estimate").output
    told = call("--end", 4, "--cohort", "c.csv", "--diagnose", "8").output
    assert "grows without bound" in told
    assert "b is 2 (the model's own: 0)" in told


def test_nonmem_words_in_any_case_with_dots_and_numbers_for_compartments(here: Path) -> None:
    Path("d.csv").write_text("ID,TIME,AMT,CMT,EVID,DV,MDV\n1,0,10,2,1,.,1\n1,1,.,.,0,3.1,0\n2,0,10,y,1,.,1\n")
    words = ["--end", 1, "--steps", 1, "--cohort", "c.csv", "--doses", "d.csv", "--failed", "mask"]
    assert call(*words, "--select", "y", "--out", "r.csv").exit_code == 0
    last = pd.read_csv("r.csv").query("time == 1 and id <= 3")["y"].to_list()
    assert last[0] == pytest.approx(5 + 3 * (1 - np.exp(-0.1)), rel=1e-5)
    assert last[1] - last[2] == pytest.approx(5, rel=1e-2)


def test_steady_state_by_run_in(here: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    Path("d.csv").write_text("id,time,amt,cmt,ii,ss\n0,0,10,x,1,1\n")
    words = ["--end", 1, "--steps", 1, "--select", "x", "--doses", "d.csv", "--out", "r.csv"]
    assert "run_in" in refused(capsys, monkeypatch, *words)
    assert call(*words, "--run-in", 60).exit_code == 0
    trough = 5 / (1 - np.exp(-0.5)) * np.exp(-0.5)
    np.testing.assert_allclose(pd.read_csv("r.csv")["x"], trough, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c", "id,k\n1,0.1\n2,much\n", 'x.csv, line 3, column "k": "much". It must be a finite number'),
        ("c", "id,k\n1,inf\n", 'line 2, column "k": "inf"'),
        ("c", "id,kk\n1,0.1\n", "Close: k"),
        ("c", "", "is not CSV"),
        ("c", "id,k\n1,0.1,7\n", "more cells"),
        ("c", b"id,k\n\xff\xfe,0.1\n", "is not CSV"),
        (
            "d",
            "id,time,amt,cmt\n0,0,10,x\n0,5,-1,x\n",
            'x.csv, line 3, column "amt": "-1.0". It cannot be negative',
        ),
        (
            "d",
            "id,time,amt,cmt\n0,0,10,z\n",
            'column "cmt": "z". It must be the name of a state, or its number',
        ),
        ("d", "id,time,amt,cmt\n0,0,10,9\n", 'column "cmt": "9"'),
        ("d", "id,time,amt,cmt\n4,0,10,x\n", 'line 2, column "id": "4"'),
        ("d", "id,time,amt\n0,0,10\n", '"cmt" of the dose table is missing'),
        ("d", "id,time,TIME,amt,cmt\n0,0,0,10,x\n", "there twice"),
    ],
)
def test_broken_tables_are_refused_by_line_and_column(  # type: ignore[no-untyped-def]
    here: Path, capsys, monkeypatch, name: str, text: str | bytes, said: str
) -> None:
    Path("x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    option = "--cohort" if name == "c" else "--doses"
    assert said in refused(capsys, monkeypatch, "--end", 1, option, "x.csv", "--out", "r.csv")
    assert not Path("r.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--end", 5, "--start", 5], "end is 5.0"),
        (["--end", 5, "--start", -1], "start is -1.0"),
        (["--end", 5, "--out", "r.xls"], ".zarr"),
        (["--end", 5, "--plot", "r.doc"], "is no picture"),
        (["--end", 5, "--diagnose", 3], "no patient is labeled"),
        (["--end", 5, "--select", "xx"], "no output 'xx'"),
        (["--end", 5, "--precision", "single", "--backend", "reference"], "has only double"),
        (["--end", 5, "--cohort", "none.csv"], "none.csv is not a file"),
    ],
)
def test_what_cannot_be_is_refused(here: Path, capsys, monkeypatch, words: list[object], said: str) -> None:  # type: ignore[no-untyped-def]
    assert said in refused(capsys, monkeypatch, *words)


def test_single_precision_prints_its_error(here: Path) -> None:
    result = call(
        "--end", 4, "--cohort", "c.csv", "--failed", "mask", "--precision", "single", "--rtol", 1e-4
    )
    assert "single precision: off by" in result.stderr
    assert "in the 8 patients who ran again in double" in result.stderr
