"""A whole study on a biology with a closed solution: files, repeatability, resuming, and what is refused."""

import filecmp
import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twoarm as ta
from twoarm.errors import OtherStudyError, PatientsFailedError
from twoarm.study import compose, folder, report_study, run, run_study, tables_of

STAND_IN = Path(__file__).parent.parent / "trial" / "stand_in.py"


def stand_in():
    spec = importlib.util.spec_from_file_location("stand_in_of_studies", STAND_IN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def biology():
    """The stand-in as a model with a digest, and its solver for patients of a real population."""
    made = stand_in()
    model = made.biology()
    model.digest = "0" * 64

    def advance(model, patients, doses, **how):
        growth = patients["growth_1"].clip(lower=0.002)
        return made.advance(model, patients.assign(growth=growth, shrinkage=2e-5), doses, **how)

    return model, advance


@pytest.fixture
def study(biology, monkeypatch, request):
    """Run a small study; its page is drawn only where a test is about the page."""
    model, advance = biology
    monkeypatch.setattr(run, "read_model", lambda name: model)
    if "page" not in request.node.name:
        monkeypatch.setattr(
            compose, "write_report", lambda findings, path: path.write_text(repr(findings.measures))
        )

    def go(place, **how):
        return run_study(
            "marslight-11", place, **{"seed": 11, "patients": 120, "draws": 2, "advance": advance} | how
        )

    return go


def files_of(place):
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())


def test_a_study_writes_its_folder_and_its_page(study, tmp_path):
    steps = []
    findings = study(tmp_path, replicates=1, progress=lambda step, share: steps.append((step, share)))
    names = files_of(tmp_path)
    assert {"study.json", "result.json", "report.html", "population.csv", "cards/ibi363.csv"} <= set(names)
    for part in ("draw-000", "draw-001", "draw-000-chance-1"):
        assert f"draws/{part}/courses.nc" in names
        assert len(pd.read_csv(tmp_path / "draws" / part / "patients.csv")) <= 120
    assert not [name for name in names if name.endswith(".tmp")]
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    ratio = findings.measures.query("quantity == 'Hazard ratio of OS'").iloc[0]
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert findings.shares.groupby("quantity")["share"].sum().to_list() == pytest.approx([1.0, 1.0])
    assert set(findings.comparison["use"]) == {"calibrate", "validate"}
    assert "marslight11" in findings.sources
    assert "Not for clinical decisions" in (tmp_path / "report.html").read_text(encoding="utf-8")
    record = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert record["provenance"]["digest of model"] == "0" * 16
    titles = " ".join(tables_of(findings))
    assert "2 draws" in titles


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(study, tmp_path):
    for name in ("one", "two"):
        study(tmp_path / name, draws=1)
    study(tmp_path / "other", seed=12, draws=1)
    same = [name for name in files_of(tmp_path / "one") if not name.endswith(".nc")]
    match, mismatch, errors = filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", same, shallow=False)
    assert not mismatch + errors
    assert len(match) == len(same)
    first, second = (
        (tmp_path / name / "draws/draw-000/measures.csv").read_text(encoding="utf-8")
        for name in ("one", "other")
    )
    assert first != second


