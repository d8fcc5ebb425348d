"""Numbers, shares and verdicts, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from twoarm.experiment.judge import REFUTES, SUPPORTS, UNDECIDED, contradicts, effects, holds, judge
from twoarm.experiment.plan import Claim, Experiment
from twoarm.experiment.readouts import read_off


def experiment(claims, groups=("a", "b"), ladder=(), needed=0.9):
    readout = {"label": "x", "output": "x", "take": "last", "end": 1}
    table = {name: {"title": name, "source": "assumed", "note": "test"} for name in groups}
    for name in ladder:
        table[name] |= {
            "doses": ["1 mg", "2 mg", "4 mg"],
            "given": [{"molecule": "pembrolizumab", "dose": "1 mg"}],
        }
    return Experiment.model_validate(
        {
            "name": "t",
            "title": "t",
            "question": "t",
            "needed": needed,
            "days": [(0, 1, 1)],
            "groups": table,
            "readouts": {"x": readout, "y": readout | {"label": "y", "output": "y"}},
            "claims": claims,
            "figure": {},
        }
    )


def claim(**said):
    told = {"says": "t", "readout": "x", "group": "a", "source": "assumed", "note": "t"}
    return told | {"holds_above": 1.5, "refuted_below": 1.0} | said


def values(table):
    """Rows from {part: (amount, x by draw and patient, y by draw and patient)}."""
    rows = []
    for part, (amount, x, y) in table.items():
        for draw, (line, other) in enumerate(zip(x, y, strict=True)):
            rows += [
                {"part": part, "draw": draw, "patient": k, "amount": amount, "x": u, "y": v}
                for k, (u, v) in enumerate(zip(line, other, strict=True))
            ]
    return pd.DataFrame(rows)


def one(said, table, **options):
    made = experiment([said], **options)
    return effects(made.claims[0], made, values(table), seed=1)


X = [[2.0, 4.0, 9.0], [1.0, 1.0, 1.0]]
Y = [[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]]


def test_a_paired_number_is_the_median_of_each_patients_own_ratio():
    number = one(claim(against="b"), {"a": (1, X, Y), "b": (1, Y, X)})
    assert number.tolist() == [3.0, 0.5]  # medians of (2, 4, 3) and of (0.5, 0.5, 0.5)


def test_an_interaction_divides_by_a_second_pair_and_may_read_something_else():
    said = claim(against="b", over=["a", "b"], over_readout="y")
    number = one(said, {"a": (1, X, Y), "b": (1, Y, X)})
    assert number.tolist() == pytest.approx([9.0, 0.25])  # ratio over its own inverse


def test_per_dose_counts_by_amount():
    number = one(claim(against="b", per_dose=True), {"a": (2, X, Y), "b": (1, X, Y)})
    assert number.tolist() == [0.5, 0.5]


def test_quantiles_are_of_each_groups_patients():
    number = one(claim(against="b", statistic="high"), {"a": (1, X, Y), "b": (1, Y, X)})
    assert number[0] == pytest.approx(np.quantile(X[0], 0.95) / np.quantile(Y[0], 0.95))


LADDER = {
    "a @ 1 mg": (1, [[1.0], [1.0]], [[0.0], [0.0]]),
    "a @ 2 mg": (2, [[4.0], [2.0]], [[1.0], [1.0]]),
    "a @ 4 mg": (4, [[2.0], [3.0]], [[2.0], [1.5]]),
    "b": (1, [[1.0], [1.0]], [[1.5], [5.0]]),
}


def test_the_shape_of_a_ladder():
    rows = {name: part for name, part in LADDER.items() if name != "b"}
    assert one(claim(shape="fall"), rows, groups=("a",), ladder=("a",)).tolist() == [0.5, 1.0]
    assert one(claim(shape="rise"), rows, groups=("a",), ladder=("a",)).tolist() == pytest.approx(
        [-0.5, 1 / 3]
    )


def test_equal_activity_is_found_between_two_doses_or_not_at_all():
    number = one(claim(against="b", at_equal="y"), LADDER, ladder=("a",))
    assert number[0] == pytest.approx(3.0)  # half way between 4 and 2
    assert np.isnan(number[1])  # an activity of 5 is on no ladder


def test_bounds_hold_at_their_ends_and_nothing_holds_at_nan():
    made = Claim(**claim(holds_above=0.8, holds_below=1.2, refuted_above=1.2, refuted_below=0.8))
    numbers = np.array([0.79, 0.8, 1.2, 1.21, np.nan])
    assert holds(made, numbers).tolist() == [False, True, True, False, False]
    assert contradicts(made, numbers).tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ([2.0] * 9 + [1.2], SUPPORTS),
        ([2.0] * 8 + [1.2] * 2, UNDECIDED),
        ([2.0] * 5 + [0.9] * 5, REFUTES),
        ([2.0] * 6 + [np.nan] * 4, UNDECIDED),
    ],
)
def test_verdicts(numbers, verdict):
    made = experiment([claim()], groups=("a",))
    table = values({"a": (1, [[x] for x in numbers], [[0.0]] * len(numbers))})
    cards = pd.DataFrame({"m f": np.arange(len(numbers), dtype=float)})
    found = judge(made, table, cards, seed=1).iloc[0]
    assert found["verdict"] == verdict
    assert found["holds"] == pytest.approx(np.mean(np.nan_to_num(numbers) >= 1.5))
    assert found["holds_low"] <= found["holds"] <= found["holds_high"]


def test_what_the_number_goes_with_is_named():
    draws = np.arange(40.0)
    made = experiment([claim(holds_above=9.5, refuted_below=5)], groups=("a",))
    table = values({"a": (1, [[x] for x in draws], [[0.0]] * 40)})
    cards = pd.DataFrame({"m arm.kd": -draws, "m arm.other": np.tile([0.0, 1.0], 20)})
    # arm.kd is high in draws 0 to 19, and the claim holds from draw 10 on
    assert judge(made, table, cards, seed=1).iloc[0]["weakest"] == "high arm.kd (50 %, else 100 %)"


def test_patients_are_resampled_where_there_is_one_card():
    made = experiment([claim(statistic="median")], groups=("a",))
    table = values({"a": (1, [np.linspace(1, 3, 101)], [np.zeros(101)])})
    found = judge(made, table, pd.DataFrame(index=[0]), seed=1).iloc[0]
    assert found["over"] == "patients, resampled"
    assert found["low"] < found["middle"] < found["high"]
    assert 1.7 < found["low"]
    assert found["high"] < 2.3


DAYS = np.array([0.0, 1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("take", "said", "wanted"),
    [
        ("largest", {}, 8.0),
        ("smallest", {}, 1.0),
        ("last", {}, 1.0),
        ("mean", {"begin": 0, "end": 2}, 4.25),
        ("area", {"begin": 0, "end": 2}, 8.5),
        ("when_largest", {}, 1.0),
        ("half_life", {"begin": 1}, 1.0),
        ("when_above", {"level": 3.0}, 1.0),
        ("when_above", {"level": 9.0}, 4.0),
        ("largest", {"relative": True}, 4.0),
        ("largest", {"factor": 10}, 80.0),
    ],
)
def test_readouts(take, said, wanted):
    from twoarm.experiment.plan import Readout

    curve = np.array([[2.0, 5.0, 5.0, 1.0]] if take in ("mean", "area") else [[2.0, 8.0, 4.0, 1.0]])
    readout = Readout(label="x", output="x", take=take, **{"end": 4, **said})
    assert read_off(DAYS, curve, readout)[0] == pytest.approx(wanted, rel=1e-9)
