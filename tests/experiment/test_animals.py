"""Growth inhibition, survival and second tumors, against numbers worked out by hand; and mice whole."""

import importlib

import numpy as np
import pandas as pd
import pytest

from twoarm.errors import CardEntryError, NotInModelError
from twoarm.experiment import conduct, read_experiment
from twoarm.experiment.cohort import model_of
from twoarm.experiment.outlived import compared, inhibition, second_tumors, survival
from twoarm.experiment.plan import Experiment
from twoarm.experiment.rechallenge import rechallenged


def asked(**more):
    volume = {"label": "v", "output": "v", "take": "last", "end": 14}
    out = {"label": "o", "output": "v", "take": "when_above", "level": 2.0, "end": 60}
    group = {"source": "assumed", "note": "test"}
    return Experiment.model_validate(
        {
            "name": "t",
            "title": "t",
            "question": "t",
            "days": [(0, 60, 1)],
            "groups": {"none": group | {"title": "None"}, "some": group | {"title": "Some"}},
            "readouts": {"volume": volume, "out": out},
            "claims": [],
            "figure": {},
            "endpoint": {"readout": "out"} | group,
            "inhibition": {"readout": "volume", "against": "none"} | group,
        }
        | more
    )


def courses(none, some, name):
    """Rows from two (draw, patient) lists of one readout."""
    rows = []
    for part, table in (("none", none), ("some", some)):
        for draw, line in enumerate(table):
            rows += [
                {"part": part, "draw": draw, "patient": k, "amount": 1.0, name: x} for k, x in enumerate(line)
            ]
    return pd.DataFrame(rows)


def test_growth_inhibition_is_of_means():
    table = courses([[1.0, 3.0], [2.0, 2.0]], [[0.0, 1.0], [2.0, 3.0]], "volume")
    found = inhibition(asked(), table, seed=1).iloc[0]
    # 1 - 0.5/2 = 75 % and 1 - 2.5/2 = -25 %
    assert found["middle"] == pytest.approx(25)
    assert found["low"] == pytest.approx(-20)
    assert found["high"] == pytest.approx(70)
    assert (found["day"], found["animals"]) == (14, 2)


def test_growth_inhibition_of_one_draw_resamples_animals():
    table = courses([[1.0, 2.0, 3.0]], [[0.5, 1.0, 1.5]], "volume")
    found = inhibition(asked(), table, seed=1).iloc[0]
    # the same animals are drawn in both groups, and each has half its own volume
    assert found[["low", "middle", "high"]].to_numpy(float) == pytest.approx(50)


def test_survival_is_kaplan_meiers():
    table = courses([[10.0, 20.0, 30.0, 40.0]] * 2, [[10.0, 60.0, 60.0, 60.0], [60.0] * 4], "out")
    curves, told = survival(asked(), table)
    told = told.set_index("part")
    assert told.loc["none", "median"] == 20  # half are out
    assert np.isinf(told.loc["some", "median"])
    assert told.loc["none", "staying"] == 0
    assert told.loc["some", "staying"] == pytest.approx(7 / 8)
    assert told.loc["some", "staying_low"] == pytest.approx(0.75 + 0.25 * 0.05)
    own = curves[curves["part"] == "none"].set_index("day")["survival"]
    assert own.loc[[0, 10, 20, 30, 40]].tolist() == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    some = curves[curves["part"] == "some"].set_index("day")
    assert some.loc[10, "survival"] == pytest.approx(7 / 8)
    assert some.loc[60, "survival"] == pytest.approx(7 / 8)  # the end of watching takes nobody out
    assert some.loc[60, "censored"] == 7


SECOND = {
    "day": 60,
    "watch": 30,
    "cured_output": "tumor_cells",
    "cured_below": 1,
    "inoculum": {"lesion_1_sensitive": 5e5},
    "memory_into": "lymphoid_ratio",
    "memory_from": ["precursor_tumor"],
    "memory_per": ["clones"],
    "take_output": "tumor_volume",
    "take_above": 0.05,
    "source": "assumed",
    "note": "test",
}


