"""Hostile and broken model files give an error in bounded time: no crash, no hang, no code."""

# ruff: noqa: E501 - a hostile text is one line

from __future__ import annotations

import gzip
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from twoarm.engine import simulate
from twoarm.errors import (
    CircularModelError,
    FileMissingError,
    FileTextError,
    FileTooLargeError,
    IntegrationError,
    ModelTextError,
    NotInLibraryError,
    TwoarmError,
    UnsafeModelError,
)
from twoarm.model import antimony_text, evaluate, start
from twoarm.model.sbml import read_model

LIMIT = 120.0  # seconds; all of these take a small part of it on a machine with nothing else to do
HEAD = '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"{}><model id="m">'
MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'
COMP = ' xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true"'
TIME = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>'


@pytest.fixture(autouse=True)
def in_time():
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < LIMIT


def sbml(*parts: str, more: str = "") -> str:
    return HEAD.format(more) + "".join(parts) + "</model></sbml>"


def rule(math: str, name: str = "x") -> str:
    return (
        f'<listOfParameters><parameter id="{name}" constant="false"/></listOfParameters><listOfRules>'
        f'<assignmentRule variable="{name}">{MATH.format(math)}</assignmentRule></listOfRules>'
    )


def laughs(depth: int) -> str:
    definitions = [
        f'<comp:modelDefinition id="a{i}"><listOfCompartments/><comp:listOfSubmodels>'
        f'<comp:submodel comp:id="p" comp:modelRef="a{i - 1}"/><comp:submodel comp:id="q" comp:modelRef="a{i - 1}"/>'
        "</comp:listOfSubmodels></comp:modelDefinition>"
        for i in range(1, depth)
    ]
    first = '<comp:modelDefinition id="a0"><listOfParameters><parameter id="k" value="1" constant="true"/></listOfParameters></comp:modelDefinition>'
    main = f'<comp:listOfSubmodels><comp:submodel comp:id="s" comp:modelRef="a{depth - 1}"/></comp:listOfSubmodels></model>'
    listed = (
        f"<comp:listOfModelDefinitions>{first}{''.join(definitions)}</comp:listOfModelDefinitions></sbml>"
    )
    return HEAD.format(COMP) + main + listed


def doubling(call: str, depth: int) -> str:
    functions = [f"function f{i}(x) {call.format(f=f'f{i - 1}')}; end\n" for i in range(1, depth)]
    return f"function f0(x) x; end\n{''.join(functions)}model m() y := f{depth - 1}(time); end"


