"""The SBML semantic test suite: what is solved agrees with it, what is not is refused by name.

The normal run takes a few cases of each kind; ``make conformance`` takes all of them, in any folder laid out
like the suite's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .run import refusal, run_case
from .semantic import BACKENDS, SUITE, folders

PLACES = folders(SUITE)
#: One case of each kind that few models hold, and a few of the others.
CHOSEN = {
    "00039": "algebraic rule",
    "00543": "algebraic rule, no dimensions",
    "00875": "fast reaction",
    "00987": "fast reaction that begins to run at an event",
    "01399": "fast reaction with two balances",
    "00937": "delay of a formula of time",
    "01401": "delay of a rate",
    "01539": "delay of a fast reaction",
    "01165": "external model definition",
    "01507": "concentration fixed at the trigger, volume changes during the delay",
    "01779": "event changes a compartment and what is in it",
    "01577": "priority by an algebraic rule",
    "01787": "algebraic rule with two candidates",
}
FEW = [place for i, place in enumerate(PLACES) if place.name in CHOSEN or i % 40 == 0]
suite = pytest.mark.skipif(not PLACES, reason=f"no SBML semantic suite at {SUITE}")


@suite
@pytest.mark.parametrize(
    "place", [p for p in PLACES if p.name in CHOSEN] + PLACES[::40], ids=lambda p: p.name
)
def test_a_case_agrees_on_both_back_ends(place: Path) -> None:
    for outcome in run_case(place, BACKENDS):
        if outcome.backend == "reference":
            assert outcome.result == "passed", outcome.why
        else:
            assert outcome.result == "passed" or outcome.why.endswith("by this back end"), outcome.why


@suite
@pytest.mark.slow
def test_the_runner_takes_what_the_suite_itself_calls_its_files(tmp_path: Path) -> None:
    source, case = PLACES[0], tmp_path / PLACES[0].name
    case.mkdir()
    names = {
        "model.xml": "sbml-l3v2.xml",
        "settings.txt": "settings.txt",
        "results.csv": "results.csv",
        "tags.txt": "model.m",
    }
    for plain, own in names.items():
        (case / f"{case.name}-{own}").write_bytes((source / plain).read_bytes())
    broken = tmp_path / "00002"
    broken.mkdir()
    for path in source.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    text = (broken / "results.csv").read_text().splitlines()
    (broken / "results.csv").write_text("\n".join([*text[:-1], text[-1].replace("0", "7")]))
    script = Path(__file__).parent / "run.py"
    options = ["--backend", "reference", "--processes", "1"]
    ran = subprocess.run(
        [sys.executable, script, tmp_path, *options], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "failed on reference: 00002" in ran.stdout
    assert "00001" not in ran.stdout


def test_only_what_names_its_construct_counts_as_refused() -> None:
    assert refusal(ValueError("x")) is None
