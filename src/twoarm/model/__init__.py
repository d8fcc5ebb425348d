"""Any SBML or Antimony model as one expression graph. Knows no drug, no cell and no trial."""

from __future__ import annotations

from twoarm.model.differentiate import along, derivative, jacobian, parameter_derivatives, time_derivative
from twoarm.model.equations import Event, Graph, Model, Node, evaluate, start

__all__ = [
    "Event",
    "Graph",
    "Model",
    "Node",
    "along",
    "derivative",
    "evaluate",
    "jacobian",
    "parameter_derivatives",
    "start",
    "time_derivative",
]
