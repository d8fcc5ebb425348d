"""Every number of the biology says its unit, what it is, its range and its source, and lies in its range."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twoarm.bibliography import ASSUMED, read_references
from twoarm.model import Model
from twoarm.model.sbml import check_units

BIOLOGY = Path(__file__).parents[2] / "src" / "twoarm" / "library" / "biology"
NUMBER = r"[-+]?[0-9.]+(?:e[-+]?[0-9]+)?"
LINE = re.compile(rf"^  (?P<values>(?:\w+ = {NUMBER} \w+; *)+)(?://(?P<said>.*))?$", re.M)
SAID = re.compile(rf" (?P<what>.+) \[(?P<low>{NUMBER}), (?P<high>{NUMBER})\] (?P<source>\w+)(?: \(.+\))?$")
TEXT = (BIOLOGY / "pd1_il2.ant").read_text(encoding="utf-8")
STARTS_EMPTY = re.compile(
    r"(drug|competitor|cytotoxic)_(central|peripheral|lymphoid|tumor|depot|cleared|degraded|shallow|deep)"
)
NUMBERS = [
    (name, float(value), said)
    for line in LINE.finditer(TEXT)
    for name, value in re.findall(rf"(\w+) = ({NUMBER})", line["values"])
    for said in [line["said"]]
    if not STARTS_EMPTY.fullmatch(name)
]


def test_the_numbers_are_found():
    assert len(NUMBERS) > 180


@pytest.mark.parametrize(("name", "value", "said"), NUMBERS, ids=[name for name, _, _ in NUMBERS])
def test_a_number_says_what_it_is_its_range_and_its_source(name, value, said):
    assert said, f"{name} stands without a word"
    found = SAID.fullmatch(said.rstrip())
    assert found, f"{name}: write `// what it is [low, high] source (note)`, not `//{said}`"
    assert float(found["low"]) <= value <= float(found["high"])
    assert found["source"] == ASSUMED or found["source"] in read_references()


def test_every_parameter_of_the_model_is_one_of_them(model: Model):
    own = {name for name in model.parameters if not re.search(r"_(cell|no_rate|zero_rate)$", name)}
    assert own <= {name for name, _, _ in NUMBERS}


def test_no_number_is_without_effect(model: Model):
    """Each reaches a rate, a start or an output that scales what is shown; compartments hold species."""
    waiting, seen = [*model.rates, *model.initial, model.outputs["eosinophils"]], set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += model.nodes[node].args
    at_work = {model.parameters[int(model.nodes[i].value)] for i in seen if model.nodes[i].op == "parameter"}
    assert {name for name in model.parameters if not name.endswith("_cell")} <= at_work


def test_units_are_proven():
    assert check_units("pd1_il2") == []


def test_every_output_that_people_see_has_a_label(model: Model):
    for name in (
        "sld",
        "drug_central_nM",
        "pstat5_effector",
        "nk_blood",
        "neutrophils",
        "leak",
        "diameter_5",
    ):
        assert model.labels[name], name
        assert model.units[name], name


@pytest.mark.parametrize("part", sorted(BIOLOGY.glob("*.ant")), ids=lambda part: part.stem)
def test_equations_name_where_they_come_from(part):
    text = part.read_text(encoding="utf-8")
    named = re.findall(r"^// Equations: (.+)$", text, re.M)
    if part.stem == "pd1_il2":  # the whole only connects
        return
    keys = set(re.findall(r"\b[a-z]+[0-9]{4}\b", " ".join(named)))
    assert keys
    assert keys <= set(read_references())
