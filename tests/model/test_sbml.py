"""Models read from Antimony and SBML mean what they say; what is not solved or safe is refused by name."""

import time
from pathlib import Path

import numpy as np
import pytest

from twoarm.catalog import LARGEST
from twoarm.errors import (
    CircularModelError,
    FileMissingError,
    FileTooLargeError,
    ModelTextError,
    NotInLibraryError,
    TwoarmError,
    UnsafeModelError,
    UnsupportedModelError,
)
from twoarm.model import Model, evaluate, start
from twoarm.model.sbml import check_units, read_model, write_sbml

UNITS = """
  unit substance = 1e-9 mole; unit extent = 1e-9 mole; unit time_unit = 86400 second; unit volume = litre;
  unit nM = 1e-9 mole/litre; unit nmol = 1e-9 mole; unit per_day = 1/(86400 second);
"""
PART = f"""
model decay(x, k)
  {UNITS}
  compartment place = 1 litre;
  species x in place = 4 nM; x is "the thing that decays";
  share := k/(1 per_day); share has dimensionless;
  fall: x -> ; place*k*x;
  k has per_day;
end
"""
WHOLE = f"""
import "part.ant"
model *whole()
  {UNITS}
  first: decay(y, rate);
  rate = 2 per_day; rate is "how fast";
end
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "part.ant").write_text(PART)
    (tmp_path / "whole.ant").write_text(WHOLE)
    return tmp_path


def values(model: Model, time: float = 0.0, **given: float) -> dict[str, float]:
    parameters, states = start(model, given)
    found = evaluate(model.nodes, states[:, 0], parameters[:, 0], time)
    rates = {f"d {name}": float(found[node]) for name, node in zip(model.states, model.rates, strict=True)}
    return {name: float(found[node]) for name, node in model.outputs.items()} | rates


def test_parts_beside_a_file_are_imported_and_connected(folder: Path) -> None:
    model = read_model(folder / "whole.ant")
    assert model.states == ("y",)
    assert model.parameters == ("first_place", "rate")
    assert values(model)["d y"] == -8.0
    assert model.labels["rate"] == "how fast"
    assert {name: model.units[name] for name in ("y", "rate", "first_share", "first_place")} == {
        "y": "nM",
        "rate": "1/day",
        "first_share": "1",
        "first_place": "L",
    }


def test_units_of_parts_are_proved_or_complained_about(folder: Path) -> None:
    assert check_units(folder / "whole.ant") == []
    (folder / "part.ant").write_text(PART.replace("place*k*x", "k*x"))
    assert any("fall" in message for message in check_units(folder / "whole.ant"))


def test_the_same_content_is_read_once(folder: Path) -> None:
    first = read_model(folder / "whole.ant")
    assert read_model(folder / "whole.ant") is first
    (folder / "part.ant").write_text(PART.replace("= 4 nM", "= 5 nM"))
    assert values(read_model(folder / "whole.ant"))["y"] == 5.0


def test_writing_sbml_keeps_the_meaning(folder: Path) -> None:
    write_sbml(folder / "whole.ant", folder / "whole.xml")
    written, model = read_model(folder / "whole.xml"), read_model(folder / "whole.ant")
    assert values(written) == values(model)
    assert [p.name for p in folder.iterdir() if p.suffix == ".part"] == []


def test_a_concentration_follows_its_compartment_and_a_state_is_an_amount() -> None:
    model = read_model(
        "model grow; compartment v = 2; v' = 1; species s in v = 3; s' = 0.5; species t in v = 4;"
        "t -> ; v*t; end"
    )
    found = values(model)
    assert dict(zip(model.states, start(model)[1][:, 0], strict=True)) == {"s": 6.0, "t": 8.0, "v": 2.0}
    assert found["d s"] == 0.5 * 2 + 3 * 1  # d(s v)/dt
    assert found["d t"] == -8.0


def test_functions_are_put_in_place_and_pieces_chosen() -> None:
    model = read_model(
        "function hill(x, k) x/(x + k); end\n"
        "model f; x = 3; y := hill(x, 1); z := piecewise(1, time < 2, 5); x' = 0; end"
    )
    assert values(model)["y"] == 0.75
    assert values(model)["z"] == 1.0
    assert values(model, time=2.0)["z"] == 5.0


def test_events_keep_all_they_say() -> None:
    model = read_model(
        "model e; x = 1; x' = 0;"
        "shot: at 2 after (time > 3), priority = 4, persistent = false, t0 = false: x = 7; end"
    )
    (event,) = model.events
    assert (event.name, event.persistent, event.initial_value) == ("shot", False, False)
    assert [name for name, _ in event.assignments] == ["x"]
    found = evaluate(model.nodes, [1.0], [], 4.0)
    nodes = (event.trigger, event.delay, event.priority, event.assignments[0][1])
    assert [float(found[node]) for node in nodes if node is not None] == [1.0, 2.0, 4.0, 7.0]


def test_assignment_in_a_label_or_comment_is_left_alone() -> None:
    model = read_model('model c; // y := 3\n x := 2/4; /* z := 1 */ x is "x := f / 2"; end')
    assert values(model) == {"x": 0.5}
    assert model.labels["x"] == "x := f / 2"


def test_a_deep_chain_of_rules_is_read_in_seconds() -> None:
    chain = "".join(f"a{i + 1} := a{i} + 1;" for i in range(150))
    begin = time.perf_counter()
    assert values(read_model(f"model chain; a0 := time; {chain} end"), time=2.0)["a150"] == 152.0
    assert time.perf_counter() - begin < 5


def test_the_library_is_found_by_name_and_has_no_complaint() -> None:
    model = read_model("pd1_il2")
    parameters, states = start(model)
    found = evaluate(model.nodes, states[:, 0], parameters[:, 0])
    assert np.isfinite([found[node] for node in model.rates]).all()


SBML = '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">{}</sbml>'


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("model x; a := b; b := a + 1; end", CircularModelError, "a"),
        ("model x; b := delay(time, -3); end", ModelTextError, "ahead of time"),
        ("model x; this is not = a model", ModelTextError, "syntax error"),
        ('model x; import "/etc/hostname"; end', UnsafeModelError, "elsewhere"),
        ('import "../part.ant"\nmodel x; end', UnsafeModelError, "elsewhere"),
        ('import "missing_part.ant"\nmodel x; end', FileMissingError, "missing_part"),
        (SBML.format("<model>"), ModelTextError, "not XML"),
        ("<sbml></sbml>", ModelTextError, "no SBML"),
        ("<html></html>", ModelTextError, "not SBML"),
        (SBML.format(""), ModelTextError, "no model"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><sbml/>', UnsafeModelError, "document type"),
        (SBML.format("<a>" * 1000 + "</a>" * 1000), UnsafeModelError, "nested"),
        (
            SBML.format(
                '<model id="m"><listOfRules><algebraicRule><math xmlns="http://www.w3.org/1998/Math/MathML">'
                "<cn>0</cn></math></algebraicRule></listOfRules></model>"
            ),
            UnsupportedModelError,
            "algebraic rule that determines nothing",
        ),
        ("no_such_model", NotInLibraryError, "no_such_model"),
        ("nowhere/at_all.ant", FileMissingError, "at_all"),
        ("model x; " + " " * LARGEST + "end", FileTooLargeError, "MB"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    text: str, error: type[TwoarmError], says: str
) -> None:
    with pytest.raises(error) as refused:
        read_model(text)
    assert says in str(refused.value)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.ant"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(FileTooLargeError):
        read_model(path)


def test_a_file_that_imports_itself_is_refused(tmp_path):
    ring = tmp_path / "ring.ant"
    ring.write_text('import "other.ant"\nmodel ring() x = 1; x\' = -x; end\n')
    (tmp_path / "other.ant").write_text('import "ring.ant"\nmodel other() y = 1; y\' = -y; end\n')
    with pytest.raises(UnsafeModelError, match="ring"):
        read_model(ring)
    alone = tmp_path / "alone.ant"
    alone.write_text('import "alone.ant"\nmodel alone() x = 1; x\' = -x; end\n')
    with pytest.raises(UnsafeModelError, match="alone"):
        read_model(alone)
