"""Cases of the SBML semantic test suite: read from a folder, run on a back end, compared as it compares."""

from __future__ import annotations

import csv
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twoarm.engine import simulate
from twoarm.model import Model
from twoarm.model.sbml import read_model

SUITE = Path(__file__).parents[3] / "shared" / "conformance" / "sbml-semantic"
BACKENDS = ("reference", "cpu")


@dataclass(frozen=True)
class Case:
    """One case: what to run, what to compare, how close."""

    number: str
    path: Path
    times: np.ndarray
    variables: tuple[str, ...]
    amounts: frozenset[str]
    concentrations: frozenset[str]
    absolute: float
    relative: float
    tags: frozenset[str]
    expected: np.ndarray


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _fields(path: Path) -> dict[str, str]:
    """Lines "key: value" of a file; none where there is no file."""
    if not path.is_file():
        return {}
    lines = (line.split(":", 1) for line in path.read_text(errors="replace").splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in lines}


def _file(folder: Path, plain: str) -> Path:
    """``settings.txt`` and the like, or the suite's own ``00001-settings.txt``."""
    named = folder / f"{folder.name}-{plain}"
    return named if named.is_file() else folder / plain


def _tags(folder: Path) -> dict[str, str]:
    return _fields(_file(folder, "tags.txt")) or _fields(_file(folder, "model.m"))


def _model_file(folder: Path) -> Path:
    """``model.xml``, or the suite's own ``00001-sbml-l3v2.xml`` of the highest level and version."""
    if (folder / "model.xml").is_file():
        return folder / "model.xml"
    written = [p for p in folder.iterdir() if re.fullmatch(rf"{folder.name}-sbml-l\dv\d\.xml", p.name)]
    return max(written, key=lambda p: p.name, default=folder / "model.xml")


def folders(suite: Path) -> list[Path]:
    """Every case below a folder that is a time course; flux balances are another kind of problem."""
    if not suite.is_dir():
        return []
    places = [suite, *sorted(path for path in suite.iterdir() if path.is_dir())]
    places = [p for p in places if _file(p, "settings.txt").is_file()]
    return [p for p in places if "FluxBalance" not in _tags(p).get("testType", "TimeCourse")]


def read_case(folder: Path) -> Case:
    settings, tags = _fields(_file(folder, "settings.txt")), _tags(folder)
    begin, duration, steps = (float(settings[key]) for key in ("start", "duration", "steps"))
    with _file(folder, "results.csv").open(newline="") as file:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    variables = tuple(_words(settings["variables"]))
    columns = [header.index(name, 1) for name in variables]  # from 1: a variable may be called time too
    return Case(
        number=folder.name,
        path=_model_file(folder),
        times=np.linspace(begin, begin + duration, int(steps) + 1),
        variables=variables,
        amounts=frozenset(_words(settings.get("amount", ""))),
        concentrations=frozenset(_words(settings.get("concentration", ""))),
        absolute=float(settings["absolute"]),
        relative=float(settings["relative"]),
        tags=frozenset(_words(tags.get("componentTags", "")) + _words(tags.get("testTags", ""))),
        expected=np.array([[float(row[i]) for i in columns] for row in rows]),
    )


def read_wanted(case: Case) -> Model:
    """Model of a case whose outputs are the variables, as amount or concentration as the case asks."""
    model = read_model(case.path)
    outputs = {}
    for i, name in enumerate(case.variables):
        asked = model.outputs
        if name in case.amounts and name in model.amounts:
            asked = model.amounts
        elif name in case.concentrations and name in model.concentrations:
            asked = model.concentrations
        outputs[f"v{i}"] = asked[name]
    return dataclasses.replace(model, outputs=outputs, units={}, labels={})


def solve(model: Model, case: Case, backend: str) -> np.ndarray:
    """(time, variable) values of a case, by the engine."""
    run = simulate(
        model,
        days=case.times[-1],
        visits=case.times,
        backend=backend,
        rtol=1e-8,
        atol=1e-14,
    )
    return np.stack([run[f"v{i}"].values[0] for i in range(len(case.variables))], axis=1)


def agrees(got: np.ndarray, case: Case) -> bool:
    """Whether every value is within the suite's tolerance, infinities and NaN alike included."""
    want = case.expected
    if got.shape != want.shape:
        return False
    with np.errstate(invalid="ignore"):
        close = np.abs(got - want) <= case.absolute + case.relative * np.abs(want)
    return bool(np.all(close | (got == want) | (np.isnan(got) & np.isnan(want))))


def difference(got: np.ndarray, case: Case) -> str:
    """Where a result is farthest from the suite's, in words."""
    want = case.expected
    if got.shape != want.shape:
        return f"{got.shape[0]} times instead of {want.shape[0]}"
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(got - want) / (case.absolute + case.relative * np.abs(want))
    off = np.where((got == want) | (np.isnan(got) & np.isnan(want)), 0.0, np.nan_to_num(off, nan=np.inf))
    row, column = np.unravel_index(int(np.argmax(off)), off.shape)
    return (
        f"{case.variables[column]} at {case.times[row]:g} is {got[row, column]:.9g}, "
        f"not {want[row, column]:.9g} ({int((off > 1).sum())} of {off.size} values)"
    )
