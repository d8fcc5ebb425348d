"""Read evidence: what a file may say, and which cell is wrong when it may not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.errors import (
    EvidenceColumnError,
    EvidenceRowError,
    FileTextError,
    FileTooLargeError,
    NotInLibraryError,
    TwoarmError,
)
from twoarm.evidence.read import read_curves, read_evidence, read_program, read_trials

HEADER = "id,drug,tumor,n,endpoint,value,unit,ci_low,ci_high,source_title,source_url,note"
ROW = "A1,docetaxel,NSCLC,110,ORR,8.2,%,3.8,15,A paper,https://example.org/a,"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_users_file_is_read(tmp_path: Path) -> None:
    facts = read_evidence(written(tmp_path, ROW, "A2,docetaxel,NSCLC,,mOS,,months,,NR,T,https://e.org,"))
    assert facts.loc[0, "value"] == 8.2
    assert facts.loc[0, "n"] == 110
    assert facts["use"].tolist() == ["none", "none"]
    assert facts["verified"].tolist() == [True, True]
    assert math.isinf(facts.loc[1, "ci_high"])
    assert math.isnan(facts.loc[1, "value"])
    assert facts.loc[1, "histology"] == ""


def test_other_spellings_are_understood(tmp_path: Path) -> None:
    header = HEADER.replace("tumor", "tumour")
    facts = read_evidence(written(tmp_path, ROW.replace("ORR", "median_PFS"), header=header))
    assert facts.loc[0, "tumor"] == "NSCLC"
    assert facts.loc[0, "endpoint"] == "mPFS"


def test_several_tables_are_one(tmp_path: Path) -> None:
    facts = read_evidence(["ibi363", "oak_squamous"])
    assert facts["id"].is_unique
    assert set(facts.attrs["digests"]) == {"ibi363.csv", "oak_squamous.csv"}
    mine = written(tmp_path, ROW.replace("A1", "OAK-SQ-01"))
    with pytest.raises(EvidenceRowError, match=r'row 2, column "id": "OAK-SQ-01"'):
        read_evidence(["oak_squamous", mine])


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.replace(",unit", ",units"), "missing: unit"),
        (HEADER + ",tumour", "twice: tumor"),
        (HEADER + ",endpiont", "close: endpoint"),
        ("", "missing: id"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(EvidenceColumnError, match=said):
        read_evidence(written(tmp_path, header=header))


BROKEN = [
    ("missing unit", 6, "", "unit"),
    ("unknown unit", 6, "parsecs", "unit"),
    ("number in words", 5, "eight", "value"),
    ("not a finite number", 5, "inf", "value"),
    ("share above 100", 5, "108", "value"),
    ("below nothing", 5, "-8", "value"),
    ("patients in parts", 3, "110.5", "n"),
    ("no patients", 3, "0", "n"),
    ("no id", 0, "", "id"),
    ("no drug", 1, "", "drug"),
    ("no source", 9, "", "source_title"),
    ("lower limit above", 7, "9", "ci_low"),
    ("upper limit below", 8, "7", "ci_high"),
    ("upper limit in words", 8, "high", "ci_high"),
]


@pytest.mark.parametrize(
    ("place", "text", "column"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_wrong_cell_is_named(tmp_path: Path, place: int, text: str, column: str) -> None:
    cells = ROW.split(",")
    cells[place] = text
    with pytest.raises(EvidenceRowError, match=rf'mine\.csv, row 3, column "{column}"'):
        read_evidence(written(tmp_path, ROW.replace("A1", "A0"), ",".join(cells)))


def test_an_id_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRowError, match=r"row 2 of mine\.csv has it already"):
        read_evidence(written(tmp_path, ROW, ROW))


@pytest.mark.parametrize("row", [ROW + ",more", ROW.rsplit(",", 2)[0]])
def test_a_row_has_as_many_cells_as_the_header(tmp_path: Path, row: str) -> None:
    with pytest.raises(EvidenceRowError, match="12 cells, as the header"):
        read_evidence(written(tmp_path, row))


@pytest.mark.parametrize("use", ["calibrate", "validate"])
@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("https://example.org/a", ""),
        ROW.replace("https://example.org/a", "ftp://example.org"),
        ROW + "recalled from the paper",
        ROW.replace("8.2", "").replace("3.8,15", ","),
    ],
    ids=["no address", "no address of the web", "recalled", "no value"],
)
def test_what_is_not_verified_is_used_for_nothing(tmp_path: Path, row: str, use: str) -> None:
    with pytest.raises(EvidenceRowError, match='column "use"'):
        read_evidence(written(tmp_path, f"{row},{use}", header=HEADER + ",use"))


@pytest.mark.parametrize(("column", "text"), [("use", "fit"), ("verified", "yes"), ("events", "111")])
def test_a_closed_list_is_closed(tmp_path: Path, column: str, text: str) -> None:
    with pytest.raises(EvidenceRowError, match=f'column "{column}"'):
        read_evidence(written(tmp_path, f"{ROW},{text}", header=f"{HEADER},{column}"))


def test_a_file_may_not_call_the_recalled_verified(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRowError, match='column "verified"'):
        read_evidence(written(tmp_path, ROW + "n recalled,true", header=HEADER + ",verified"))


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(11_000_000)
    with pytest.raises(FileTooLargeError):
        read_evidence(path)


def test_a_quote_that_never_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRowError, match="the file is CSV"):
        read_evidence(written(tmp_path, ROW + '"open'))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(FileTextError):
        read_evidence(path)


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet='ab1.,%"\n-', max_size=80))
def test_any_text_is_read_or_refused_in_words(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "mine.csv"
    path.write_text(f"{HEADER}\n{text}")
    try:
        read_evidence(path)
    except TwoarmError as refused:
        assert "mine.csv" in str(refused)


def test_an_unknown_table_says_which_are_close() -> None:
    with pytest.raises(NotInLibraryError, match="comparators"):
        read_evidence("comparator")


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_program, "ibi363_trials"), (read_trials, "ibi363_program"), (read_curves, "oak_squamous")],
)
def test_a_table_of_another_kind_is_refused(read: object, name: str) -> None:
    assert callable(read)
    with pytest.raises(EvidenceColumnError):
        read(name)


@pytest.mark.parametrize(
    ("column", "text"), [("PFS", "1.2"), ("month", "-1"), ("use", "fit"), ("source_url", "")]
)
def test_a_wrong_point_of_a_curve_is_named(tmp_path: Path, column: str, text: str) -> None:
    good = {
        "trial": "T", "drug": "d", "tumor": "t", "histology": "h", "n": "9", "month": "0", "PFS": "1",
        "OS": "1", "source": "", "source_url": "https://e.org", "note": "", "use": "none",
    }  # fmt: skip
    header = ",".join(good)
    assert len(read_curves(written(tmp_path, ",".join(good.values()), header=header))) == 1
    with pytest.raises(EvidenceRowError, match=f'column "{column}"'):
        read_curves(written(tmp_path, ",".join((good | {column: text}).values()), header=header))


def test_units_in_other_words_are_read_as_ours(tmp_path: Path) -> None:
    row = "A1,docetaxel,NSCLC,110,mPFS,26.0893,weeks,13,,A paper,https://example.org/a,"
    facts = read_evidence(written(tmp_path, row, ROW.replace("A1", "A2").replace("%", "percent")))
    assert facts["unit"].tolist() == ["months", "%"]
    assert facts.loc[0, "value"] == pytest.approx(6.0, abs=1e-3)
    assert facts.loc[0, "ci_low"] == pytest.approx(2.99, abs=1e-2)


def test_rows_that_break_a_rule_are_listed_where_that_is_asked_for(tmp_path: Path) -> None:
    wrong = ROW.replace("A1", "A2").replace("8.2", "<4")
    bare = ROW.replace("A1", "A3").replace("A paper,https://example.org/a", ",")
    facts = read_evidence(written(tmp_path, ROW, wrong, bare), broken="list")
    assert facts["id"].tolist() == ["A1", "A3"]
    assert facts["verified"].tolist() == [True, False]
    ((name, said),) = facts.attrs["broken"]
    assert name == "A2"
    assert '"<4"' in said
    with pytest.raises(EvidenceRowError):
        read_evidence(written(tmp_path, ROW, wrong))
