"""The systems that are integrated: the library's biology, whole or in part, published models, networks."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from peers.parts import hold_still
from peers.task import Task, make_task
from twoarm.model import Model, Node
from twoarm.model.sbml import read_model, write_sbml

_HERE = Path(__file__).parents[1]
_COMPLEXES = (
    "pd1 il2ra il2rb dp da db dab dbg dabg dpa dpb dpab dpbg dpabg mp il2ra_inside la lb lab feedback_level"
)
_LESION = (
    "precursor_1 effector_1 exhausted_1 treg_1 bystander_1 lesion_1_sensitive lesion_1_antigen_lost "
    "lesion_1_chemo_resistant lesion_1_dead_volume pdl1 ifng_tumor"
)
_PLACES = "central peripheral lymphoid tumor depot cleared degraded"


def _each(owners: str, words: str) -> list[str]:
    return [f"{owner}_{word}" for owner in owners.split() for word in words.split()]


#: Parts of the library's model: which states move. All others stay where they start.
PARTS = {
    "t_cell": [*_each("drug", _PLACES), *_each("effector", _COMPLEXES)],
    "lesion": [
        *_each("drug", _PLACES),
        *_each("effector bystander nk", _COMPLEXES),
        *_LESION.split(),
        "cd8_ratio",
        "nk_ratio",
    ],
    "tumor": [
        *_each("drug competitor", _PLACES),
        *_each("precursor effector exhausted treg_tumor bystander nk", _COMPLEXES),
        *_LESION.split(),
        "cd8_ratio",
        "nk_ratio",
        "scd25",
    ],
}

#: Models of `models/`: the state that something is added to, how much, how often, and the parameters' spread.
_PUBLISHED = {
    "kirschner_panetta_1998": ("E", 5775.0, 21.0, 0.1),
    "kholodenko_2000": ("MKKK", 20.0, 500.0, 0.4),
    "huang_ferrell_1996": ("E1", 2.5e-6, 20.0, 0.4),
}


def library(name: str, count: int) -> Task:
    """All of the library's biology or a part of it, in the library's patients."""
    patients = library_patients(count)
    whole = _sbml("pd1_il2")
    moving = PARTS.get(name, read_model(whole).states)
    sbml, table = hold_still(whole, patients, frozenset(moving))
    return make_task(name, sbml, table, "drug_central", 1000.0)


def published(name: str, count: int) -> Task:
    """Take a model of `models/`, its parameters log-normal."""
    target, amount, every, spread = _PUBLISHED[name]
    sbml = _sbml(_HERE / "models" / f"{name}.ant")
    patients = spread_patients(read_model(sbml), count, spread)
    patients = patients.drop(columns="cell", errors="ignore")  # its volume: tools differ in what that does
    return make_task(name, sbml, patients, target, amount, every=every)


def network_model(size: int) -> Model:
    """Make a random reaction network, one of the tests', with this many states."""
    sys.path.insert(0, str(_HERE.parent))
    from tests.engine.small_models import network as made

    return made(size, round(2.3 * size), seed=7)


def network(size: int, count: int, spread: float = 0.4) -> Task:
    """Take such a network, its parameters log-normal with a CV of 40 %."""
    sbml = _sbml(antimony_of(network_model(size)))
    return make_task(f"network_{size}", sbml, spread_patients(read_model(sbml), count, spread), "x0", 5.0)


#: Every system of a whole run: published models, parts of the library and all of it, a network.
SYSTEMS = (*_PUBLISHED, *PARTS, "network_150", "pd1_il2")
SHORT = ("huang_ferrell_1996", "t_cell", "lesion")


def system(name: str, count: int) -> Task:
    """Find a system by name, in so many patients."""
    if name in _PUBLISHED:
        return published(name, count)
    if name.startswith("network_"):
        return network(int(name.removeprefix("network_")), count)
    return library(name, count)


def spread_patients(model: Model, count: int, spread: float) -> pd.DataFrame:
    """Draw every parameter log-normal around its default; `spread` is that of the logarithm."""
    rng = np.random.default_rng(1)
    free = [name for name in model.parameters if name not in model.derived]
    default = dict(zip(model.parameters, model.values, strict=True))
    return pd.DataFrame({n: default[n] * np.exp(spread * rng.standard_normal(count)) for n in free})


def library_patients(count: int) -> pd.DataFrame:
    """Patients of the library's population on its molecule."""
    from twoarm.molecule import read_molecule
    from twoarm.patients.draw import draw_patients
    from twoarm.patients.population import read_population
    from twoarm.regimen import Regimen

    known = read_model("pd1_il2")
    patients = draw_patients(read_population("io_resistant_squamous_nsclc"), count, seed=1)
    drug = Regimen(read_molecule("ibi363"), dose="3 mg/kg", every="3 weeks").parameters(patients)
    own = patients[[name for name in patients if name in {*known.parameters, *known.states}]]
    return pd.concat([own, drug[[name for name in drug if name not in own]]], axis=1)


def _sbml(source: str | Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        write_sbml(source, path)
        return path.read_text(encoding="utf-8")


def antimony_of(model: Model) -> str:
    """Text of a model made in code; what is used more than once becomes an assignment."""
    uses = np.zeros(len(model.nodes), dtype=int)
    for node in model.nodes:
        for a in node.args:
            uses[a] += 1
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    words: list[str] = []
    lines = [f"model {model.name.replace(' ', '_')}()"]

    def word(node: Node) -> str:
        args = [words[a] for a in node.args]
        if node.op in signs:
            return f"({args[0]} {signs[node.op]} {args[1]})"
        if node.op == "max":
            return f"piecewise({args[0]}, {args[0]} > {args[1]}, {args[1]})"
        if node.op == "neg":
            return f"(-{args[0]})"
        if not args:
            names = {"state": model.states, "parameter": model.parameters}.get(node.op)
            return repr(node.value) if names is None else names[int(node.value)]
        return f"{node.op}({', '.join(args)})"

    for i, node in enumerate(model.nodes):
        words.append(word(node))
        if node.args and uses[i] > 1:
            lines.append(f"shared{i} := {words[i]};")
            words[i] = f"shared{i}"
    defaults = zip(model.parameters, model.values, strict=True)
    lines += [f"{name} = {value!r};" for name, value in defaults]
    for name, rate, initial in zip(model.states, model.rates, model.initial, strict=True):
        lines.append(f"{name}' = {words[rate]}; {name} = {words[initial]};")
    return "\n".join([*lines, "end"])
