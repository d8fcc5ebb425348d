"""Experiments of the library, run: comparators against what was published of them, and one folder whole."""

import json

import pandas as pd
import pytest

from twoarm.experiment import conduct, judge, read_experiment, run_experiment
from twoarm.experiment.judge import SUPPORTS


@pytest.mark.parametrize("name", ["pembrolizumab_human", "nivolumab_human"])
def test_exposure_and_occupancy_of_an_antibody_are_those_published(name):
    """Median and 90 % band of trough and half-life within a fifth; occupancy above 95 %."""
    experiment = read_experiment(name)
    courses = conduct(experiment, seed=3, patients=120)
    verdicts = judge(experiment, courses.values, courses.cards, seed=3)
    assert len(verdicts) == 11
    assert (verdicts["verdict"] == SUPPORTS).all(), verdicts[["claim", "middle", "verdict"]]


def test_the_yardstick_does_not_follow_the_card():
    """The published model's numbers are its own: a card with twice the clearance leaves it where it is."""
    experiment = read_experiment("pembrolizumab_human")
    fast = experiment.groups["whole"].given[0].model_copy(update={"with_values": {"disposition.cl": 0.44}})
    changed = {name: group.model_copy(update={"given": (fast,)}) for name, group in experiment.groups.items()}
    before, after = (
        conduct(made, seed=3, patients=8).values.groupby("part")["trough"].median()
        for made in (experiment, experiment.model_copy(update={"groups": changed}))
    )
    assert after["published"] == pytest.approx(before["published"], rel=1e-9)
    assert after["whole"] < 0.6 * before["whole"]


def test_a_folder_holds_tables_a_figure_and_the_page(tmp_path):
    verdicts = run_experiment("priming", tmp_path / "x", draws=2, patients=1)
    again = run_experiment("priming", tmp_path / "y", draws=2, patients=1)
    pd.testing.assert_frame_equal(verdicts, again)
    assert set(verdicts["verdict"]) <= {"supports", "refutes", "undecided"}
    courses = pd.read_csv(tmp_path / "x" / "courses.csv")
    assert len(courses) == 4 * 2  # groups times draws
    # paired: the same draw gives the same amount of drug in every group
    assert courses.groupby("draw")["amount"].nunique().eq(1).all()
    page = (tmp_path / "x" / "experiment.html").read_text()
    assert "<svg" in page
    assert "Not for clinical decisions" in page
    assert verdicts["claim"][0] in page
    assert json.loads((tmp_path / "x" / "experiment.json").read_text())["courses"] == 8


def test_knocking_out_every_receptor_makes_disposition_linear():
    experiment = read_experiment("sinks")
    courses = conduct(experiment, seed=5, patients=1, draws=4)
    verdicts = judge(experiment, courses.values, courses.cards, seed=5).set_index("claim")["middle"]
    assert verdicts["Without receptors 0.01 mg/kg and 3 mg/kg are proportional"] == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bridging", "sinks", "delivery"])
def test_a_claim_about_mechanism_is_decided_on_a_coarse_ensemble(name, tmp_path):
    verdicts = run_experiment(name, tmp_path, draws=12, patients=2)
    assert verdicts["middle"].notna().all()
    assert (verdicts["verdict"] == SUPPORTS).any()


def test_mice_are_mice():
    """Untreated tumors reach 2 mL in two to three weeks; each group gets what its file says, and no more."""
    experiment = read_experiment("mouse_sensitive")
    values = conduct(experiment, seed=2, patients=2, draws=1).values.set_index("part")
    assert values.loc["vehicle", "survival"].between(9, 25).all()
    assert (values.loc["vehicle", "amount"] == 0).all()
    assert values.loc["anti_pd1", "amount"].to_numpy() == pytest.approx(0.02 * 10 / 149 * 1000)
    assert values.loc["anti_pd1", "nk"].to_numpy() == pytest.approx(1, abs=1e-4)
    assert (values.loc["not_alpha", "nk"] > 2).all()
    smaller = values.loc["anti_pd1", "volume_14"].to_numpy() / values.loc["vehicle", "volume_14"].to_numpy()
    assert (smaller < 1).all()
