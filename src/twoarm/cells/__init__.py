"""Cells in a dish: which there are, a dose around them, and what the receptors of each then say."""

from __future__ import annotations

from twoarm.cells.bath import bathe
from twoarm.cells.read import Cell, CellSet, read_cells
from twoarm.cells.respond import potency, response, response_map, selectivity

__all__ = [
    "Cell",
    "CellSet",
    "bathe",
    "potency",
    "read_cells",
    "response",
    "response_map",
    "selectivity",
]
