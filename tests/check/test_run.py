"""A check from a stranger's file to its folder: tables, pictures, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from twoarm.check import check_evidence, cohort, draw_check, misses_by, rows_told, run
from twoarm.check.pool import Request, kept_at, simulate_pool
from twoarm.cli import app
from twoarm.errors import EvidenceColumnError, FolderInUseError, NoSuchEvidenceError, NothingToCheckError
from twoarm.model.sbml import read_model
from twoarm.study.folder import write_table
from twoarm.trial.protocol import read_protocol

from .pools import made_up

HEADER = (
    "id,drug,regimen,dose,schedule,combination,tumour,histology,line,prior_io,biomarker_subset,n,endpoint,value,unit,"
    "ci_low,ci_high,follow_up_months,trial_name,source_title,source_url,note"
)
ROWS = [
    "R1,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,110,ORR,30,%,,,,T,A,https://a.org/a,",
    "R2,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,110,mOS,60,months,,,,T,A,https://a.org/a,",
    "R3,nivolumab,nivolumab,3 mg/kg IV,Q2W,none,NSCLC,squamous,2L,no,,115,mPFS,2.7,months,,,,T,A,https://a.org/a,",
    "R4,nivolumab vs docetaxel,A vs B,,,,NSCLC,squamous,2L,no,,225,HR_OS,1.0,ratio,,,,T,A,https://a.org/a,",
    "R5,sunshine,sunshine,,,none,NSCLC,squamous,2L,no,,9,ORR,30,%,,,,T,A,https://a.org/a,",
    "R6,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,110,ORR,<4,%,,,,T,A,https://a.org/a,",
    "R7,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,,DCR,70,%,,,,U,A,https://a.org/a,",
    "R8,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,90,DCR,70,%,,,,V,,,recalled",
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Pools made up instead of simulated, and what was asked for."""
    seen: list[Request] = []

    def kept(request: Request, *, keep: Path, **rest: object) -> pd.DataFrame:
        place = kept_at(request, rest["model"], keep)  # type: ignore[arg-type]
        if not place.is_file():
            seen.append(request)
            write_table(made_up(request), place, index=False)
        return made_up(request)

    monkeypatch.setattr(run, "simulate_pool", kept)
    monkeypatch.setattr(cohort, "simulate_pool", kept)
    return seen


SMALL = {"members": 3, "draws": 2, "pool": 60, "replicates": 20, "populations": "prior"}


def test_a_strangers_file_is_predicted_where_it_can_be(
    rows: Path, tmp_path: Path, asked: list[Request]
) -> None:
    costs = []
    found = check_evidence(rows, tmp_path / "out", tell=costs.append, **SMALL)
    table = found.table.set_index("id")
    assert set(table.index) == {"R1", "R2", "R3", "R4", "R7", "R8"}
    assert found.table["id"].iloc[0] == "R2"  # the miss comes first
    assert table.loc["R2", "verdict"] == "outside"
    assert table.loc["R1", "verdict"] == "inside"
    assert (
        table.loc["R4", "regimen"]
        == "nivolumab 3 mg/kg every 14 days against docetaxel 75 mg/m2 every 21 days"
    )
    assert table["scored"].to_dict() == {
        "R2": True,
        "R1": True,
        "R3": True,
        "R4": True,
        "R7": False,
        "R8": False,
    }
    assert "not scored" in table.loc["R7", "verdict"]
    assert found.missing.set_index("id")["reason"].to_dict() == {
        "R5": "no card of this agent: sunshine",
        "R6": found.missing.set_index("id").loc["R6", "reason"],
    }
    assert '"<4"' in found.missing.set_index("id").loc["R6", "reason"]
    assert found.coverage["rows"].unique().tolist() == [4]
    assert found.coverage["which"].unique().tolist() == ["cards that are known"]
    parts = table[["card", "population", "trial", "sampling"]].sum(axis=1) + table["patients"].fillna(0.0)
    assert parts.to_numpy() == pytest.approx(1.0)
    assert (table["card"] == 0).all()  # one draw of a known card
    assert rows_told(found.table)["study"].tolist() == found.table["trial_name"].tolist()
    misses = misses_by(found.table[found.table["scored"]])
    assert misses[misses["by"] == "drug"]["rows"].sum() == 4
    assert misses.set_index("what").loc["mOS", "above"] == 1
    assert costs[0].rows == 6
    assert costs[0].patients == len(asked) * 75  # one in four is followed twice
    assert {request.protocol.arms[request.arm].label for request in asked} == {
        "docetaxel 75 mg/m2 every 21 days",
        "nivolumab 3 mg/kg every 14 days",
    }
    assert len(asked) == 2 * 3  # two regimens, three members: cohorts of one regimen share their patients


def test_what_is_kept_is_used_again_and_gives_the_same_numbers(
    rows: Path, tmp_path: Path, asked: list[Request]
) -> None:
    first = check_evidence(rows, tmp_path / "out", **SMALL)
    number = len(asked)
    second = check_evidence(rows, tmp_path / "out", **SMALL)
    assert len(asked) == number
    pd.testing.assert_frame_equal(first.table, second.table)
    next((tmp_path / "out" / "pools").glob("*.csv")).unlink()
    check_evidence(rows, tmp_path / "out", **SMALL)
    assert len(asked) == number + 1
    other = check_evidence(rows, tmp_path / "other", **SMALL, seed=2)
    assert (other.table["predicted"] != first.table["predicted"]).any()


