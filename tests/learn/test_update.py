"""What reports say of a card: likelihoods in closed form, weights, and doubt that holds them back."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import binom, norm

from twoarm.check.ensemble import ensemble_of
from twoarm.errors import NoSuchCohortError, NothingToLearnError, OtherStudyError
from twoarm.evidence.read import read_evidence
from twoarm.learn import notes_of, read_update, update_card, update_tables, write_update
from twoarm.learn.likelihood import beta_binomial, log_rate, log_time
from twoarm.molecule import read_molecule
from twoarm.study import read_weights, resample_cards


def test_without_doubt_a_count_is_binomial():
    assert log_rate(11, 30, 0.2, 1e9, 0.0) == pytest.approx(binom.logpmf(11, 30, 0.2), abs=1e-3)


def test_few_simulated_patients_make_it_beta_binomial():
    said = beta_binomial(11, 30, 10.5, 38.5)
    assert log_rate(11, 30, 10 / 48, 48, 0.0) == pytest.approx(said, abs=0.05)


@pytest.mark.parametrize("doubt", [0.3, 0.7, 1.4])
def test_doubt_is_a_normal_on_the_logit(doubt):
    def inside(x):
        return binom.pmf(11, 30, expit(logit(0.1) + doubt * x)) * norm.pdf(x)

    said, _ = quad(inside, -8, 8)
    assert log_rate(11, 30, 0.1, 1e9, doubt) == pytest.approx(np.log(said), abs=5e-3)


def test_a_median_is_normal_on_the_log():
    simulated = np.exp(np.random.default_rng(1).normal(1.0, 0.2, 500))
    said = norm.logpdf(np.log(9.3), np.log(simulated).mean(), np.hypot(np.log(simulated).std(), 0.4))
    assert log_time(9.3, simulated, 0.4) == pytest.approx(said, abs=1e-9)
    half = np.concatenate([simulated, np.full(500, np.inf)])
    assert log_time(9.3, half, 0.4) == pytest.approx(said + np.log(0.5), abs=1e-9)
    assert log_time(9.3, np.full(4, np.inf), 0.4) == -np.inf


class Pools:
    """Stands in for `predict_asked`: who binds PD-1 strongly responds. Notes who is paired with whom."""

    def __init__(self):
        self.cells = []

    def __call__(self, ask, **rest):
        self.cells = ask.cells
        kd = np.log10(ask.tables["ibi363"]["pd1_arm.kd"].to_numpy())
        response = expit(-1.5 * (kd + 0.3))
        rows = []
        for draw, member in ask.cells:
            for endpoint in ask.names:
                share = {"ORR": 1, "ORR_any": 1, "DCR": 1.3, "TRAE_G3plus": 0.2}.get(endpoint)
                value = 3.0 + 5 * response[draw] if share is None else 100 * min(response[draw] * share, 0.98)
                rows += [
                    {"draw": draw, "member": member, "replicate": k, "arm": "first", "endpoint": endpoint}
                    | dict.fromkeys(("value", "plain", "free"), value)
                    for k in range(ask.replicates)
                ]
        table = pd.DataFrame(rows)
        table.attrs = {"units": {name: "months" if name[0] == "m" else "%" for name in ask.names}}
        return table


@pytest.fixture(scope="module")
def pools():
    stand_in = Pools()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twoarm.learn.seen.predict_asked", stand_in)
        patch.setattr("twoarm.learn.seen.ensemble_of", cache(ensemble_of))  # read once, not once a test
        yield stand_in


@pytest.fixture(scope="module")
def asked(pools, tmp_path_factory):
    """The library's update with its card, and the folder it lies in."""
    folder = tmp_path_factory.mktemp("update") / "out"
    return folder, ask(folder)


def ask(folder, **more):
    return update_card("ibi363", folder, **({"draws": 64, "members": 4, "pool": 48, "seed": 3} | more))


def test_reports_choose_the_draws_that_respond(asked):
    _, found = asked
    fields = found.fields.set_index("field")
    assert fields.loc["pd1_arm.kd", "shift"] < -0.3
    assert fields.loc["pd1_arm.kd", "chance"] < 0.05
    assert fields["chance"].idxmin() == "pd1_arm.kd"
    assert (fields["chance"] > 0.05).sum() >= 8
    told = found.predictions.set_index("row")
    for basis in ("all", "others"):
        assert told.loc["C039", f"{basis}_predicted"] > told.loc["C039", "stated_predicted"]
    assert not told.loc["C035", "scored"]
    assert found.weights["weight"].sum() == pytest.approx(1)


def test_more_doubt_leaves_more_draws(asked):
    looks = asked[1].looks
    together = looks[looks["cohort"] == "all"].set_index("discrepancy")["effective"]
    assert together[0.5] < together[1.0] < together[2.0] <= 64
    assert set(looks.loc[looks["rows"] == "C015", "discrepancy"]) == {1.0}


def test_superseded_cuts_are_shown_and_do_not_weigh(asked, tmp_path):
    update = read_update("ibi363")
    last = update.cohorts[0].model_copy(update={"cuts": update.cohorts[0].cuts[-1:]})
    alone = update.model_copy(update={"cohorts": (last, *update.cohorts[1:])})
    whole = asked[1]
    short = update_card(alone, tmp_path / "short", draws=64, members=4, pool=48, seed=3)
    assert whole.weights["weight"].to_numpy() == pytest.approx(short.weights["weight"].to_numpy())
    assert len(whole.looks) > len(short.looks)


