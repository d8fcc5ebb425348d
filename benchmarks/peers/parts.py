"""Part of a model moves and the rest stands still; what is constant becomes a parameter of the patient."""

from __future__ import annotations

import libsbml
import pandas as pd

from twoarm.engine import simulate
from twoarm.model.sbml import read_model


def hold_still(sbml: str, patients: pd.DataFrame, moving: frozenset[str]) -> tuple[str, pd.DataFrame]:
    """Let only some states of a model move.

    Every other state stays where it starts, and so does each assignment that names one of these. What does
    not change in time is worked out beforehand, so that no tool computes it again and again.

    Parameters
    ----------
    sbml : str
        The whole model, flat.
    patients : DataFrame
        Its patients.
    moving : set of str
        States that move.

    Returns
    -------
    str
        SBML without initial assignments: reactions, rate rules and the assignments they need, all values 1.
    DataFrame
        Parameters and initial states, one row a patient.
    """
    whole = read_model(sbml)
    document = libsbml.readSBMLFromString(sbml)
    model = document.getModel()
    _stop(model, moving)
    needed = _needed(model, moving, frozenset(whole.states) - moving)
    for rule in [rule for rule in model.getListOfRules() if rule.isAssignment()]:
        if not needed.get(rule.getVariable()):
            model.getElementBySId(rule.getVariable()).setConstant(True)
            model.removeRuleByVariable(rule.getVariable())
    model.getListOfInitialAssignments().clear()
    for element in [*model.getListOfParameters(), *model.getListOfSpecies()]:
        if element.getId() not in needed:
            element.removeFromParentAndDelete()
    given = [
        name for name, changes in needed.items() if (name in moving or not changes) and name in whole.outputs
    ]
    for name in given:  # numbers stand in the table: so the text, and what is compiled from it, outlives them
        _set_value(model.getElementBySId(name), 1.0)
    begun = simulate(whole, patients, days=1e-6, visits=[0.0], outputs=given, rtol=1e-3)
    table = pd.DataFrame({name: begun[name].to_numpy()[:, 0] for name in given}, index=patients.index)
    return libsbml.writeSBMLToString(document), table


def _stop(model: libsbml.Model, moving: frozenset[str]) -> None:
    """Make every other state a constant, and remove what only they did."""
    for rule in [rule for rule in model.getListOfRules() if rule.isRate()]:
        if rule.getVariable() not in moving:
            model.getElementBySId(rule.getVariable()).setConstant(True)
            model.removeRuleByVariable(rule.getVariable())
    for species in model.getListOfSpecies():
        if species.getId() not in moving:
            species.setBoundaryCondition(True)
            species.setConstant(True)
    for reaction in list(model.getListOfReactions()):
        if not moving & _sides(reaction):
            model.removeReaction(reaction.getId())
            continue
        for modifier in [m.getSpecies() for m in reaction.getListOfModifiers()]:
            if modifier not in _names(reaction.getKineticLaw().getMath()):
                reaction.removeModifier(modifier)


def _needed(model: libsbml.Model, moving: frozenset[str], held: frozenset[str]) -> dict[str, bool]:
    """Names that moving states depend on, and whether each changes in time."""
    rules = model.getListOfRules()
    meaning = {rule.getVariable(): _names(rule.getMath()) for rule in rules if rule.isAssignment()}
    changes = dict.fromkeys(moving, True)

    def changing(name: str) -> bool:
        if name not in changes:
            parts = meaning.get(name, set())
            changes[name] = name == "time" or (not parts & held and any(changing(part) for part in parts))
        return changes[name]

    ahead = set(moving)
    for rule in rules:
        if rule.isRate():
            ahead |= _names(rule.getMath())
    for reaction in model.getListOfReactions():
        ahead |= _names(reaction.getKineticLaw().getMath()) | _sides(reaction)
    needed: dict[str, bool] = {}
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed[name] = changing(name)
            ahead |= meaning.get(name, set()) if needed[name] else set()
    return needed


def _sides(reaction: libsbml.Reaction) -> set[str]:
    sides = [*reaction.getListOfReactants(), *reaction.getListOfProducts()]
    return {side.getSpecies() for side in sides}


def _names(formula: libsbml.ASTNode) -> set[str]:
    if formula.getType() == libsbml.AST_NAME_TIME:
        return {"time"}
    found = {formula.getName()} if formula.isName() else set()
    return found.union(*(_names(formula.getChild(i)) for i in range(formula.getNumChildren())))


def _set_value(element: libsbml.SBase, value: float) -> None:
    if isinstance(element, libsbml.Species) and element.getHasOnlySubstanceUnits():
        element.setInitialAmount(value)
    elif isinstance(element, libsbml.Species):
        element.setInitialConcentration(value)
    elif isinstance(element, libsbml.Compartment):
        element.setSize(value)
    else:
        element.setValue(value)
