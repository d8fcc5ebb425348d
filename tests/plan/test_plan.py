"""Plans end to end, with a stand-in for the biology; and designs that cannot be."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.trial import stand_in

from twoarm.design.card import check_design, read_design
from twoarm.errors import (
    DesignArmError,
    DesignKindError,
    EnrollmentSpeedError,
    EventsAbovePatientsError,
    EventsOutOfReachError,
    LookAfterEndError,
    LookOrderError,
    NoEventsSaidError,
    OtherStudyError,
    PoolSizeError,
    VaryError,
)
from twoarm.plan import plan_table, plan_trial
from twoarm.plan.run import read_plan
from twoarm.plan.vary import protocol_of, read_vary
from twoarm.trial.protocol import read_protocol

SMALL = {"replicates": 60, "pool": 60, "draws": 2, "seed": 3}


@pytest.fixture(autouse=True)
def _biology(monkeypatch):
    """Patients and biology with closed solutions; protocols, cards, designs and pages are the real ones."""
    model = SimpleNamespace(**vars(stand_in.biology()), digest="none")
    monkeypatch.setattr("twoarm.plan.run.read_model", lambda name: model)
    monkeypatch.setattr("twoarm.plan.run.draw_patients", lambda *_, n, **__: stand_in.people(n))


def plan(name, folder, **how):
    return plan_trial(name, folder, advance=stand_in.advance, **{**SMALL, **how})


def test_a_plan_leaves_its_tables_and_a_page(tmp_path):
    steps = []
    found = plan(
        "marslight-11",
        tmp_path,
        design="three_looks",
        vary=["n=300:600:300"],
        progress=lambda *told: steps.append(told),
    )
    own = found.set_index(["scenario", "quantity"])["value"]
    assert 0 <= own["as planned", "power"] <= 1
    assert own["n = 300", "final_events"] == pytest.approx(215, abs=5)
    assert own["as planned", "efficacy_1"] + own["as planned", "efficacy_2"] + own[
        "as planned", "efficacy_3"
    ] == pytest.approx(own["as planned", "power"])
    names = {path.name for path in tmp_path.iterdir()}
    assert {
        "report.html",
        "operating.csv",
        "boundaries.csv",
        "inputs.csv",
        "ratios.csv",
        "pool",
        "result.json",
    } <= names
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The three things that most change the answer" in page
    assert "Not exact where" in page
    assert not re.search(r"<script|http://(?!www\.w3\.org)", page)
    assert page.count("<svg") == 5
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(plan_table(found)) == 3


@pytest.mark.slow
def test_the_same_plan_twice_is_the_same_and_simulates_once(tmp_path):
    first = plan("marslight-11", tmp_path)

    def nobody(*_, **__):
        raise AssertionError("simulated again")

    again = plan_trial("marslight-11", tmp_path, advance=nobody, **SMALL)
    pd.testing.assert_frame_equal(first, again)
    other = plan_trial("marslight-11", tmp_path, design="two_looks_pocock", advance=nobody, **SMALL)
    assert len(other)
    with pytest.raises(OtherStudyError, match="seed"):
        plan("marslight-11", tmp_path, seed=4)


@pytest.mark.slow
def test_a_plan_that_is_interrupted_while_it_draws_goes_on(tmp_path, monkeypatch):
    from twoarm.plan import operate

    class Stopped(Exception):
        """As from the keyboard."""

    def stop(step, share):
        if share > 0.85:
            raise Stopped

    many = {**SMALL, "replicates": 600}
    whole = plan("marslight-11", tmp_path / "whole", **many)
    with pytest.raises(Stopped):
        plan("marslight-11", tmp_path / "cut", progress=stop, **many)
    done = len(list((tmp_path / "cut" / "trials").rglob("*.csv")))
    assert 0 < done < len(list((tmp_path / "whole" / "trials").rglob("*.csv")))
    drawn, conduct = [], operate._conduct
    monkeypatch.setattr(operate, "_conduct", lambda *how: drawn.append(how) or conduct(*how))
    again = plan("marslight-11", tmp_path / "cut", **many)
    pd.testing.assert_frame_equal(again, whole)
    assert len(drawn) + done == len(list((tmp_path / "cut" / "trials").rglob("*.csv")))


@pytest.mark.slow
def test_another_dose_is_other_patients(tmp_path):
    found = plan("marslight-11", tmp_path, vary=["dose=1 mg/kg,3 mg/kg"])
    own = found.set_index(["scenario", "quantity"])["value"]
    assert own["dose 3 mg/kg", "hazard_ratio"] == own["as planned", "hazard_ratio"]
    assert own["dose 1 mg/kg", "hazard_ratio"] > own["dose 3 mg/kg", "hazard_ratio"]


def test_all_that_a_protocol_may_ask_is_planned_at_once(tmp_path):
    # 2:1, minimization, regions, review, crossover, reductions, delays, re-priming, futility by spending
    found = plan("two_looks_futility", tmp_path, pool=120, replicates=20)
    own = found.set_index(["scenario", "quantity"])["value"]
    assert own["as planned", "final_events"] == pytest.approx(220, abs=3)
    looks = pd.read_csv(tmp_path / "boundaries.csv")
    assert looks["futility"].iloc[0] > 0
    kept = pd.read_csv(next((tmp_path / "pool").rglob("docetaxel/000.csv")))
    versions = [name for name in kept if name.startswith("review_")]
    assert len(versions) == 3
    # readers of another set call another day, and not the investigator's
    assert not kept["review_0"].equals(kept["review_1"])
    assert not kept["review_0"].equals(kept["progression"])


def test_escalation_picks_doses(tmp_path):
    found = plan("first_in_human", tmp_path)
    picked = found.groupby("scenario")["value"].sum()
    np.testing.assert_allclose(picked, 1.0)
    doses = pd.read_csv(tmp_path / "doses.csv")
    assert set(doses["scenario"]) == {"three_plus_three", "boin", "crm"}
    assert (doses.groupby(["scenario", "draw"])["patients"].sum() <= 30).all()
    fewer = plan("first_in_human", tmp_path, vary=["n=12", "target=0.2,0.25"])
    assert fewer["scenario"].nunique() == 9
    doses = pd.read_csv(tmp_path / "doses.csv", keep_default_na=False)
    small = doses[(doses["setting"] != "") & (doses["scenario"] != "three_plus_three")]
    sizes = pd.to_numeric(small["patients"], errors="coerce").groupby(
        [small["setting"], small["scenario"], small["draw"]]
    )
    assert (sizes.sum() <= 12).all()
    assert "Other settings" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_two_stages_and_one_arm_by_exact_numbers(tmp_path):
    found = plan("marslight-11", tmp_path / "two", design="simon_response").set_index("quantity")["value"]
    assert (found["r1"], found["n1"], found["r"], found["n"]) == (1, 10, 5, 29)
    assert found["patients"] <= 29
    assert found["months"] > 0
    one = plan("marslight-11", tmp_path / "one", design="one_arm_response", vary=["n=25,40"])
    own = one.set_index(["scenario", "quantity"])["value"]
    assert own["n = 40", "months"] > own["n = 25", "months"]
    assert own["n = 25", "type_one"] <= 0.025
    assert own["n = 40", "power_at_target"] > own["n = 25", "power_at_target"]


def test_a_basket_has_a_row_a_disease(tmp_path):
    raw = (read_file("basket_response")).split("[[baskets]]")
    path = tmp_path / "basket.toml"
    path.write_text("[[baskets]]".join(raw[:3]))
    found = plan("marslight-11", tmp_path / "out", design=path)
    assert found["scenario"].nunique() == 3  # two baskets, and both together
    own = found.set_index(["scenario", "quantity"])["value"]
    assert own["all baskets", "any_false_null"] <= 0.05
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Holm" in page
    assert "Months to the last answer" in page


def read_file(name):
    from twoarm import catalog

    return catalog.find("designs", name).read_text(encoding="utf-8")


def written(tmp_path, name, *changes):
    text = read_file(name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "design.toml"
    path.write_text(text)
    return path


def test_an_interim_after_the_end_is_refused(tmp_path):
    path = written(tmp_path, "three_looks", ("[0.6, 0.8, 1.0]", "[0.6, 1.2, 1.0]"))
    with pytest.raises(LookAfterEndError, match="516 events.*lies before the end"):
        plan("marslight-11", tmp_path / "out", design=path)
    path = written(tmp_path, "three_looks", ("[0.6, 0.8, 1.0]", "[0.8, 0.6, 1.0]"))
    with pytest.raises(LookOrderError, match="Sort them"):
        plan("marslight-11", tmp_path / "out", design=path)
    assert not (tmp_path / "out").exists()


def test_more_events_than_patients_are_refused(tmp_path):
    with pytest.raises(EventsAbovePatientsError, match="700 events among 600 patients"):
        plan("marslight-11", tmp_path, vary=["events=700"])


def test_events_that_nobody_reaches_are_refused(tmp_path, monkeypatch):
    protocol = read_protocol("marslight_11")
    short = protocol.model_copy(update={"follow_up": protocol.follow_up.model_copy(update={"horizon": 60.0})})
    study = SimpleNamespace(model="none")
    monkeypatch.setattr("twoarm.plan.run.read_study", lambda name: (study, short))
    with pytest.raises(EventsOutOfReachError, match="enroll more patients"):
        plan("marslight-11", tmp_path)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("rate=-3,20", VaryError, "below 0"),
        ("rate=0", EnrollmentSpeedError, "above 0"),
        ("n=half", VaryError, "not a number"),
        ("n=10:20:0", VaryError, "not a number"),
        ("n=1.5", VaryError, "whole numbers"),
        ("size=3", VaryError, "none of the names"),
        ("n", VaryError, "no values"),
        ("n=2:1000:1", VaryError, "more than 64"),
    ],
)
def test_what_cannot_be_varied_is_refused(text, error, match):
    with pytest.raises(error, match=match):
        read_vary([text])


def test_a_dose_that_is_none_is_refused():
    protocol = read_protocol("marslight_11")
    changed = protocol_of(protocol, "experimental", read_vary(["dose=1 mg/kg"])[0])
    old, new = (each.arms["experimental"].treatments[0] for each in (protocol, changed))
    assert new.dose == "1 mg/kg"
    assert new.model_copy(update={"dose": old.dose}) == old
    with pytest.raises(VaryError, match="every"):
        protocol_of(protocol, "experimental", read_vary(["every=often"])[0])
    daily = read_protocol("il2_variants_melanoma")
    rarer = (
        protocol_of(daily, "nemvaleukin", read_vary(["every=6 weeks"])[0]).arms["nemvaleukin"].treatments[0]
    )
    assert (rarer.every, rarer.course.doses, rarer.course.apart) == (42, 5, 1)
    with pytest.raises(VaryError, match="A course ends before the next begins"):
        protocol_of(daily, "nemvaleukin", read_vary(["every=3 days"])[0])


def test_designs_say_what_they_lack(tmp_path):
    with pytest.raises(NoEventsSaidError, match="checkmate_017"):
        check_design(read_design("one_analysis"), read_protocol("checkmate_017"))
    with pytest.raises(PoolSizeError, match="larger --pool"):
        read_plan("marslight-11", pool=3)
    path = written(tmp_path, "three_looks", ('kind = "comparison"', 'kind = "two_stage"'))
    with pytest.raises(DesignKindError, match="rates"):
        read_design(path)
    path = written(
        tmp_path, "one_analysis", ('kind = "comparison"', 'kind = "comparison"\ncontrol = "placebo"')
    )
    with pytest.raises(DesignArmError, match='"placebo" as control'):
        check_design(read_design(path), read_protocol("marslight_11"))


@pytest.mark.parametrize(
    "name",
    [
        "one_analysis",
        "three_looks",
        "two_looks_pocock",
        "two_looks_futility",
        "two_looks_obrien_fleming",
        "simon_response",
        "minimax_response",
        "one_arm_response",
        "first_in_human",
        "basket_response",
    ],
)
def test_every_design_of_the_library_is_one(name):
    assert read_design(name).name == name
