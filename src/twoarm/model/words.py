"""Units of symbols in words a reader knows: "1/(nM*day)" from the definition `per_nM_per_day`."""

from __future__ import annotations

import re

import libsbml as sbml

__all__ = ["UnitWords"]

_KNOWN = {"litre": "L", "liter": "L", "dimensionless": "1", "metre": "m", "meter": "m"}
#: Names that say the role of a unit and not which one it is.
_ROLES = ("substance", "volume", "area", "length", "time", "time_unit", "extent")


class UnitWords:
    """Words for the units of one model, each worked out once."""

    def __init__(self, source: sbml.Model) -> None:
        self._source = source
        self._definitions = {d.getId(): d for d in source.getListOfUnitDefinitions()}
        self._words: dict[str, str] = {}
        self._shortest: dict[str, str] = {}  # of equal units the shortest name, which is not a submodel's
        for name, definition in self._definitions.items():
            if not name.endswith(_ROLES):
                key = _factors(definition)
                self._shortest[key] = min(self._shortest.get(key, name), name, key=lambda n: (len(n), n))

    def plain(self, unit: str) -> str:
        """Words for a unit by its identifier, empty for none."""
        if unit not in self._words:
            self._words[unit] = self._plain(unit)
        return self._words[unit]

    def concentration(self, substance: str, size: str) -> str:
        """Words for substance over size."""
        if not substance or not size:
            return ""
        ratio = sbml.UnitDefinition.divide(self._definition(substance), self._definition(size))
        name = self._shortest.get(_factors(ratio))
        return _spelled(name) if name else f"{self.plain(substance)}/{self.plain(size)}"

    def _definition(self, unit: str) -> sbml.UnitDefinition:
        if unit in self._definitions:
            return self._definitions[unit]
        made = sbml.UnitDefinition(self._source.getLevel(), self._source.getVersion())
        factor = made.createUnit()
        factor.initDefaults()
        factor.setKind(sbml.UnitKind_forName(unit))
        return made

    def _plain(self, unit: str) -> str:
        if unit not in self._definitions:
            return _spelled(unit)
        definition = self._definitions[unit]
        key = _factors(definition)
        if definition.getName():
            return str(definition.getName())
        if key in self._shortest:
            return _spelled(self._shortest[key])
        kind = re.fullmatch(r"([a-z]+) \(exponent = 1, multiplier = 1, scale = 0\)", key)
        return _spelled(kind[1]) if kind else str(sbml.UnitDefinition.printUnits(definition, True))


def _factors(definition: sbml.UnitDefinition) -> str:
    """Text that is equal for equal units."""
    copy = definition.clone()
    sbml.UnitDefinition.reorder(copy)
    return str(sbml.UnitDefinition.printUnits(sbml.UnitDefinition.convertToSI(copy)))


def _spelled(name: str) -> str:
    """Spell "per_nM_day" as 1/(nM*day), and "cell_per_litre" as cell/L."""
    above, *below = re.split(r"(?:^|_)per_", name)
    up = "*".join(_KNOWN.get(part, part) for part in above.split("_")) if above else "1"
    down = [_KNOWN.get(part, part) for group in below for part in group.split("_")]
    if not down:
        return up
    return f"{up}/{down[0]}" if len(down) == 1 else f"{up}/({'*'.join(down)})"