def test_an_interrupted_study_goes_on_and_ends_as_if_nothing_happened(study, biology, tmp_path):
    _, advance = biology
    calls = {"left": 80}

    def fails(*words, **how):
        calls["left"] -= 1
        if calls["left"] == 0:
            raise KeyboardInterrupt
        return advance(*words, **how)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    study(whole)
    with pytest.raises(KeyboardInterrupt):
        study(cut, advance=fails)
    assert not (cut / "result.json").exists()
    study(cut)
    assert (cut / "result.json").read_bytes() == (whole / "result.json").read_bytes()
    assert (cut / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def test_a_folder_keeps_one_study(study, tmp_path):
    study(tmp_path, draws=1)
    with pytest.raises(OtherStudyError, match="seed"):
        study(tmp_path, draws=1, seed=12)


def test_the_page_can_be_written_again(study, tmp_path):
    study(tmp_path, draws=1)
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    assert report_study(tmp_path).read_bytes() == before


def test_the_sources_of_a_run_are_its_bibliography(study, tmp_path):
    study(tmp_path, draws=1)
    from twoarm.listing import sources_behind

    keys = {reference.key for reference in ta.cite(sources_behind(tmp_path))}
    assert {"marslight11", "eisenhauer2009", "friberg2002"} <= keys


def test_a_study_of_one_arm(study, tmp_path):
    findings = run_study(
        "oak-docetaxel-squamous",
        tmp_path,
        seed=3,
        patients=30,
        draws=5,
        advance=study.__closure__[0].cell_contents,
    )
    assert findings.draws is None
    assert set(findings.comparison["use"]) <= {"calibrate", "validate"}


def test_nobody_is_lost_between_files(study, tmp_path):
    study(tmp_path, draws=1)
    people = folder.read_table(tmp_path / "population.csv")
    assert len(people) == 120
    flow = folder.read_table(tmp_path / "draws/draw-000/flow.csv")
    assert flow.query("step == 'randomized'")["count"].sum() == flow["count"].iloc[0]
    assert np.isfinite(people["weight"]).all()


def test_a_trial_in_which_many_fail_is_not_written(study, biology, tmp_path):
    _, advance = biology

    def most_fail(*words, **how):
        run = advance(*words, **how)
        run["status"].values[: len(run["status"]) // 2] = 2
        return run

    with pytest.raises(PatientsFailedError, match="did not finish"):
        study(tmp_path, draws=1, advance=most_fail)
    assert not (tmp_path / "draws/draw-000/result.json").exists()


@pytest.mark.parametrize("patients", [0, 1, -5, 10**9])
def test_a_number_of_patients_that_no_trial_has_is_refused(study, tmp_path, patients):
    with pytest.raises(ta.TwoarmError, match="from 2 to 100,000"):
        study(tmp_path, patients=patients)
    assert not files_of(tmp_path)


def changed(tmp_path, old, new, kind="protocols"):
    text = (Path(ta.__file__).parent / "library" / kind / "marslight_11.toml").read_text(encoding="utf-8")
    assert old in text
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace(old, new, 1), encoding="utf-8")
    return mine


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("protocols", '"3 mg/kg"', '"-3 mg/kg"', "above 0"),
        ("protocols", '"1.5 mg/kg"', '"-1.5 mg/kg"', "above 0"),
        ("protocols", '"0.1 mg/kg"', '"0.1 day"', "0.1 day"),
        ("protocols", '"ibi363"', '"ibi364"', 'Close: "ibi363"'),
        ("protocols", 'population = "io', '# population = "io', 'no "population"'),
        ("protocols", '"squamous_nsclc"', '"squamous"', "no outcome file"),
        ("studies", 'arm = "docetaxel"', 'arm = "docetaxl"', "docetaxl"),
        ("studies", '"OAK-SQ-01"', '"OAK-SQ-99"', "OAK-SQ-99"),
        ("studies", 'drug = "docetaxel"', 'drug = "docetaxl"', "Close: docetaxel"),
    ],
)
def test_a_bad_protocol_or_study_is_refused_before_anything_is_written(tmp_path, kind, old, new, said):
    mine = changed(tmp_path, old, new, kind)
    with pytest.raises(ta.TwoarmError, match=said):
        run_study(mine, tmp_path / "out", seed=11, patients=20)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_of_ones_own_is_left_alone(study, tmp_path):
    (tmp_path / "population.csv").write_text("mine")
    with pytest.raises(ta.TwoarmError, match=r"population\.csv"):
        study(tmp_path)
    assert (tmp_path / "population.csv").read_text() == "mine"


@pytest.mark.parametrize("content", ["[1]", '{"a"'])
def test_a_folder_with_a_broken_plan_is_left_alone(study, tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ta.TwoarmError, match="new or empty folder"):
        study(tmp_path)
    assert (tmp_path / "study.json").read_text() == content


def test_a_place_that_is_a_file_is_refused(study, tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ta.TwoarmError, match="cannot be written"):
            study(place)


def test_what_is_moved_aside_takes_the_first_free_name(tmp_path):
    for n in (1, 2):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "n.txt").write_text(str(n))
        assert folder.move_aside(tmp_path / "run").name == f"run.before-{n}"
    assert (tmp_path / "run.before-1" / "n.txt").read_text() == "1"


def test_a_plan_that_is_no_study_has_no_report(tmp_path):
    (tmp_path / "study.json").write_text('{"a": 1}')
    with pytest.raises(ta.TwoarmError, match="study"):
        report_study(tmp_path)


def test_a_killed_run_leaves_no_trace_once_it_is_done(study, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    study(whole)
    study(killed)
    (killed / "draws" / "draw-001" / "result.json").unlink()
    (killed / "draws" / "draw-001" / "courses1234.nc.tmp").write_text("half")
    study(killed)
    assert files_of(killed) == files_of(whole)
    assert not filecmp.cmpfiles(whole, killed, files_of(whole), shallow=False)[1]


def test_two_cards_of_one_name_are_refused(tmp_path):
    cards = Path(ta.__file__).parent / "library" / "molecules"
    text = (cards / "docetaxel.toml").read_text(encoding="utf-8").replace('"docetaxel"', '"ibi363"', 1)
    (tmp_path / "other.toml").write_text(text, encoding="utf-8")
    mine = changed(tmp_path, '"docetaxel", source', f'"{(tmp_path / "other.toml").as_posix()}", source')
    with pytest.raises(ta.TwoarmError, match='named "ibi363"'):
        run_study(mine, tmp_path / "out", seed=11, patients=20)
