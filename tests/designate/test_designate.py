"""A cohort beside available therapy: which facts speak, what is asked, and what is never claimed."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from twoarm.catalog import names
from twoarm.designate import (
    notes_of,
    read_agency,
    read_cohort,
    tables_of,
    weigh_designation,
    write_designation,
)
from twoarm.designate.weigh import AGAINST_CONTROL, AGAINST_FACTS, COUNTS
from twoarm.errors import (
    CohortEndpointError,
    NoArmOfDrugError,
    NoSuchFactError,
    NoTherapyDifferenceError,
)
from twoarm.evidence.read import read_evidence, read_program

COHORTS, AGENCIES = names("available_therapy"), names("designations")


@pytest.fixture
def run(tmp_path):
    """The folder of a run, as far as it is read: two draws, two arms."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "study.json").write_text(
        json.dumps({"study": {"name": "m", "protocol": "marslight_11"}}), encoding="utf-8"
    )
    for draw, counts in enumerate([(40, 10), (5, 10)]):
        place = folder / "draws" / f"draw-{draw:03d}"
        place.mkdir(parents=True)
        rows = [
            {
                "quantity": "ORR",
                "arm": arm,
                "value": k,
                "low": 0,
                "high": 100,
                "n": 100,
                "events": k,
                "draw": draw,
            }
            for arm, k in zip(("experimental", "docetaxel"), counts, strict=True)
        ]
        pd.DataFrame(rows).to_csv(place / "measures.csv", index=False)
        (place / "result.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.mark.parametrize("agency", AGENCIES)
@pytest.mark.parametrize("cohort", COHORTS)
def test_every_cohort_answers_every_agency(cohort, agency):
    for endpoint in read_cohort(cohort).endpoints:
        found = weigh_designation(cohort, agency, endpoint=endpoint.name)
        assert found.answers["probability"].between(0, 1).all()
        assert set(found.facts.loc[found.facts["used"], "id"]) <= set(found.facts["id"])
        assert notes_of(found)[0].startswith("This is evidence, not a decision")
        said = found.history.loc[found.history["this_cohort"], "id"]
        assert set(said) == set(read_cohort(cohort).history)


@pytest.mark.parametrize("cohort", COHORTS)
def test_files_name_rows_that_exist_and_measure_what_they_say(cohort):
    card = read_cohort(cohort)
    evidence = read_evidence(list(card.evidence)).set_index("id")
    events = read_program(card.program).set_index("id")
    assert set(card.history) <= set(events.index)
    assert (events.loc[list(card.history), "event_type"] == "designation").all()
    for endpoint in card.endpoints:
        for name in (*endpoint.rows, *endpoint.earlier):
            counted = {"ORR": ("ORR", "partial_responses")}.get(endpoint.name, (endpoint.name,))
            assert evidence.loc[name, "endpoint"] in counted
    for therapy in card.therapies:
        for endpoint, rows in therapy.rows.items():
            assert (evidence.loc[list(rows), "endpoint"] == endpoint).all()
            assert {card.difference(trial) for trial in evidence.loc[list(rows), "trial_name"]}


def test_what_is_recalled_is_shown_and_does_not_speak():
    facts = weigh_designation("squamous-nsclc", "nmpa-btd").facts.set_index("id")
    assert not facts.loc["CMP-0001", "used"]
    assert "not verified" in facts.loc["CMP-0001", "why"]
    assert facts.loc["OAK-SQ-01", "used"]


def test_the_last_cut_answers_and_earlier_ones_stay():
    answers = weigh_designation("squamous-nsclc", "nmpa-btd").answers
    counts = answers[(answers["basis"] == COUNTS) & (answers["margin"] == "at all")]
    by_cut = counts[counts["spread"] == 0.5].set_index("cut")["drug"]
    assert by_cut["last cut"] == pytest.approx(100 * beta(11.5, 19.5).median(), abs=0.1)
    assert by_cut["earlier cut C015"] > by_cut["earlier cut C032"] > by_cut["last cut"]


def test_more_spread_between_trials_makes_less_sure():
    answers = weigh_designation("squamous-nsclc", "nmpa-btd").answers
    last = answers[(answers["cut"] == "last cut") & (answers["margin"] == "at all")].set_index("spread")
    assert last.loc[0.25, "probability"] > last.loc[0.5, "probability"] > last.loc[1.0, "probability"]


def test_a_therapy_counts_where_it_is_approved():
    american, chinese = (
        set(weigh_designation("squamous-nsclc", a).answers["therapy"]) for a in ("fda-btd", "nmpa-btd")
    )
    assert len(american) == 2
    assert len(chinese) == 1


def test_simulation_is_answered_apart(run):
    found = weigh_designation("squamous-nsclc", "nmpa-btd", simulation=run)
    answers = found.answers[found.answers["margin"] == "at all"]
    bases = dict(tuple(answers.groupby("basis")))
    assert set(bases) == {COUNTS, AGAINST_CONTROL, AGAINST_FACTS}
    first, second = beta(40.5, 60.5), beta(5.5, 95.5)
    control = beta(10.5, 90.5)
    p = (np.arange(20000) + 0.5) / 20000
    said = np.mean([np.mean(drug.pdf(p) * control.cdf(p)) for drug in (first, second)])
    assert bases[AGAINST_CONTROL]["probability"].iloc[0] == pytest.approx(said, abs=1e-3)
    before = weigh_designation("squamous-nsclc", "nmpa-btd").answers
    both = [each[each["basis"] == COUNTS].reset_index(drop=True) for each in (found.answers, before)]
    pd.testing.assert_frame_equal(*both)


def test_a_run_without_the_drug_is_refused(run):
    plan = {"study": {"name": "m", "protocol": "oak_docetaxel_squamous"}}
    (run / "study.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(NoArmOfDrugError, match="no arm that is given"):
        weigh_designation("squamous-nsclc", "nmpa-btd", simulation=run)


def test_a_trial_without_its_difference_is_refused():
    card = read_cohort("squamous-nsclc")
    silent = card.model_copy(update={"differences": {"OAK": "words"}})
    with pytest.raises(NoTherapyDifferenceError, match="differences in population"):
        weigh_designation(silent, "nmpa-btd")


def test_wrong_names_are_said():
    with pytest.raises(CohortEndpointError, match="ORR, mPFS"):
        weigh_designation("squamous-nsclc", "nmpa-btd", endpoint="mOS")
    card = read_cohort("squamous-nsclc")
    wrong = card.endpoints[0].model_copy(update={"rows": ("C040",)})
    with pytest.raises(NoSuchFactError, match="measures DCR"):
        weigh_designation(card.model_copy(update={"endpoints": (wrong,)}), "nmpa-btd")
    gone = card.endpoints[0].model_copy(update={"rows": ("C999",)})
    with pytest.raises(NoSuchFactError, match="no table"):
        weigh_designation(card.model_copy(update={"endpoints": (gone,)}), "nmpa-btd")


def test_a_cohort_without_counts_says_so():
    found = weigh_designation("treated-melanoma", "fda-ft")
    assert found.answers.empty
    assert any("nothing can be worked out" in note for note in notes_of(found))


def test_the_folder_holds_everything(run, tmp_path):
    found = weigh_designation("squamous-nsclc", "fda-btd", simulation=run)
    page = write_designation(found, tmp_path / "out", run).read_text(encoding="utf-8")
    assert "evidence, not a decision" in page
    assert "no immunotherapy before; squamous; phase 3" in page
    assert all(name in page for name in ("C039", "OAK-SQ-01", "E014"))
    written = pd.read_csv(tmp_path / "out" / "answers.csv")
    assert written["probability"].to_numpy() == pytest.approx(found.answers["probability"].to_numpy())
    record = json.loads((tmp_path / "out" / "designation.json").read_text(encoding="utf-8"))
    assert record["decision"] == "none: this is evidence"
    assert len(record["digests"]["ibi363"]) == 64


def test_agencies_state_no_number_and_say_what_was_checked():
    for agency in AGENCIES:
        card = read_agency(agency)
        assert "memory" in card.checked
        assert card.margins.points[0] == 0
        assert card.margins.ratio[0] == 1
        assert tables_of(weigh_designation("squamous-nsclc", card))


def test_a_count_of_responders_is_a_rate_of_its_patients():
    found = weigh_designation("adenocarcinoma", "nmpa-btd")
    drug = found.facts.set_index("id").loc["C016"]
    assert (drug["events"], drug["n"], drug["used"]) == (1, 3, True)
    assert drug["value"] == pytest.approx(100 / 3)
    assert not found.history["this_cohort"].any()
