"""The command line: help that teaches, errors without tracebacks, and one call a command."""

import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import twoarm
from twoarm import cli

COMMANDS = ("run", "list", "show", "cite", "simulate", "report", "app")


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
        last = pd.read_csv(out).query("day == 10")["x"].to_list()
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