def test_second_tumors_are_counted_among_the_cured():
    table = courses([[0.0, 0.0]] * 2, [[1.0, 1.0], [0.0, 1.0]], "cured")
    table["memory"] = [np.nan] * 4 + [2.0, 4.0, np.nan, 6.0]
    for name, taken in (("take", [1.0, 0, np.nan, 0]), ("take_forgetful", [1.0, 1, np.nan, 0])):
        table[name] = [np.nan] * 4 + taken
    table["take_naive"] = [np.nan] * 4 + [1.0, 1.0, np.nan, 1.0]
    found = second_tumors(asked(rechallenge=SECOND), table).set_index("part").loc["some"]
    assert found["cured"] == 0.75
    assert found["rechallenged"] == 3
    assert found["memory"] == 4
    assert found["take"] == pytest.approx(1 / 3)
    assert found["take_forgetful"] == pytest.approx(2 / 3)
    assert found["take_naive_low"] == pytest.approx(0.025 ** (1 / 3))  # exact, three of three


def test_the_figure_shows_each_group_beside_the_untreated_and_says_that_nobody_was_cured():
    from twoarm import figures

    table = courses([[10.0, 20.0, 30.0, 40.0]], [[10.0, 60.0, 60.0, 60.0]], "out")
    curves, _ = survival(asked(), table)
    growth = pd.DataFrame(
        {
            "group": ["None", "None", "Some", "Some"],
            "unit": "mL",
            "day": [0, 60] * 2,
            "middle": [0.1, 4, 0.1, 1],
        }
    ).assign(low=0.05, high=5.0)
    stopped = pd.DataFrame({"group": ["Some"], "day": 14, "low": 10.0, "middle": 20.0, "high": 30.0})
    second = pd.DataFrame({"group": ["Some"], "rechallenged": [0]})
    drawn = figures.animals(growth, stopped, curves, second, untreated="None", limit=2.0)
    text = figures.svg(drawn, name="t", alt="t")
    for word in ("Some", "Tumor volume, mL", "Tumor growth inhibition, day 14, %", "Nobody was cured"):
        assert word in text
    panels = [axes for sub in drawn.subfigs for axes in sub.axes if axes.get_visible()]
    assert len(panels) == 1 + 1 + 2
    steps = panels[1].lines
    assert [line.get_ydata()[-1] for line in steps] == pytest.approx([0, 75], abs=1e-9)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"endpoint": {"readout": "volume", "source": "assumed", "note": "t"}}, "when_above"),
        ({"endpoint": {"readout": "who", "source": "assumed", "note": "t"}}, "who"),
        ({"inhibition": {"readout": "volume", "against": "who", "source": "assumed", "note": "t"}}, "who"),
        ({"rechallenge": SECOND | {"day": 50}}, "last of days"),
    ],
)
def test_a_file_that_asks_animals_wrongly_is_refused(more, word):
    with pytest.raises(ValueError, match=word):
        asked(**more)


def test_published_rows_are_answered_or_it_is_said_why_not():
    base = {"source": "assumed", "note": "t"}
    rows = [
        base | {"row": "1", "says": "a", "claims": ["less"]},
        base | {"row": "2", "says": "b", "claims": ["more"]},
        base | {"row": "3", "says": "c", "why_not": "Nothing to compare."},
    ]
    verdicts = pd.DataFrame([{"claim": "less", "verdict": "supports", "holds": 0.95}])
    found = compared(asked(published=rows), verdicts)["answer"].tolist()
    assert found == ['"less": supports, holds in 95 %', "Asked in another tumor.", "Nothing to compare."]
    with pytest.raises(ValueError, match="one of the two"):
        asked(published=[base | {"row": "1", "says": "a"}])


