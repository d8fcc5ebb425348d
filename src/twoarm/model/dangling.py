"""Names in an SBML model that lead nowhere, or to two things: found before anything is built on them."""

from __future__ import annotations

from collections.abc import Iterator

import libsbml as sbml

from twoarm.errors import ModelTextError

__all__ = ["check_names"]


def check_names(source: sbml.Model) -> None:
    """Refuse a model in which a name is missing, is there twice, or stands for nothing.

    Raises
    ------
    ModelTextError
        With the name, and what it is used for.
    """
    known: set[str] = set()
    for element in _named(source):
        name = element.getId()
        if not name:
            raise ModelTextError(problem=f"a {element.getElementName()} has no id")
        if name in known:
            raise ModelTextError(problem=f'two things are called "{name}"')
        known.add(name)
    compartments = {c.getId() for c in source.getListOfCompartments()}
    species = {s.getId() for s in source.getListOfSpecies()}
    for one in source.getListOfSpecies():
        if one.getCompartment() not in compartments:
            raise ModelTextError(problem=_lost(one.getCompartment(), f"compartment of {one.getId()}"))
    references = set()
    for reaction in source.getListOfReactions():
        for side in (reaction.getListOfReactants(), reaction.getListOfProducts()):
            for reference in side:
                references.add(reference.getId())
                if reference.getSpecies() not in species:
                    use = f"species in reaction {reaction.getId()}"
                    raise ModelTextError(problem=_lost(reference.getSpecies(), use))
    seen = set()
    for name, use in _uses(source):
        if name not in known and name not in references:
            raise ModelTextError(problem=_lost(name, use))
        if use.startswith("variable of a rule"):
            if name in seen:
                raise ModelTextError(problem=f'two rules say what "{name}" is')
            seen.add(name)


def _named(source: sbml.Model) -> Iterator[sbml.SBase]:
    for elements in (
        source.getListOfCompartments(),
        source.getListOfSpecies(),
        source.getListOfParameters(),
        source.getListOfReactions(),
        source.getListOfFunctionDefinitions(),
    ):
        yield from elements


def _uses(source: sbml.Model) -> Iterator[tuple[str, str]]:
    for rule in source.getListOfRules():
        if not rule.isAlgebraic():
            yield rule.getVariable(), "variable of a rule"
    for assignment in source.getListOfInitialAssignments():
        yield assignment.getSymbol(), "symbol of an initial assignment"
    for event in source.getListOfEvents():
        for change in event.getListOfEventAssignments():
            yield change.getVariable(), f"variable of event {event.getId()}"


def _lost(name: str, use: str) -> str:
    return f'"{name}" is the {use}, and there is no such thing'
