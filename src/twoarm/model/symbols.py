"""What libsbml knows of single elements, whatever the level: local parameters, stoichiometries, defaults."""

from __future__ import annotations

import math

import libsbml as sbml

__all__ = ["local_parameters", "named_stoichiometries", "stoichiometry_number"]


def local_parameters(reaction: sbml.Reaction) -> list[sbml.Parameter]:
    """Parameters that only the kinetic law of a reaction sees."""
    law = reaction.getKineticLaw()
    if law is None:
        return []
    if law.getLevel() < 3:
        return [law.getParameter(i) for i in range(law.getNumParameters())]
    return [law.getLocalParameter(i) for i in range(law.getNumLocalParameters())]


def named_stoichiometries(source: sbml.Model) -> dict[str, sbml.SpeciesReference]:
    """Species references that expressions may name, or that something sets (Level 3)."""
    if source.getLevel() < 3:
        return {}
    sides = (s for r in source.getListOfReactions() for s in (r.getListOfReactants(), r.getListOfProducts()))
    return {reference.getId(): reference for side in sides for reference in side if reference.isSetId()}


def stoichiometry_number(reference: sbml.SpeciesReference) -> float:
    """Return the stoichiometry as a number; 1 where none is said."""
    value = reference.getStoichiometry() / reference.getDenominator()
    return 1.0 if math.isnan(value) else float(value)