def test_every_mouse_has_the_six_groups():
    for name in ("mouse_sensitive", "mouse_resistant", "mouse_cold", "mouse_metastatic"):
        experiment = read_experiment(name)
        assert {"vehicle", "anti_pd1", "untargeted", "not_alpha", "parts", "fusion"} <= {*experiment.groups}
        assert experiment.endpoint
        assert experiment.inhibition
        assert experiment.rechallenge
        says = {claim.says for claim in experiment.claims}
        asked_for = {claim for row in experiment.published for claim in row.claims}
        assert says & asked_for


def test_every_claim_that_answers_a_published_row_is_somewhere():
    names = ("mouse_sensitive", "mouse_resistant", "mouse_cold", "mouse_metastatic")
    says = {claim.says for name in names for claim in read_experiment(name).claims}
    rows = read_experiment("mouse_sensitive").published
    assert {claim for row in rows for claim in row.claims} <= says


def test_a_child_says_what_differs(tmp_path):
    (tmp_path / "own.toml").write_text(
        'name = "own"\nextends = "mouse_sensitive"\nwithout = ["claims", "lost"]\n[rechallenge]\nwatch = 20\n'
    )
    own, parent = read_experiment(tmp_path / "own.toml"), read_experiment("mouse_sensitive")
    assert own.claims == ()
    assert {*parent.groups} - {*own.groups} == {"lost"}
    assert own.rechallenge.watch == 20
    assert own.rechallenge.inoculum == parent.rechallenge.inoculum
    assert own.digest != parent.digest


@pytest.mark.parametrize(
    "text",
    ['name = "own"\nextends = "own"\n', 'name = "own"\nextends = "mouse_sensitive"\nwithout = ["x"]\n'],
)
def test_a_child_that_cannot_be_is_refused(tmp_path, text):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(CardEntryError, match="own.toml"):
        read_experiment(tmp_path / "own.toml")


@pytest.fixture(scope="module")
def mice():
    experiment = read_experiment("mouse_rechallenge")
    groups = {name: experiment.groups[name] for name in ("vehicle", "anti_pd1")}
    return conduct(experiment.model_copy(update={"groups": groups}), seed=2, patients=6).values


def test_naive_mice_take_what_they_are_given(mice):
    """Who is cured carries more tumor-specific cells than a naive mouse, who grows the tumor."""
    assert mice.loc[mice["part"] == "vehicle", "cured"].eq(0).all()
    cured = mice[mice["cured"] == 1]
    assert len(cured) >= 2
    assert (cured["take_naive"] == 1).all()
    assert (cured["memory"] > 1).all()
    assert cured[["take", "take_forgetful"]].isin([0, 1]).all().all()
    assert mice.loc[mice["cured"] == 0, ["memory", "take", "take_naive"]].isna().all().all()


@pytest.mark.parametrize(("field", "word"), [("memory_into", "state"), ("memory_per", "parameter")])
def test_a_second_inoculation_names_what_the_model_has(field, word):
    experiment = read_experiment("mouse_rechallenge")
    wrong = {"memory_into": "lymphoid_ratoi", "memory_per": ("clonse",)}[field]
    second = experiment.rechallenge.model_copy(update={field: wrong})
    with pytest.raises(NotInModelError, match=word):
        rechallenged(second, model_of("pd1_il2"), None, None, None)


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    room = importlib.import_module("twoarm.experiment.conduct")
    experiment = read_experiment("bridging")
    whole = conduct(experiment, seed=4, patients=1, draws=2)
    real, calls = room._conduct, []

    def stop(*arguments):
        calls.append(arguments[1].name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(room, "_conduct", stop)
    with pytest.raises(KeyboardInterrupt):
        conduct(experiment, seed=4, patients=1, draws=2, keep=tmp_path)
    resumed = conduct(experiment, seed=4, patients=1, draws=2, keep=tmp_path)
    assert len(calls) == len(set(calls)) + 1  # only the part that was stopped came twice
    pd.testing.assert_frame_equal(resumed.values, whole.values)
    pd.testing.assert_frame_equal(resumed.curves, whole.curves)
