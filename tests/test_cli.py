"""The command line: help that teaches, errors without tracebacks, and one call a command."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import twoarm
from twoarm import cli

COMMANDS = ("run", "list", "show", "cite", "simulate", "response", "fit", "experiment", "report", "app")


def call(*words):
    return CliRunner().invoke(cli.app, list(words))


def ended(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["twoarm", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


def test_version():
    assert call("--version").output.strip() == twoarm.__version__


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"twoarm {command}" in " ".join(result.output.split())


def test_help_of_all_names_every_command():
    output = call("--help").output
    assert all(command in output for command in COMMANDS)


def test_list_and_show_and_cite():
    assert "pembrolizumab" in call("list", "molecules").output
    shown = call("show", "molecule", "TAK-928").output
    assert "il2_arm.weakening_il2rb" in shown
    assert "assumed" in shown
    assert "ahamadi2017" in call("cite", "pembrolizumab").output


def test_show_model_says_units():
    shown = call("show", "model", "pd1_il2").output
    assert "drug_central" in shown
    assert "nmol" in shown


def test_an_error_is_a_message_with_code_2(monkeypatch, capsys):
    assert ended(monkeypatch, "show", "molecule", "pembrolizumb") == 2
    said = capsys.readouterr().err
    assert 'Close: "pembrolizumab"' in said
    assert "Traceback" not in said


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["twoarm", "--debug", "show", "molecule", "pembrolizumb"])
    with pytest.raises(twoarm.TwoarmError):
        cli.main()


def test_a_wrong_option_is_code_2(monkeypatch, capsys):
    assert ended(monkeypatch, "run", "--patience", "7") == 2
    assert "patience" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(monkeypatch, capsys, tmp_path):
    assert ended(monkeypatch, "cite", str(tmp_path)) == 2
    assert "result.json" in capsys.readouterr().err
    assert ended(monkeypatch, "report", str(tmp_path)) == 2
    assert ended(monkeypatch, "app", str(tmp_path)) == 2


def test_a_file_too_large_is_refused_before_it_is_read(monkeypatch, capsys, tmp_path):
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as file:
        file.truncate(1_000_000_000)
    assert ended(monkeypatch, "show", "molecule", str(huge)) == 2
    assert "FileTooLargeError" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".csv", ".nc"])
def test_simulate_a_model_of_ones_own(tmp_path, suffix):
    model, cohort, doses, out = (tmp_path / name for name in ("m.ant", "c.csv", "d.csv", f"run{suffix}"))
    model.write_text(
        "model m() compartment v = 2; species x in v; x = 0; -> x; 0; x -> ; k*x*v; k = 0.5; end"
    )
    cohort.write_text("id,k\n0,0.1\n1,0.2\n")
    doses.write_text("id,time,amt,cmt\n0,0,10,x\n1,0,10,x\n")
    words = ["--end", "10", "--steps", "5", "--cohort", str(cohort), "--doses", str(doses), "--out", str(out)]
    result = call("simulate", str(model), *words, "--select", "x")
    assert result.exit_code == 0, result.exception
    if suffix == ".csv":
        last = pd.read_csv(out).query("time == 10")["x"].to_list()
    else:
        with xr.open_dataset(out, engine="h5netcdf") as run:
            last = run["x"].sel(day=10).to_numpy().tolist()
    assert last == pytest.approx([5 * 2.718281828459045**-1, 5 * 2.718281828459045**-2], rel=1e-4)


def test_simulate_says_which_forms_it_writes(monkeypatch, capsys, tmp_path):
    model = tmp_path / "m.ant"
    model.write_text("model m() x' = -x; x = 1; end")
    assert ended(monkeypatch, "simulate", str(model), "--end", "1", "--out", str(tmp_path / "run.xls")) == 2
    assert ".nc" in capsys.readouterr().err


def test_the_module_is_the_command():
    said = subprocess.run(
        [sys.executable, "-m", "twoarm", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == twoarm.__version__


def test_app_serves_pages_and_nothing_above(tmp_path):
    import threading
    import urllib.error
    import urllib.request

    from twoarm import app

    (tmp_path / "secret.txt").write_text("no")
    runs = tmp_path / "runs"
    (runs / "one").mkdir(parents=True)
    (runs / "one" / "report.html").write_text("<p>a page</p>")
    assert app.pages(runs) == ["one/report.html"]
    server = app.listen(runs, port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/one/report.html", timeout=10) as page:
            assert b"a page" in page.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/../secret.txt", timeout=10)
        refused.value.close()
        with pytest.raises(twoarm.TwoarmError, match="taken"):
            app.listen(runs, port=server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "name", "old", "new", "said"),
    [
        ("molecule", "molecules/ibi363", 'low = "0.05 nM"', "low = 0.05", "has no unit"),
        ("molecule", "molecules/ibi363", "avidity =", "avidty =", "Close: avidity"),
        ("molecule", "molecules/ibi363", 'name = "ibi363"', 'name = "../x"', "letters, digits"),
        ("protocol", "protocols/marslight_11", "longest_delay", "longest_dely", "Close: longest_delay"),
        ("protocol", "protocols/marslight_11", '"marslight11"', '"marslight12"', "not in the bibliography"),
        ("protocol", "protocols/marslight_11", "value = 600", "value = 0", "above 0"),
        ("population", "populations/io_resistant_squamous_nsclc", '"normal"', '"nromal"', "'nromal'"),
        (
            "population",
            "populations/io_resistant_squamous_nsclc",
            "mosteller1987",
            "mosteller",
            "bibliography",
        ),
        ("outcomes", "outcomes/squamous_nsclc", "source =", "sauce =", "sauce"),
    ],
)
def test_show_checks_a_file_of_ones_own(monkeypatch, capsys, tmp_path, kind, name, old, new, said):
    text = (Path(twoarm.__file__).parent / "library" / f"{name}.toml").read_text(encoding="utf-8")
    assert old in text
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert ended(monkeypatch, "show", kind, str(mine)) == 2
    message = capsys.readouterr().err
    assert "mine.toml" in message
    assert said in message


def test_show_model_says_value_range_source_and_what_it_is():
    rows = [line.split("\t") for line in call("show", "model", "pd1_il2").output.splitlines()]
    shown = {row[0]: row[1:] for row in rows}
    assert shown["area_t_cell"] == ["152 (113 to 400)", "um2", "jafarnejad2019", "T-cell surface"]
    assert shown["growth_2"][2] == "assumed"
    assert "nan" not in {row[1] for row in rows}


def test_cite_knows_models():
    assert "jafarnejad2019" in call("cite", "pd1_il2").output


SIMPLE = "model m() unit time_unit = 86400 second; x' = -k*x; x = 1; k = 0.5; end"


@pytest.mark.parametrize(
    ("cohort", "doses", "words", "said"),
    [
        ("id,k\n1,0.1\n", "id,time,amt,cmt\n7,0,10,x\n", (), "7"),
        (None, "id,time,amt,cmt\n1,0,10,x\n", (), "no cohort"),
        ("id,k\n1,0.1,5,6\n", None, (), "more cells"),
        ("id,k\n1,0.1\n,0.2\n", None, (), 'cohort.csv, line 3, column "id"'),
        ("id,k\n1,0.1\n1,0.2\n", None, (), 'line 3, column "id": "1"'),
        (None, None, ("--end", "inf"), "end is inf"),
        (None, None, ("--end", "0"), "end is 0.0"),
        (None, None, ("--steps", "100000000000"), "1,000,000"),
        (None, None, ("--out", "file/x.csv"), "cannot be written"),
    ],
)
def test_simulate_refuses_in_words(monkeypatch, capsys, tmp_path, cohort, doses, words, said):
    monkeypatch.chdir(tmp_path)
    Path("m.ant").write_text(SIMPLE)
    Path("file").write_text("a file, no folder")
    given = ["--end", "5", "--out", "x.csv", *words]
    for name, text in (("cohort", cohort), ("doses", doses)):
        if text is not None:
            Path(f"{name}.csv").write_text(text)
            given += [f"--{name}", f"{name}.csv"]
    assert ended(monkeypatch, "simulate", "m.ant", *given) == 2
    assert said in capsys.readouterr().err
    assert not Path("x.csv").exists()


def test_simulate_a_model_without_states_is_refused(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("m.ant").write_text("model m() a = 1; end")
    assert ended(monkeypatch, "simulate", "m.ant", "--end", "5", "--out", "x.csv") == 2
    assert "no curve" in capsys.readouterr().err


def test_a_folder_chosen_for_the_user_is_moved_aside_and_one_of_theirs_refused(monkeypatch, capsys, tmp_path):
    from twoarm import study

    monkeypatch.chdir(tmp_path)
    old = Path("results/marslight-11")
    old.mkdir(parents=True)
    (old / "study.json").write_text('{"seed": 11, "versions": {"twoarm": "0.0.9"}}')

    def run_study(name, folder, **how):
        study.folder.claim(folder, {"seed": 11, "versions": {"twoarm": "0.1.0"}})
        (folder / "report.html").write_text("new")

    monkeypatch.setattr(study, "run_study", run_study)
    monkeypatch.setattr(study, "tables_of", lambda findings: {})
    assert ended(monkeypatch, "run", "marslight-11", "--out", str(old)) == 2
    assert "another version of twoarm" in capsys.readouterr().err
    assert ended(monkeypatch, "run", "marslight-11") == 0
    assert "results/marslight-11.before-1" in capsys.readouterr().err
    assert "0.0.9" in Path("results/marslight-11.before-1/study.json").read_text()
    assert (old / "report.html").read_text() == "new"


def test_a_prior_is_not_frozen_over_what_was_fitted(monkeypatch):
    frozen = []
    monkeypatch.setattr("twoarm.fit.freeze_prior", lambda name, folder, **how: frozen.append(name) or name)
    assert "twoarm calibrate inspire_melanoma freezes it" in " ".join(
        call("calibrate", "melanoma").output.split()
    )
    assert not frozen
    call("calibrate", "colorectal")
    assert frozen == ["third_line_mss_colorectal"]