ENTITIES = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(12))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(f'<!DOCTYPE x [<!ENTITY a0 "ha">{ENTITIES}]><x>&a12;</x>', UnsafeModelError, id="laughs"),
        pytest.param('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>', UnsafeModelError, id="file"),
        pytest.param(sbml("&lol;"), ModelTextError, id="undeclared entity"),
        pytest.param(sbml(rule("<apply><plus/>" * 20000 + "<cn>1</cn>" + "</apply>" * 20000)), UnsafeModelError, id="deep"),
        pytest.param(HEAD.format("") + "<a>" * 200_000, UnsafeModelError, id="never closed"),
        pytest.param(laughs(34), UnsafeModelError, id="submodels that double"),
        pytest.param(doubling("{f}(2*x) + {f}(2*x + 1)", 40), UnsafeModelError, id="functions that double"),
        pytest.param(
            "model a0() x=1; x'=-x; end\n"
            + "".join(f"model a{i}() p: a{i - 1}(); q: a{i - 1}(); end\n" for i in range(1, 40)),
            UnsafeModelError,
            id="Antimony that doubles",
        ),
        pytest.param("model a() p: a(); end", ModelTextError, id="model in itself"),
        pytest.param("model m; x := " + "(" * 100_000 + "1" + ")" * 100_000 + "; end", TwoarmError, id="parentheses"),
        pytest.param("model m; x := " + "sin(" * 50_000 + "1" + ")" * 50_000 + "; end", TwoarmError, id="calls"),
        pytest.param("model m; x := " + "!" * 2_900 + "true; end", TwoarmError, id="nots"),
        pytest.param("model m; x = 1;\0 y = 2; end", ModelTextError, id="null"),
        pytest.param(sbml("\0"), ModelTextError, id="null in XML"),
        pytest.param('model m; x is "', ModelTextError, id="open string"),
        pytest.param("\x01\x02=;\x03", ModelTextError, id="noise"),
        pytest.param("x = 1; \ud800", ModelTextError, id="half a character"),
        pytest.param("a\0b", TwoarmError, id="null in a name"),
        pytest.param("x" * 100_000, TwoarmError, id="long name"),
        pytest.param("", TwoarmError, id="nothing"),
        pytest.param("model m; " + "x" * 11_000_000 + " = 1; end", FileTooLargeError, id="large"),
        pytest.param("model m; a := b + c; b := a; c = 1; end", CircularModelError, id="circle of rules"),
        pytest.param(
            sbml(
                '<listOfReactions><reaction id="r" reversible="false">'
                '<listOfReactants><speciesReference species="nowhere" stoichiometry="1" constant="true"/>'
                "</listOfReactants></reaction></listOfReactions>"
            ),
            ModelTextError,
            id="unknown species",
        ),
        pytest.param(sbml("<listOfParameters><parameter/></listOfParameters>"), ModelTextError, id="no id"),
        pytest.param(
            sbml(
                '<listOfParameters><parameter id="a" constant="true"/><parameter id="a" constant="true"/></listOfParameters>'
            ),
            ModelTextError,
            id="one id twice",
        ),
        pytest.param(sbml(rule("<ci>nowhere</ci>")), ModelTextError, id="unknown symbol"),
        pytest.param(sbml(rule("<apply><divide/><cn>1</cn></apply>")), ModelTextError, id="too few arguments"),
        pytest.param(sbml(rule("<apply><ci>f</ci><cn>1</cn></apply>")), ModelTextError, id="unknown function"),
        pytest.param('<model id="m"/>', ModelTextError, id="no sbml"),
        pytest.param(sbml().replace('version="2"', 'version="5"'), ModelTextError, id="no such version"),
        pytest.param(sbml().replace('level="3"', 'level="1"'), ModelTextError, id="namespace of another level"),
        pytest.param(sbml(rule(f"<apply><exp/>{TIME * 3}</apply>")), ModelTextError, id="too many arguments"),
        pytest.param(HEAD.format("").replace("level3/version2/core", "level9/version9") + "</model></sbml>", ModelTextError, id="wrong namespace"),
        pytest.param(sbml(rule(f"<apply><and/>{TIME * 20_000}</apply>")), UnsafeModelError, id="arguments"),
        pytest.param(
            "model m; " + "".join(f"p{i} := p{i + 1};" for i in range(60)) + "p60 := p0; end", CircularModelError, id="long circle"
        ),
    ],
)  # fmt: skip
def test_hostile_text_is_refused(text: str, error: type[TwoarmError]) -> None:
    with pytest.raises(error):
        read_model(text)


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.xml").write_text("")
    with pytest.raises(ModelTextError):
        read_model(tmp_path / "empty.xml")
    with zipfile.ZipFile(tmp_path / "zip.xml", "w") as archive:
        archive.writestr("model.xml", sbml())
    (tmp_path / "gz.xml").write_bytes(gzip.compress(sbml().encode()))
    (tmp_path / "latin.xml").write_bytes(sbml().replace('id="m"', 'id="m" name="é"').encode("latin-1"))
    for name in ("zip.xml", "gz.xml", "latin.xml"):
        with pytest.raises(FileTextError):
            read_model(tmp_path / name)
    with pytest.raises((FileMissingError, NotInLibraryError)):
        read_model(tmp_path)
    (tmp_path / "folder.xml").mkdir()
    with pytest.raises(FileMissingError):
        read_model(tmp_path / "folder.xml")


