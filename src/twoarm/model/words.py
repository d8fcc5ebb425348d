"""Units of SBML elements in words a reader knows: "1/(nM*day)" from the definition `per_nM_per_day`."""

from __future__ import annotations

import re

import libsbml as sbml

__all__ = ["unit_words"]

_KNOWN = {"litre": "L", "liter": "L", "dimensionless": "1", "metre": "m", "meter": "m", "item": "item"}
#: Names that say the role of a unit and not which one it is.
_ROLES = frozenset({"substance", "volume", "area", "length", "time", "time_unit", "extent"})


def unit_words(source: sbml.Model, name: str) -> str:
    """Return the unit of what the symbol `name` means, empty where the model does not say."""
    element = source.getElementBySId(name)
    if element is None:
        return ""
    if isinstance(element, sbml.Parameter | sbml.Compartment) and element.isSetUnits():
        return _id_words(source, element.getUnits())
    derived = element.getDerivedUnitDefinition() if hasattr(element, "getDerivedUnitDefinition") else None
    if derived is None or derived.getNumUnits() == 0 or isinstance(element, sbml.Parameter | sbml.Reaction):
        return ""
    return _definition_words(source, derived)


def _id_words(source: sbml.Model, unit: str) -> str:
    definition = source.getUnitDefinition(unit)
    if definition is not None and unit in _ROLES:
        return _definition_words(source, definition)
    if definition is not None and definition.getName():
        return definition.getName()
    numerator, *below = re.split(r"(?:^|_)per_", unit)
    above = "*".join(_KNOWN.get(part, part) for part in numerator.split("_")) or "1"
    below = [_KNOWN.get(part, part) for part in below]
    if not below:
        return above
    return f"{above}/{below[0]}" if len(below) == 1 else f"{above}/({'*'.join(below)})"


def _definition_words(source: sbml.Model, definition: sbml.UnitDefinition) -> str:
    """Name of the same unit where the model has one, else its factors."""
    for known in source.getListOfUnitDefinitions():
        if known.getId() not in _ROLES and sbml.UnitDefinition.areIdentical(known, definition):
            return _id_words(source, known.getId())
    if definition.getNumUnits() == 1:
        unit = definition.getUnit(0)
        if (unit.getExponentAsDouble(), unit.getScale(), unit.getMultiplier()) == (1.0, 0, 1.0):
            kind = sbml.UnitKind_toString(unit.getKind())
            return _KNOWN.get(kind, kind)
    return sbml.UnitDefinition.printUnits(definition, True)
