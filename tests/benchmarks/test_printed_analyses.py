"""What textbooks printed and what R gets, beside ours: the same rows that the script prints."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("printed_analyses")


def test_every_result_agrees_with_print_and_with_r(script):
    table = script.table()
    assert (table["printed"] != "").sum() > 170
    assert table["R"].notna().sum() > 190
    assert table["analysis"].nunique() >= 14
    wrong = table[~table["agrees"]]
    assert wrong.empty, wrong.to_string()


def test_every_answer_of_r_is_used_and_its_data_are_what_it_read(script, tmp_path):
    table = script.table()
    assert set(zip(table["analysis"], table["what"], strict=True)) >= script.beside.answered()
    script.write_data(tmp_path)
    read = set((BENCHMARKS / "printed" / "r" / "analyses.R").read_text().split('data("')[1:])
    assert {text.split('"')[0] for text in read} == {path.stem for path in tmp_path.iterdir()}


def test_a_wrong_number_does_not_agree(script):
    rows = [
        ("log-rank", "lung, sex: chi-square", ours, printed, "")
        for ours, printed in ((10.32674195, "10.3"), (10.3268, "10.3"), (10.32674195, "10.4"))
    ]
    assert script.beside.beside(rows)["agrees"].tolist() == [True, False, False]
