"""Numbers of the biology are drawn from the ranges of the model's text, the same in every group."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from twoarm import catalog
from twoarm.entries import read_numbers
from twoarm.errors import NoRangeError
from twoarm.experiment import conduct, read_experiment
from twoarm.experiment.fragile import BIOLOGY, fragility
from twoarm.experiment.unsure import biology_of, laid_over

NAMED = [name for name in catalog.names("experiments") if read_experiment(name).biology]


def test_draws_fill_the_range_on_its_scale():
    said = read_numbers(catalog.find("biology", "pd1_il2")).set_index("entry")
    drawn = biology_of("pd1_il2", ["k_kill", "arming"], n=200, seed=5)
    for name in drawn:
        assert drawn[name].between(float(said.loc[name, "low"]), float(said.loc[name, "high"])).all()
    low, high = (float(said.loc["k_kill", end]) for end in ("low", "high"))
    assert np.median(drawn["k_kill"]) == pytest.approx(np.sqrt(low * high), rel=0.02)  # over the logarithm
    assert np.median(drawn["arming"]) == pytest.approx(5, rel=0.02)  # from 0 on: over the range
    assert abs(spearmanr(*drawn.to_numpy().T).statistic) < 0.25
    pd.testing.assert_frame_equal(drawn, biology_of("pd1_il2", ["k_kill", "arming"], n=200, seed=5))


def test_a_number_without_a_range_is_refused():
    with pytest.raises(NoRangeError, match="k_kill"):
        biology_of("pd1_il2", ["k_kil"], n=2, seed=1)


@pytest.mark.parametrize("name", NAMED)
def test_what_an_experiment_draws_has_a_range(name):
    experiment = read_experiment(name)
    drawn = biology_of(experiment.model, experiment.biology, n=4, seed=1)
    assert (drawn.nunique() == 4).all()


def test_drawn_numbers_stand_in_for_the_patients_own():
    people = pd.DataFrame({"killing": [1.0, 2.0], "weight": [60.0, 70.0]}, index=[3, 4])
    whole = laid_over(people, pd.DataFrame({"killing": [5.0, 6.0]}))
    assert whole["killing"].tolist() == [5, 6]
    assert whole["weight"].tolist() == [60, 70]
    assert whole.index.tolist() == [3, 4]


@pytest.fixture(scope="module")
def small():
    experiment = read_experiment("delivery").model_copy(update={"biology": ("drag", "gain_il2r")})
    groups = {
        name: experiment.groups[name].model_copy(update={"doses": ("0.1 mg/kg", "3 mg/kg")})
        for name in ("fusion", "untargeted")
    }
    claims = tuple(
        claim
        for claim in experiment.claims
        if {claim.group.split(" @ ")[0], (claim.against or claim.group).split(" @ ")[0]} <= {*groups}
        and not claim.over
        and "0.01" not in claim.group
    )
    small = experiment.model_copy(update={"groups": groups, "claims": claims})
    return small, conduct(small, seed=3, patients=2, draws=12, biology=True)


def test_claims_are_told_what_biology_they_hang_on(small):
    experiment, courses = small
    assert {"drag", "gain_il2r"} <= {*courses.people}
    found = fragility(experiment, courses.values, courses.cards, courses.people)
    assert set(found.loc[found["field"].isin(["drag", "gain_il2r"]), "of"]) == {BIOLOGY}


def test_each_draw_has_patients_of_its_own_and_groups_share_them(small):
    _, courses = small
    weights = courses.people["weight"]
    assert weights.nunique() == 24
    assert (courses.values.groupby("part")["draw"].count() == 24).all()
