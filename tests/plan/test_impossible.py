"""Designs that cannot be, through the command line: each is refused by name, with the rule and the remedy."""

import sys
from types import SimpleNamespace

import pytest
from tests.trial import stand_in

from twoarm import catalog, cli

SMALL = ("--pool", "40", "--draws", "1", "--replicates", "10", "-q")


@pytest.fixture(autouse=True)
def _biology(monkeypatch):
    model = SimpleNamespace(**vars(stand_in.biology()), digest="none")
    monkeypatch.setattr("twoarm.plan.run.read_model", lambda name: model)
    monkeypatch.setattr("twoarm.plan.run.draw_patients", lambda *_, n, **__: stand_in.people(n))

    def nobody(*_, **__):
        raise AssertionError("somebody was treated")

    monkeypatch.setattr("twoarm.plan.run.follow", nobody)


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Plan on the command line; what it says instead."""

    def call(*words, out="out"):
        line = ["twoarm", "plan", *SMALL, "--out", tmp_path / out, *words]
        monkeypatch.setattr(sys, "argv", [str(word) for word in line])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "Traceback" not in said
        return said

    return call


def written(tmp_path, kind, name, *changes):
    text = catalog.find(kind, name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"{name}_changed.toml"
    path.write_text(text)
    return path


DESIGNS = {
    "an interim after the end": (
        "three_looks",
        ("[0.6, 0.8, 1.0]", "[0.6, 1.2, 1.0]"),
        "An interim analysis lies before the end. Give it fewer events",
    ),
    "looks that go back": ("three_looks", ("[0.6, 0.8, 1.0]", "[0.8, 0.6, 1.0]"), "Sort them"),
    "a last look before the end": ("three_looks", ("[0.6, 0.8, 1.0]", "[0.4, 0.6, 0.8]"), "the last at 1"),
    "looks on one event": (
        "three_looks",
        ("[0.6, 0.8, 1.0]", "[0.001, 0.002, 1.0]"),
        "Plan fewer looks, or more events",
    ),
    "no looks": ("three_looks", ("information = {", "#information = {"), "Keep one"),
    "alpha above a half": ("three_looks", ("{ value = 0.025,", "{ value = 0.6,"), "at most 0.5"),
    "alpha of nothing": ("three_looks", ("{ value = 0.025,", "{ value = 0,"), "above 0"),
    "all of the error spent on futility": ("three_looks", ("{ value = 0.1,", "{ value = 1.2,"), "below 1"),
    "an arm that is not there": (
        "one_analysis",
        ('kind = "comparison"', 'kind = "comparison"\ncontrol = "placebo"'),
        "Name one of them",
    ),
    "review without readers": (
        "one_analysis",
        (
            "[test]",
            '[test]\nendpoint = { value = "PFS", source = "iche9" }\n'
            'by = { value = "review", source = "iche9" }',
        ),
        "Add [imaging.review]",
    ),
    "a null above the target": (
        "simon_response",
        ("{ value = 0.1,", "{ value = 0.4,"),
        "The null lies below",
    ),
    "two stages too small": (
        "simon_response",
        ("[rates]", '[rates]\nmost = { value = 8, source = "simon1989" }'),
        "Allow more patients",
    ),
    "a design without its table": ("simon_response", ('"two_stage"', '"escalation"'), "Add [escalation]"),
}


@pytest.mark.parametrize("what", DESIGNS)
def test_a_design_that_cannot_be(refused, tmp_path, what):
    name, change, remedy = DESIGNS[what]
    path = written(tmp_path, "designs", name, change)
    assert remedy in refused("marslight-11", "--design", path)
    assert not (tmp_path / "out").exists()


ESCALATIONS = {
    "a dose that the protocol lacks": (('"mg_3"]', '"mg_10"]'), 'has "mg_10" as a dose'),
    "a guess beyond the doses": (("guess      = { value = 3", "guess      = { value = 9"), "add doses"),
    "toxicities told apart beyond 0": (
        ("half_width = { value = 0.05", "half_width = { value = 0.2"),
        None,
    ),
    "a cohort larger than the trial": (
        ("cohort     = { value = 3", "cohort     = { value = 50"),
        "raise `most`",
    ),
    "a target that is no toxicity": (
        ("target     = { value = 0.3", "target     = { value = 0.7"),
        "at most 0.6",
    ),
}


@pytest.mark.parametrize("what", ESCALATIONS)
def test_an_escalation_that_cannot_be(refused, tmp_path, what):
    change, remedy = ESCALATIONS[what]
    changes = [change]
    if remedy is None:
        changes.append(("target     = { value = 0.3", "target     = { value = 0.15"))
    path = written(tmp_path, "designs", "first_in_human", *changes)
    assert (remedy or "Narrow it") in refused(path)
    assert not (tmp_path / "out").exists()


PROTOCOLS = {
    "negative accrual": (('"30 1/month"', '"-30 1/month"'), "above 0"),
    "events above patients": (("{ value = 430,", "{ value = 700,"), "Enroll more than that many patients"),
    "minimization without factors": (
        (
            'factors     = { value = ["resistance", "sequence", "region"]',
            'minimize = { value = 0.8, source = "iche9" }\nfactors = { value = []',
        ),
        "Name factors, or leave `minimize` out",
    ),
    "minimization that only tosses a coin": (
        ("[randomization]", '[randomization]\nminimize = { value = 0.5, source = "iche9" }'),
        "above 0.5",
    ),
    "blocks that shares do not divide": (("{ value = [4, 6]", "{ value = [4, 5]"), "multiple of the shares"),
    "a molecule that nobody has": (('"ibi363"', '"ibi999"'), "no molecule"),
    "a dose in no unit": (
        ('dose          = { value = "3 mg/kg"', 'dose          = { value = "3 mgs"'),
        "3 mgs",
    ),
    "arms of no patients": (("share = { value = 1,", "share = { value = 0,"), "share"),
    "regions that do not sum": (
        (
            "[randomization]",
            '[enrollment.regions.asia]\nrate = { value = "5 1/month", source = "iche9" }\n\n[randomization]',
        ),
        "sum to",
    ),
}


@pytest.mark.parametrize("what", PROTOCOLS)
def test_a_protocol_that_cannot_be(refused, tmp_path, what):
    change, remedy = PROTOCOLS[what]
    assert remedy in refused(written(tmp_path, "protocols", "marslight_11", change))
    assert not (tmp_path / "out").exists()


def test_strata_and_regions_without_patients(refused, tmp_path):
    path = written(tmp_path, "protocols", "marslight_11", ('"sequence", "region"', '"sequence", "smoking"'))
    assert "Name one of these, choose another population" in refused(path)
    speed = '[enrollment.regions.moon]\nrate = { value = "30 1/month", source = "iche9" }\n\n[randomization]'
    path = written(tmp_path, "protocols", "marslight_11", ("[randomization]", speed))
    assert "region = moon" in refused(path, out="other")


VARIED = {
    "rate=-3,20": "below 0",
    "rate=0": "above 0",
    "events=700": "Enroll more than that many patients",
    "events=2": "Plan fewer looks",
    "dose=lots": "is not a quantity",
    "target=0.2": "no meaning in a design of kind comparison",
    "size=3": "none of the names",
    "n=2:1000:1": "more than 64",
}


@pytest.mark.parametrize("what", VARIED)
def test_what_is_varied_to_what_cannot_be(refused, tmp_path, what):
    assert VARIED[what] in refused("marslight-11", "--design", "three_looks", "--vary", what)
    assert not (tmp_path / "out").exists()


def test_what_is_varied_where_it_means_nothing(refused):
    assert "no meaning in a design of kind two stage" in refused(
        "marslight-11", "--design", "simon_response", "--vary", "n=40"
    )
    assert "no meaning in a design of kind escalation" in refused("first_in_human", "--vary", "dose=1 mg/kg")
    assert "The null lies below" in refused(
        "marslight-11", "--design", "one_arm_response", "--vary", "target=0.05"
    )


def test_too_few_patients_to_draw_from(refused):
    assert "Pass a larger --pool" in refused("marslight-11", "--pool", "3")