def test_control_counts_those_who_did_not_respond(pools, tmp_path):
    """11 of 30 responded and 27 were controlled: 16 of the 19 others; the three rows add up to the whole."""
    found = ask(tmp_path / "out", cohorts=["squamous_3"])
    own = found.draws.pivot(index="draw", columns="row", values="log_likelihood")
    weight = np.exp(own.sum(axis=1) - own.sum(axis=1).max())
    assert (weight / weight.sum()).to_numpy() == pytest.approx(found.weights["weight"].to_numpy(), rel=1e-6)
    draw = found.weights["pd1_arm.kd"].idxmin()
    response = expit(-1.5 * (np.log10(found.weights.loc[draw, "pd1_arm.kd"]) + 0.3))
    controlled = min(1.3 * response, 0.98)
    share = (controlled - response) / (1 - response)
    assert own.loc[draw, "C040"] == pytest.approx(log_rate(16, 19, share, 48 * (1 - response), 0.7), abs=1e-9)


def test_weights_are_kept_with_their_draws(asked):
    folder, found = asked
    page = write_update(found, read_update("ibi363"), folder).read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "nothing here is put back" in page
    card = read_molecule("ibi363")
    kept = read_weights(folder)
    assert kept.cards["weight"].to_numpy() == pytest.approx(found.weights["weight"].to_numpy())
    together = found.looks[(found.looks["cohort"] == "all") & (found.looks["discrepancy"] == 1.0)]
    assert kept.effective == pytest.approx(together["effective"].iloc[0])
    assert len(resample_cards(kept, card, 7, seed=1)) == 7
    record = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    assert record["digest"] == card.digest


def test_a_folder_keeps_one_update(asked):
    with pytest.raises(OtherStudyError, match="seed"):
        ask(asked[0], seed=4)


def test_an_unknown_cohort_is_refused(tmp_path):
    with pytest.raises(NoSuchCohortError, match="squamous_3, melanoma_naive"):
        ask(tmp_path, cohorts=["glioma"])


def test_the_library_update_names_rows_that_exist_and_no_row_twice():
    update = read_update("ibi363")
    facts = read_evidence(list(update.evidence)).set_index("id")
    last = [name for each in update.cohorts if each.weighs for name in each.cuts[-1]]
    assert len(set(last)) == len(last)
    assert set(last) <= set(facts.index)
    assert facts.loc[last, "verified"].all()
    assert (facts.loc[last, "use"] == "validate").all()
    assert not set(facts.loc[last, "use"]) & {"calibrate"}


def test_words_say_what_moved_and_what_is_missed(asked):
    found, update = asked[1], read_update("ibi363")
    words = " ".join(notes_of(found, update))
    assert "pd1_arm.kd" in words
    assert "draws are left in effect" in words
    assert len(update_tables(found, update)) == 3


def test_a_draw_has_one_member_and_members_take_turns(asked, pools):
    assert [member for _, member in pools.cells[:6]] == [0, 1, 2, 3, 0, 1]
    assert len(pools.cells) == 64


def test_a_cohort_that_is_only_watched_weighs_nothing(asked, tmp_path):
    update = read_update("ibi363")
    weighing = [each.name for each in update.cohorts if each.weighs]
    alone = ask(tmp_path / "out", cohorts=weighing)
    assert "squamous_low" not in weighing
    assert alone.weights["weight"].to_numpy() == pytest.approx(asked[1].weights["weight"].to_numpy())
    assert "squamous_low" not in set(asked[1].looks["cohort"])
    with pytest.raises(NothingToLearnError):
        ask(tmp_path / "watched", cohorts=["squamous_low"])


def test_what_others_say_leaves_the_own_cohort_out(asked, tmp_path):
    """Of two cohorts, the others are the second alone."""
    both = ask(tmp_path / "both", cohorts=["squamous_3", "melanoma_naive"]).predictions.set_index("row")
    second = ask(tmp_path / "second", cohorts=["melanoma_naive", "squamous_low"]).weights["weight"].to_numpy()
    whole = asked[1].weights
    response = 100 * expit(-1.5 * (np.log10(whole["pd1_arm.kd"].to_numpy()) + 0.3))
    order = np.argsort(response)
    middle = response[order][np.searchsorted(np.cumsum(second[order]), 0.5)]
    assert both.loc["C039", "others_predicted"] == pytest.approx(middle, rel=0.02)


def test_what_is_a_function_of_the_card_survives_the_emulator(asked):
    found = asked[1].emulated
    told = found.fields.set_index("field")
    assert found.explained > 0.9
    assert told.loc["pd1_arm.kd", "shift"] < -0.3
    assert told["shift"].abs().idxmax() == "pd1_arm.kd"
    assert told.drop(index="pd1_arm.kd")["shift"].abs().median() < 0.1
    assert found.effective > 500


def test_the_error_of_few_patients_widens_a_median():
    simulated = np.exp(np.random.default_rng(1).normal(1.0, 0.3, 4000))
    alone = log_time(9.3, simulated, 0.4)
    as_large = log_time(9.3, simulated, 0.4, ratio=1.0)
    spread = np.hypot(np.log(simulated).std() * np.sqrt(2), 0.4)
    assert as_large == pytest.approx(norm.logpdf(np.log(9.3), np.log(simulated).mean(), spread), abs=1e-9)
    assert as_large > alone
