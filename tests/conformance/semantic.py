"""Cases of the SBML semantic test suite, and two ways to run one."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import libsbml
import numpy as np
from scipy.integrate import solve_ivp

from twoarm.engine import simulate
from twoarm.model import Graph, Model, evaluate, start
from twoarm.model.sbml import read_model

SUITE = Path(__file__).parents[3] / "shared" / "conformance" / "sbml-semantic"

#: What this package does not solve and must name: tag of the suite -> construct in the error.
REFUSED = {
    "AlgebraicRule": "algebraic rule",
    "CSymbolDelay": "delay()",
    "FastReaction": "fast reaction",
    "comp:ExternalModelDefinition": "external model definition",
}


@dataclass(frozen=True)
class Case:
    """One case: what to run, what to compare, how close."""

    number: str
    times: np.ndarray
    variables: tuple[str, ...]
    amounts: frozenset[str]
    absolute: float
    relative: float
    tags: frozenset[str]
    expected: np.ndarray

    @property
    def path(self) -> Path:
        return SUITE / self.number / "model.xml"

    @property
    def refusals(self) -> set[str]:
        """Constructs of which the reader must name one; empty if the case must be solved."""
        return {construct for tag, construct in REFUSED.items() if tag in self.tags}

    @property
    def has_events(self) -> bool:
        return any(tag.startswith("Event") for tag in self.tags)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _fields(path: Path) -> dict[str, str]:
    lines = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in lines}


@lru_cache(maxsize=1)
def all_numbers() -> tuple[str, ...]:
    """Numbers of all time courses; the suite's flux balances are another kind of problem."""
    if not SUITE.is_dir():
        return ()
    folders = sorted(path for path in SUITE.iterdir() if path.is_dir())
    return tuple(p.name for p in folders if _fields(p / "tags.txt")["testType"] == "TimeCourse")


def read_case(number: str) -> Case:
    folder = SUITE / number
    settings, tags = _fields(folder / "settings.txt"), _fields(folder / "tags.txt")
    begin, duration, steps = (float(settings[key]) for key in ("start", "duration", "steps"))
    with (folder / "results.csv").open() as file:
        header, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    variables = tuple(_words(settings["variables"]))
    columns = [header.index(name, 1) for name in variables]  # from 1: a variable may be called time too
    return Case(
        number=number,
        times=np.linspace(begin, begin + duration, int(steps) + 1),
        variables=variables,
        amounts=frozenset(_words(settings["amount"])),
        absolute=float(settings["absolute"]),
        relative=float(settings["relative"]),
        tags=frozenset(_words(tags["componentTags"]) + _words(tags["testTags"])),
        expected=np.array([[float(row[i]) for i in columns] for row in rows]),
    )


def read_wanted(case: Case) -> Model:
    """Model of a case whose outputs are the variables, as amount or concentration as the case asks."""
    model = read_model(case.path)
    graph = Graph(model.nodes)
    source = libsbml.readSBML(str(case.path)).getModel()
    concentrations = set(_words(_fields(SUITE / case.number / "settings.txt")["concentration"]))
    outputs = {}
    for name in case.variables:
        species = source.getSpecies(name)
        if name in case.amounts and name in model.amounts:
            outputs[name] = model.amounts[name]
        elif name in concentrations and species and species.getHasOnlySubstanceUnits():
            outputs[name] = graph.div(model.amounts[name], model.outputs[species.getCompartment()])
        else:
            outputs[name] = model.outputs[name]
    return dataclasses.replace(model, nodes=tuple(graph.nodes), outputs=outputs)


def solve_slowly(model: Model, case: Case) -> np.ndarray:
    """Variables at the times of a case, by scipy and the slow evaluator; events are not run."""
    parameters, states = (table[:, 0] for table in start(model))

    def slope(t: float, y: np.ndarray) -> np.ndarray:
        values = evaluate(model.nodes, y, parameters, t)
        return np.array([float(values[node]) for node in model.rates])

    path = np.zeros((0, len(case.times)))
    if len(states):
        end = float(case.times[-1])
        options = {"rtol": 1e-9, "atol": 1e-14, "max_step": end / 20}
        solution = solve_ivp(slope, (0.0, end), states, "LSODA", case.times, **options)
        assert solution.success, solution.message
        path = solution.y
    repeated = np.repeat(parameters[:, None], len(case.times), axis=1)
    values = evaluate(model.nodes, path, repeated, case.times)
    nodes = [model.outputs[name] for name in case.variables]
    return np.stack([np.broadcast_to(values[node], case.times.shape) for node in nodes], axis=1)


def solve_by_engine(model: Model, case: Case, backend: str) -> np.ndarray:
    """Variables at the times of a case, by the engine."""
    run = simulate(
        model,
        days=case.times[-1],
        visits=case.times,
        outputs=case.variables,
        backend=backend,
        rtol=1e-8,
        atol=1e-14,
    )
    return np.stack([run[name].values[0] for name in case.variables], axis=1)


def agrees(got: np.ndarray, case: Case) -> bool:
    """Whether every value is within the suite's tolerance, infinities and NaN alike included."""
    want = case.expected
    with np.errstate(invalid="ignore"):
        close = np.abs(got - want) <= case.absolute + case.relative * np.abs(want)
    return bool(np.all(close | (got == want) | (np.isnan(got) & np.isnan(want))))