def test_only_some_rows_are_asked_for(rows: Path, tmp_path: Path, asked: list[Request]) -> None:
    found = check_evidence(rows, tmp_path / "out", drug="nivolumab", **SMALL)
    assert found.table["id"].tolist() == ["R3"]
    with pytest.raises(NoSuchEvidenceError, match="sunshade"):
        check_evidence(rows, tmp_path / "out", drug="sunshade", **SMALL)
    with pytest.raises(NothingToCheckError, match="no card of this agent"):
        check_evidence(rows, tmp_path / "out", drug="sunshine", **SMALL)


def test_a_folder_of_something_else_is_left_alone(rows: Path, tmp_path: Path, asked: list[Request]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(FolderInUseError):
        check_evidence(rows, tmp_path / "mine", **SMALL)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_table_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(EvidenceColumnError):
        check_evidence(tmp_path / "rows.csv", tmp_path / "out")


def test_pictures_are_drawn(rows: Path, tmp_path: Path, asked: list[Request]) -> None:
    found = check_evidence(rows, tmp_path / "out", **SMALL)
    drawn = draw_check(found, tmp_path / "out")
    assert sorted(path.name for path in drawn) == [
        "coverage.png", "predicted-months.png", "predicted-ratios.png", "predicted-shares.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_a_median_not_reached_and_events_of_any_cause_are_predicted(
    tmp_path: Path, asked: list[Request]
) -> None:
    first = "docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,40"
    rows = [
        f"R1,{first},mOS,NR,months,,,12 (median),T,A,https://a.org/a,",
        f"R2,{first},mPFS,NR,months,,,12 (median),T,A,https://a.org/a,",
        f"R3,{first},mOS,NR,months,,,,T,A,https://a.org/a,",
        f"R4,{first},TEAE_G3plus,0.4,fraction,,,,T,A,https://a.org/a,",
        f"R5,{first},mOS,26,weeks,NE,NE,,T,A,https://a.org/a,",
        f"R6,{first},discontinuation_due_to_AE,5,%,,,,T,A,https://a.org/a,",
    ]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    found = check_evidence(path, tmp_path / "out", **SMALL)
    table = found.table.set_index("id")
    assert table.loc["R1", "verdict"].startswith("inside")  # 300 days, seen for half a year to one and a half
    assert table.loc["R2", "verdict"].startswith("outside")
    assert table.loc["R2", "z"] > 1.5
    assert "length of follow-up" in found.missing.set_index("id").loc["R3", "reason"]
    assert table.loc["R4", ["endpoint", "reported"]].tolist() == ["TEAE_G3plus", 40.0]
    assert "R6" in table.index


def test_a_count_of_patients_is_a_share_from_there_on(tmp_path: Path, asked: list[Request]) -> None:
    path = tmp_path / "counts.csv"
    row = "R1,docetaxel,docetaxel,75 mg/m2 IV,Q3W,none,NSCLC,squamous,2L,no,,40,partial_responses,4,patients"
    path.write_text(f"{HEADER}\n{row},,,,T,A,https://a.org/a,\n")
    found = check_evidence(path, tmp_path / "out", **SMALL)
    assert found.table[["endpoint", "reported", "unit"]].iloc[0].tolist() == ["ORR_any", 10.0, "%"]
    assert "predicted-shares.png" in {drawn.name for drawn in draw_check(found, tmp_path / "out")}


def test_the_command_prints_cost_rows_reasons_and_coverage(
    rows: Path, tmp_path: Path, asked: list[Request]
) -> None:
    words = [
        "check",
        "--evidence",
        str(rows),
        "--out",
        str(tmp_path / "out"),
        "--members",
        "3",
        "--pool",
        "60",
    ]
    words += ["--replicates", "20", "--populations", "prior", "--quiet", "--workers", "1"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    for word in ("6 rows, 5 cohorts", "R2", "outside", "no card of this agent", "0.9", "predicted.csv"):
        assert word in told.output, word
    assert json.loads((tmp_path / "out" / "study.json").read_text()) == {"kind": "check"}
    page = (tmp_path / "out" / "check.html").read_text()
    for word in (
        "How often intervals hold",
        "Of cards that are known, ",
        "R2",
        "sampling",
        "no card of this agent",
    ):
        assert word in page, word
    assert set(pd.read_csv(tmp_path / "out" / "between.csv")["family"]) >= {"response", "death", "events"}


@pytest.mark.slow
def test_a_pool_is_simulated_kept_and_made_again_where_it_was_cut_short(tmp_path: Path) -> None:
    model = read_model("pd1_il2")
    protocol = read_protocol("oak_docetaxel_squamous")
    soon = protocol.follow_up.model_copy(update={"horizon": 120.0})
    protocol = protocol.model_copy(update={"follow_up": soon})
    from twoarm.check.ensemble import ensemble_of

    member = ensemble_of("io_naive_squamous_nsclc", members=2, seed=1, which="prior").members[0]
    request = Request(member, protocol, "docetaxel", 12, 3, {})
    first = simulate_pool(request, model=model, keep=tmp_path)
    place = kept_at(request, model, tmp_path)
    pd.testing.assert_frame_equal(first, simulate_pool(request, model=model, keep=tmp_path))
    place.write_text(place.read_text()[:20])
    pd.testing.assert_frame_equal(first, simulate_pool(request, model=model, keep=tmp_path))
    assert len(first) == 15  # three of them twice
    assert np.isfinite(first["OS_day"]).all()
    assert kept_at(request._replace(seed=4), model, tmp_path) != place
