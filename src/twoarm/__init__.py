"""From the two arms of an antibody to the two arms of a trial: the public names.

A name is looked up when it is first used, so that ``import twoarm`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twoarm.bibliography import cite, read_references
    from twoarm.cells import potency, read_cells, response, response_map, selectivity
    from twoarm.check import check_evidence, predict_cohort, split_width
    from twoarm.designate import weigh_designation
    from twoarm.engine.diagnose import diagnose
    from twoarm.engine.sensitivities import sensitivities
    from twoarm.engine.simulate import simulate
    from twoarm.engine.stream import stream
    from twoarm.errors import TwoarmError
    from twoarm.evidence.compare import compare
    from twoarm.evidence.read import read_evidence
    from twoarm.experiment import read_experiment, run_experiment
    from twoarm.export import export_study, export_trial
    from twoarm.fit import fit_population
    from twoarm.frozen import frozen_members, read_frozen
    from twoarm.learn import update_card, what_matters
    from twoarm.model import Model, extinguish
    from twoarm.model.sbml import check_units, read_model, write_sbml
    from twoarm.molecule import Molecule, draw_cards, model_parameters, read_molecule
    from twoarm.patients.draw import draw_patients
    from twoarm.patients.drawn import DrawnPatients
    from twoarm.patients.population import Population, read_population
    from twoarm.plan import plan_trial
    from twoarm.regimen import Regimen
    from twoarm.report import write_report
    from twoarm.study import read_study, run_study
    from twoarm.trial.analyze import analyze, cut
    from twoarm.trial.conduct import run_trial
    from twoarm.trial.protocol import Protocol, read_protocol

__version__ = "0.1.0"

# Public names by the steps of the work, and the module each lives in.
_HOMES: dict[str, dict[str, str]] = {
    "Models": {
        "Model": "model",
        "extinguish": "model",
        "read_model": "model.sbml",
        "check_units": "model.sbml",
        "write_sbml": "model.sbml",
        "simulate": "engine.simulate",
        "stream": "engine.stream",
        "diagnose": "engine.diagnose",
        "sensitivities": "engine.sensitivities",
    },
    "Molecules": {
        "Molecule": "molecule",
        "read_molecule": "molecule",
        "draw_cards": "molecule",
        "model_parameters": "molecule",
        "Regimen": "regimen",
    },
    "Cells": {
        "read_cells": "cells",
        "response": "cells",
        "potency": "cells",
        "selectivity": "cells",
        "response_map": "cells",
    },
    "Patients": {
        "Population": "patients.population",
        "read_population": "patients.population",
        "draw_patients": "patients.draw",
        "DrawnPatients": "patients.drawn",
        "fit_population": "fit",
        "read_frozen": "frozen",
        "frozen_members": "frozen",
    },
    "Trials": {
        "Protocol": "trial.protocol",
        "read_protocol": "trial.protocol",
        "run_trial": "trial.conduct",
        "cut": "trial.analyze",
        "analyze": "trial.analyze",
    },
    "Evidence": {
        "read_evidence": "evidence.read",
        "compare": "evidence.compare",
        "weigh_designation": "designate",
        "read_references": "bibliography",
        "cite": "bibliography",
    },
    "Whole studies": {
        "plan_trial": "plan",
        "run_study": "study",
        "read_study": "study",
        "predict_cohort": "check",
        "split_width": "check",
        "check_evidence": "check",
        "read_experiment": "experiment",
        "run_experiment": "experiment",
        "what_matters": "learn",
        "update_card": "learn",
        "write_report": "report",
        "export_study": "export",
        "export_trial": "export",
    },
    "Errors": {"TwoarmError": "errors"},
}
STEPS = {step: tuple(names) for step, names in _HOMES.items()}
_MODULES = {name: module for names in _HOMES.values() for name, module in names.items()}

__all__ = [
    "__version__",
    "Model",
    "extinguish",
    "read_model",
    "check_units",
    "write_sbml",
    "simulate",
    "stream",
    "diagnose",
    "sensitivities",
    "Molecule",
    "read_molecule",
    "draw_cards",
    "model_parameters",
    "Regimen",
    "read_cells",
    "response",
    "potency",
    "selectivity",
    "response_map",
    "Population",
    "read_population",
    "draw_patients",
    "DrawnPatients",
    "fit_population",
    "read_frozen",
    "frozen_members",
    "Protocol",
    "read_protocol",
    "run_trial",
    "cut",
    "analyze",
    "read_evidence",
    "compare",
    "weigh_designation",
    "read_references",
    "cite",
    "plan_trial",
    "run_study",
    "read_study",
    "predict_cohort",
    "split_width",
    "check_evidence",
    "read_experiment",
    "run_experiment",
    "what_matters",
    "update_card",
    "write_report",
    "export_study",
    "export_trial",
    "TwoarmError",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'twoarm' has no attribute {name!r}")
    found = getattr(import_module(f"twoarm.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
