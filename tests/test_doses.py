"""Dose tables in NONMEM's words become sorted rows, or an error that names the row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoarm.doses import expand
from twoarm.errors import DoseColumnError, DoseRowError, SteadyStateError


def table(**columns: object) -> pd.DataFrame:
    plain = {"id": [0], "time": [0.0], "amt": [10.0], "cmt": ["depot"]}
    rows = max(len(column) for column in columns.values()) if columns else 1
    whole = {
        name: column * rows if len(column) == 1 else column for name, column in (plain | columns).items()
    }
    return pd.DataFrame(whole)


def test_additional_doses_lag_and_bioavailability() -> None:
    rows = expand(table(addl=[2], ii=[7.0], lag=[0.5], bioavailability=[0.4]))
    assert rows.time.tolist() == [0.5, 7.5, 14.5]
    assert rows.amount.tolist() == [4.0] * 3
    assert rows.kind.tolist() == ["bolus"] * 3


def test_bioavailability_scales_duration_of_a_given_rate_and_rate_of_a_given_duration() -> None:
    rows = expand(table(id=[0, 1, 2], rate=[5.0, 0.0, -2.0], dur=[0.0, 2.0, 2.0], bioavailability=[0.5]))
    assert rows.kind.tolist() == ["infusion"] * 3
    assert rows.rate.tolist() == [5.0, 2.5, 2.5]
    assert (rows.amount / rows.rate).tolist() == [1.0, 2.0, 2.0]


def test_observations_and_other_records_have_no_effect() -> None:
    assert len(expand(table(evid=[0, 2], amt=[0.0]))) == 0


def test_a_reset_comes_first_ends_infusions_and_cancels_what_is_pending() -> None:
    rows = expand(
        table(
            time=[0.0, 0.0, 5.0],
            evid=[1, 1, 4],
            amt=[10.0, 10.0, 3.0],
            dur=[10.0, 0.0, 0.0],
            addl=[0, 3, 0],
            ii=[0.0, 2.0, 0.0],
        )
    )
    assert list(zip(rows.time, rows.kind, strict=True))[-2:] == [(5.0, "reset"), (5.0, "bolus")]
    assert rows.amount[rows.kind == "infusion"].tolist() == [5.0]
    assert rows.time[rows.kind == "bolus"].tolist() == [0.0, 2.0, 4.0, 5.0]


def test_a_reset_of_one_patient_is_not_one_of_another() -> None:
    rows = expand(
        table(id=[0, 1, 1], time=[0.0, 0.0, 1.0], evid=[1, 1, 3], amt=[10.0, 10.0, 0.0], dur=[4.0, 4.0, 0.0])
    )
    assert rows.amount[rows.kind == "infusion"].tolist() == [10.0, 2.5]


def test_steady_state_is_a_reset_and_whole_intervals_of_doses_before() -> None:
    rows = expand(table(ss=[1], ii=[7.0]), run_in=15.0)
    assert rows.time.tolist() == [-21.0, -21.0, -14.0, -7.0, 0.0]
    assert rows.kind.tolist() == ["reset"] + ["bolus"] * 4


def test_steady_state_of_an_endless_infusion_stops_at_its_row() -> None:
    rows = expand(table(ss=[1], rate=[2.0], amt=[0.0]), run_in=10.0)
    infusion = rows.kind == "infusion"
    assert rows.time[infusion].tolist() == [-10.0]
    assert rows.amount[infusion].tolist() == [20.0]


@pytest.mark.parametrize(
    ("columns", "run_in", "says"),
    [
        ({"ss": [1], "ii": [7.0]}, None, "run_in"),
        ({"ss": [2], "ii": [7.0]}, 70.0, "linear"),
        ({"time": [0.0, 1.0], "ss": [0, 1], "ii": [7.0]}, 70.0, "earlier row"),
    ],
)
def test_a_steady_state_that_cannot_be_written_out_is_refused(
    columns: dict, run_in: float | None, says: str
) -> None:
    with pytest.raises(SteadyStateError, match=says):
        expand(table(**columns), run_in=run_in)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amt", -1.0),
        ("amt", "ten"),
        ("time", np.nan),
        ("time", np.inf),
        ("evid", 5),
        ("rate", -1.0),
        ("rate", -2.0),
        ("dur", -1.0),
        ("addl", 2),
        ("addl", 0.5),
        ("addl", 10**9),
        ("ss", 3),
        ("lag", -0.1),
        ("bioavailability", -0.1),
        ("cmt", 1),
        ("id", None),
    ],
)
def test_a_row_that_cannot_be_is_named(column: str, value: object) -> None:
    good = table()
    bad = good.assign(**{column: pd.Series([value], dtype=object)})
    with pytest.raises(DoseRowError, match="row 2 of the dose table"):
        expand(pd.concat([good.astype(object), bad], ignore_index=True))


@pytest.mark.parametrize("change", [{"amt": None}, {"bioavailabilty": 1.0}, {"Time": 2.0}])
def test_a_column_missing_or_misspelled_is_named(change: dict) -> None:
    changed = table().drop(columns=[k for k, v in change.items() if v is None])
    changed = changed.assign(**{k: v for k, v in change.items() if v is not None})
    with pytest.raises(DoseColumnError, match=next(iter(change))):
        expand(changed)


def test_an_empty_table_gives_no_rows() -> None:
    assert len(expand(table().iloc[:0])) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.floats(0, 50), st.floats(0.1, 10), st.integers(0, 3), st.floats(0.5, 9)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_rows_are_sorted_and_nothing_is_lost(records: list[tuple]) -> None:
    names = ["id", "time", "amt", "addl", "ii"]
    doses = pd.DataFrame(records, columns=names).assign(cmt="depot")
    rows = expand(doses)
    assert rows.amount.sum() == pytest.approx((doses.amt * (doses.addl + 1)).sum())
    order = np.lexsort((rows.time, rows.patient))
    assert (rows.time == rows.time[order]).all()
    assert (np.diff(rows.patient) >= 0).all()
