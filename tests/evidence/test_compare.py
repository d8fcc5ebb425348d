"""Compare: misses first, intervals said to be computed where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twoarm.errors import NoSuchEvidenceError, PredictionTableError
from twoarm.evidence.compare import compare, exact_interval, select_evidence
from twoarm.evidence.read import read_evidence

FACTS = read_evidence(["ibi363", "oak_squamous", "comparators"])


def predictions(**rows: tuple[float, ...]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(
        {name.replace("_", "-"): (list(row) + [np.nan] * 3)[:3] for name, row in rows.items()},
        orient="index",
        columns=["value", "low", "high"],
    )
    return table.dropna(axis="columns", how="all")


@given(n=st.integers(1, 400), data=st.data())
def test_an_exact_interval_has_its_tails(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    low, high = exact_interval(events, n)
    assert 0 <= low <= events / n <= high <= 1
    # by definition: at either limit, what was seen or more extreme has half of 5 %
    if events > 0:
        assert stats.binom.sf(events - 1, n, low) == pytest.approx(0.025, rel=1e-6)
    if events < n:
        assert stats.binom.cdf(events, n, high) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize(("events", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_more_events_than_patients_cannot_be(events: int, n: int) -> None:
    with pytest.raises(ValueError, match="events"):
        exact_interval(events, n)


def test_intervals_say_where_they_come_from() -> None:
    table = compare(predictions(C039=(40,), C041=(8,), CMP_0003=(6.5,)), FACTS).set_index("id")
    assert table.loc["C039", "interval"] == "computed"  # 11 of 30
    assert table.loc["C039", "reported_low"] == pytest.approx(19.9, abs=0.1)
    assert table.loc["C039", "reported_high"] == pytest.approx(56.1, abs=0.1)
    assert table.loc["C041", "interval"] == "none"
    assert table.loc["C041", "verdict"] == "no interval"
    assert table.loc["CMP-0003", "interval"] == "reported"
    assert table.loc["CMP-0003", ["reported_low", "reported_high"]].tolist() == [5.1, 7.3]


def test_misses_stand_first_the_worst_on_top() -> None:
    table = compare(predictions(C039=(40,), CMP_0003=(12,), C028=(5,), C041=(8,)), FACTS)
    assert table["verdict"].tolist() == ["outside", "outside", "no interval", "inside"]
    assert table["z"].abs().iloc[0] > table["z"].abs().iloc[1]
    assert table["id"].tolist()[2:] == ["C041", "C039"]


def test_a_prediction_without_a_reported_interval_is_judged_by_its_own() -> None:
    inside = compare(predictions(C041=(8, 6, 10)), FACTS)
    outside = compare(predictions(C041=(5, 4, 6)), FACTS)
    assert inside["verdict"].tolist() == ["inside"]
    assert outside["verdict"].tolist() == ["outside"]
    expected = np.log(5 / 9.3) / (np.log(6 / 4) / (2 * 1.959964))
    assert outside.loc[0, "z"] == pytest.approx(expected, rel=1e-5)


def test_both_uncertainties_count() -> None:
    alone = compare(predictions(CMP_0003=(8,)), FACTS).loc[0, "z"]
    both = compare(predictions(CMP_0003=(8, 7, 9)), FACTS).loc[0, "z"]
    assert 0 < both < alone


def test_a_limit_that_was_not_reached_still_judges() -> None:
    unreached = FACTS[np.isinf(FACTS["ci_high"]) & FACTS["value"].notna() & FACTS["ci_low"].notna()]
    assert len(unreached) > 0
    fact = unreached.iloc[0]
    table = compare(pd.DataFrame({"value": [fact["value"] * 3]}, index=[fact["id"]]), FACTS)
    assert table.loc[0, "verdict"] == "inside"
    assert np.isfinite(table.loc[0, "z"])


def test_a_prediction_of_nothing_has_no_z_but_a_verdict() -> None:
    table = compare(predictions(CMP_0003=(0,)), FACTS)
    assert table.loc[0, "verdict"] == "outside"
    assert np.isnan(table.loc[0, "z"])


def test_what_was_not_predicted_is_listed() -> None:
    table = compare(predictions(C039=(40,)), FACTS)
    assert len(table.attrs["not_predicted"]) == len(FACTS) - 1
    assert "C039" not in table.attrs["not_predicted"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame({"value": [1.0]}, index=["X"]), "no id"),
        (pd.DataFrame({"mean": [1.0]}, index=["C039"]), "columns are mean"),
        (pd.DataFrame({"value": [1.0], "sd": [1.0]}, index=["C039"]), "columns are value, sd"),
        (pd.DataFrame({"value": [1.0, 2.0]}, index=["C039", "C039"]), "twice"),
        (pd.DataFrame({"value": [np.nan]}, index=["C039"]), "finite"),
        (pd.DataFrame({"value": [50.0]}, index=["C017"]), "no value"),
    ],
)
def test_predictions_name_facts(table: pd.DataFrame, said: str) -> None:
    with pytest.raises(PredictionTableError, match=said):
        compare(table, FACTS)


def test_no_prediction_is_no_row() -> None:
    table = compare(pd.DataFrame({"value": []}, index=pd.Index([], dtype=object), dtype=float), FACTS)
    assert len(table) == 0
    assert "verdict" in table


def test_facts_are_chosen_by_what_they_say() -> None:
    chosen = select_evidence(FACTS, drug="docetaxel", histology="squamous", use="validate")
    assert len(chosen) > 3
    assert set(chosen["drug"]) == {"docetaxel"}
    assert set(chosen["use"]) == {"validate"}
    assert len(select_evidence(FACTS)) == len(FACTS)
    assert not select_evidence(FACTS, verified=False)["verified"].any()


def test_a_misspelled_choice_is_an_error() -> None:
    with pytest.raises(NoSuchEvidenceError, match="docetaxel"):
        select_evidence(FACTS, drug="docetaxl")
    with pytest.raises(NoSuchEvidenceError, match="use"):
        select_evidence(FACTS, use="fit")