@pytest.mark.parametrize(
    "source",
    [
        "../model.xml",
        "/etc/hostname",
        "http://example.org/m.xml",
        "a/b.xml",
        "urn:miriam:x",
        "..",
        "main.xml",
    ],
)
def test_models_from_elsewhere_are_refused(source: str, tmp_path: Path) -> None:
    listed = (
        f'<comp:listOfExternalModelDefinitions><comp:externalModelDefinition comp:id="e" comp:source="{source}"/>'
        "</comp:listOfExternalModelDefinitions>"
    )
    submodel = '<comp:listOfSubmodels><comp:submodel comp:id="s" comp:modelRef="e"/></comp:listOfSubmodels>'
    text = HEAD.format(COMP) + submodel + "</model>" + listed + "</sbml>"
    (tmp_path / "model.xml").write_text(sbml())
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "main.xml").write_text(text)
    with pytest.raises((UnsafeModelError, FileMissingError)):
        read_model(inner / "main.xml")
    with pytest.raises(UnsafeModelError):
        read_model(text)


def test_what_the_standard_allows_is_read(tmp_path: Path) -> None:
    plain = sbml(rule(TIME))
    for i, head in enumerate(
        ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>', "\ufeff", "\n\n"]
    ):
        path = tmp_path / f"{i}.xml"
        path.write_text(head + plain, encoding="utf-8")
        assert "x" in read_model(path).outputs


@pytest.mark.parametrize("op", ["plus", "times"])
def test_a_sum_of_twenty_thousand_terms_is_read(op: str) -> None:
    begin = time.monotonic()
    model = read_model(sbml(rule(f"<apply><{op}/>{TIME * 10_000}{'<cn>1</cn>' * 10_000}</apply>")))
    want = {"plus": 30_000.0, "times": np.inf}[op]
    parameters, states = start(model)
    assert float(evaluate(model.nodes, states[:, 0], parameters[:, 0], 2.0)[model.outputs["x"]]) == want
    assert time.monotonic() - begin < 30


def test_a_nested_sum_of_nine_hundred_terms_is_read() -> None:
    model = read_model(sbml(rule("<apply><plus/>" * 900 + TIME + f"{TIME}</apply>" * 900)))
    assert float(evaluate(model.nodes, [], [], 1.0)[model.outputs["x"]]) == 901.0


def test_numbers_that_are_none_are_read_as_such() -> None:
    math = "<apply><plus/><notanumber/><infinity/></apply>"
    model = read_model(sbml(rule(math)))
    assert np.isnan(float(evaluate(model.nodes, [], [], 0.0)[model.outputs["x"]]))
    text = '<listOfParameters><parameter id="k" value="INF" constant="true"/><parameter id="n" value="NaN" constant="true"/></listOfParameters>'
    parameters, _ = start(read_model(sbml(text)))
    assert np.isinf(parameters[0, 0])
    assert np.isnan(parameters[1, 0])


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_division_by_zero_at_the_start_fails_the_patient(backend: str) -> None:
    model = read_model("model m; x = 0; x' = 1/x; end")
    with pytest.raises(IntegrationError):
        simulate(model, days=1, backend=backend)


def test_events_without_end_fail_the_patient() -> None:
    model = read_model(
        "model m; x = 0; x' = 1; a: at (x > 1), t0 = true: x = 0.5; y = 0; at (x > 0.2): y = 1; end"
    )
    assert float(simulate(model, days=3, visits=[3.0]).x.values[0, 0]) <= 1.0 + 1e-6
    storm = read_model("model m; x = 0; x' = 0; at (time > 1 && x < 1): x = 1; at (x > 0.5): x = 0; end")
    with pytest.raises(IntegrationError):
        simulate(storm, days=3, visits=[3.0])


def test_a_parser_that_crashed_is_an_error_and_is_replaced() -> None:
    assert read_model("model m; x = 1; x' = 2; end").states == ("x",)
    antimony_text._child(os.getpid()).kill()
    with pytest.raises(UnsafeModelError, match="crash"):
        read_model("model m; x = 1; x' = 3; end")
    assert read_model("model m; x = 1; x' = 4; end").states == ("x",)


@pytest.mark.slow
def test_reactions_beyond_counting_are_refused_or_read_in_time() -> None:
    many = "".join(f'<reaction id="r{i}" reversible="false"/>' for i in range(120_000))
    with pytest.raises(UnsafeModelError, match="symbols"):
        read_model(sbml(f"<listOfReactions>{many}</listOfReactions>"))
    with pytest.raises(FileTooLargeError):
        read_model(sbml(f"<listOfReactions>{many * 9}</listOfReactions>"))
