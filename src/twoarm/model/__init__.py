"""Any SBML or Antimony model as one expression graph. Knows no drug, no cell and no trial."""

from __future__ import annotations

from twoarm.model.differentiate import along, derivative, jacobian, parameter_derivatives, time_derivative
from twoarm.model.equations import Delay, Event, Graph, Model, Node, evaluate
from twoarm.model.extinction import extinguish
from twoarm.model.settle import polish, settle
from twoarm.model.start import start

__all__ = [
    "Delay",
    "Event",
    "Graph",
    "Model",
    "Node",
    "along",
    "derivative",
    "evaluate",
    "extinguish",
    "jacobian",
    "parameter_derivatives",
    "polish",
    "settle",
    "start",
    "time_derivative",
]
