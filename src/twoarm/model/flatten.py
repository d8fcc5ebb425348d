"""A flat SBML model into a `Model`: what each symbol means, how each state changes, where it starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import libsbml as sbml

from twoarm.errors import CircularModelError, ModelTextError, UnsupportedModelError
from twoarm.model.differentiate import time_derivative
from twoarm.model.equations import Event, Model
from twoarm.model.start import start
from twoarm.model.graph import Graph, reachable
from twoarm.model.mathml import Translator, names_in
from twoarm.model.words import UnitWords

__all__ = ["model_of"]


def model_of(source: sbml.Model) -> Model:
    """Model of a flat SBML model (no submodels left)."""
    return _Meaning(source).model()


class _Meaning:
    """What the symbols of one SBML model mean, as nodes of one graph.

    A species in a compartment is held as an amount whatever its symbol means, so that it is conserved
    while the compartment changes and a dose is a plain addition.
    """

    def __init__(self, source: sbml.Model) -> None:
        self.source = source
        self.graph = Graph()
        self.species = {s.getId(): s for s in source.getListOfSpecies()}
        self.compartments = {c.getId(): c for c in source.getListOfCompartments()}
        self.plain = {p.getId(): p for p in source.getListOfParameters()} | _named_stoichiometries(source)
        self.reactions = {r.getId(): r for r in source.getListOfReactions()}
        rules = [r for r in source.getListOfRules() if r.isSetMath()]
        self.assigned = {r.getVariable(): r.getMath() for r in rules if r.isAssignment()}
        self.rated = {r.getVariable(): r.getMath() for r in rules if r.isRate()}
        self.begun = {
            a.getSymbol(): a.getMath() for a in source.getListOfInitialAssignments() if a.isSetMath()
        }
        self.kicked = {
            a.getVariable() for e in source.getListOfEvents() for a in e.getListOfEventAssignments()
        }
        self.local: dict[tuple[str, str], str] = {}  # (reaction, parameter) -> name in the model
        for name, reaction in self.reactions.items():
            for parameter in _local_parameters(reaction):
                full = self._free_name(f"{name}_{parameter.getId()}")
                self.local[name, parameter.getId()] = full
                self.plain[full] = parameter
        symbols = [*self.species, *self.compartments, *self.plain]
        self.states = [name for name in symbols if self._changes(name)]
        self.parameters = [name for name in symbols if name not in self.states and name not in self.assigned]
        functions = {f.getId(): f.getMath() for f in source.getListOfFunctionDefinitions() if f.isSetMath()}
        self.translator = Translator(self.graph, self.value, self.rate, functions)
        self._state_index = {name: i for i, name in enumerate(self.states)}
        self._parameter_index = {name: i for i, name in enumerate(self.parameters)}
        self._values: dict[str, int] = {}
        self._rates: dict[str, int | None] = {}

    # -- kinds of symbol

    def _free_name(self, name: str) -> str:
        taken = (self.species, self.compartments, self.plain, self.reactions)
        while any(name in names for names in taken):
            name += "_"
        return name

    def _changes(self, name: str) -> bool:
        """Whether a symbol needs a state: it changes, and no assignment rule says what it is."""
        if name in self.assigned:
            return False
        if name in self.rated or name in self.kicked:
            return True
        species = self.species.get(name)
        if species is None:
            return False
        free = not species.getConstant() and not species.getBoundaryCondition()
        return free or self._varies(species.getCompartment())

    def _varies(self, compartment: str) -> bool:
        return any(compartment in names for names in (self.assigned, self.rated, self.kicked))

    def _is_concentration(self, name: str) -> bool:
        species = self.species[name]
        flat = self.compartments[species.getCompartment()].getSpatialDimensionsAsDouble() == 0
        return not species.getHasOnlySubstanceUnits() and not flat

    # -- values

    def value(self, name: str) -> int:
        """Node of what a symbol means in an expression."""
        if name not in self._values:
            self._values[name] = self._value(name)
        return self._values[name]

    def _value(self, name: str) -> int:
        if name in self.assigned:
            return self.translator.node(self.assigned[name])
        if name in self._parameter_index:
            return self.graph.parameter(self._parameter_index[name])
        if name in self._state_index:
            held = self.graph.state(self._state_index[name])
            if name in self.species and self._is_concentration(name):
                return self.graph.div(held, self.volume(name))
            return held
        if name in self.reactions:
            return self._flux(name)
        raise ModelTextError(problem=f'"{name}" is used and nothing says what it is')

    def volume(self, species: str) -> int:
        """Node of the size of a species' compartment."""
        return self.value(self.species[species].getCompartment())

    def amount(self, species: str) -> int:
        """Node of the amount of a species."""
        if species in self._state_index:
            return self.graph.state(self._state_index[species])
        return self._amount_of(species, self.value(species))

    def _amount_of(self, name: str, value: int) -> int:
        """Node of what a state holds when its symbol has `value`."""
        if name in self.species and self._is_concentration(name):
            return self.graph.mul(value, self.volume(name))
        return value

    def _flux(self, reaction: str) -> int:
        law = self.reactions[reaction].getKineticLaw()
        if law is None or not law.isSetMath():
            return self.graph.const(0)
        own = {p: self.value(full) for (r, p), full in self.local.items() if r == reaction}
        return self.translator.node(law.getMath(), own)

    # -- rates

    def rate(self, name: str) -> int:
        """Node of the rate of change of what a symbol means."""
        if name in self.assigned:
            return self._total_derivative(self.value(name))
        if name in self._parameter_index:
            return self.graph.const(0)
        held = self.held_rate(name)
        if name not in self.species or not self._is_concentration(name):
            return held
        g, size = self.graph, self.species[name].getCompartment()
        return g.div(g.sub(held, g.mul(self.value(name), self.rate(size))), self.value(size))

    def held_rate(self, name: str) -> int:
        """Node of the rate of change of what a state holds."""
        if name not in self._rates:
            self._rates[name] = None
            self._rates[name] = self._held_rate(name)
        found = self._rates[name]
        if found is None:
            raise CircularModelError(names=[name])
        return found

    def _held_rate(self, name: str) -> int:
        g = self.graph
        if name in self.rated:
            rate = self.translator.node(self.rated[name])
            if name not in self.species or not self._is_concentration(name):
                return rate
            swell = self.rate(self.species[name].getCompartment())
            return g.add(g.mul(rate, self.volume(name)), g.mul(self.value(name), swell))
        total = g.const(0)
        if name in self.species and not self.species[name].getBoundaryCondition():
            for reaction, sign, reference in self._taking_part.get(name, ()):
                part = g.mul(self._stoichiometry(reference), self.value(reaction))
                total = g.add(total, part) if sign > 0 else g.sub(total, part)
            total = g.mul(total, self._conversion(name))
        return total

    @cached_property
    def _taking_part(self) -> dict[str, list[tuple[str, int, sbml.SpeciesReference]]]:
        found: dict[str, list[tuple[str, int, sbml.SpeciesReference]]] = {}
        for name, reaction in self.reactions.items():
            sides = ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts()))
            for sign, references in sides:
                for reference in references:
                    found.setdefault(reference.getSpecies(), []).append((name, sign, reference))
        return found

    def _stoichiometry(self, reference: sbml.SpeciesReference) -> int:
        if reference.isSetStoichiometryMath():
            return self.translator.node(reference.getStoichiometryMath().getMath())
        if reference.getId() in self.plain:
            return self.value(reference.getId())
        return self.graph.const(_stoichiometry_number(reference))

    def _conversion(self, species: str) -> int:
        for owner in (self.species[species], self.source):
            if owner.isSetConversionFactor():
                return self.value(owner.getConversionFactor())
        return self.graph.const(1)

    def _total_derivative(self, node: int) -> int:
        rates = {i: name for name, i in self._state_index.items()}
        return time_derivative(self.graph, node, lambda i: self.held_rate(rates[i]))

    # -- where it starts

    def beginning(self, name: str) -> int | None:
        """Node of what a state or parameter starts with, None where it is a plain number or not known."""
        if name in self.begun:
            value = self.translator.node(self.begun[name])
            return self._amount_of(name, value) if name in self._state_index else value
        species = self.species.get(name)
        if species is None:
            return None
        g, held = self.graph, name in self._state_index or not self._is_concentration(name)
        if species.isSetInitialAmount():
            amount = g.const(species.getInitialAmount())
            return amount if held else g.div(amount, self.volume(name))
        if species.isSetInitialConcentration() and held:
            return g.mul(g.const(species.getInitialConcentration()), self.volume(name))
        return None

    def number(self, name: str) -> float:
        """Return the plain number a state or parameter is declared with, NaN where there is none."""
        if name in self.species:
            species = self.species[name]
            return species.getInitialConcentration() if species.isSetInitialConcentration() else math.nan
        if name in self.compartments:
            compartment = self.compartments[name]
            return compartment.getSize() if compartment.isSetSize() else math.nan
        element = self.plain[name]
        if isinstance(element, sbml.SpeciesReference):
            return _stoichiometry_number(element)
        return element.getValue() if element.isSetValue() else math.nan

    # -- the whole

    def model(self) -> Model:
        """Build the model, derived parameters at their defaults."""
        self._assign_in_order()
        initial = [self._or_number(name) for name in self.states]
        rates = [self.held_rate(name) for name in self.states]
        derived = {name: self.beginning(name) for name in self.parameters}
        begun = {name: node for name, node in derived.items() if node is not None}
        # an amount or concentration that is a plain number is no formula: keep it as a default
        fixed = {name: self.graph.constant_of(node) for name, node in begun.items() if name not in self.begun}
        values = [_first(fixed.get(name), self.number, name) for name in self.parameters]
        begun = {name: node for name, node in begun.items() if fixed.get(name) is None}
        symbols = [*self.states, *self.assigned, *self.parameters, *self.reactions]
        model = Model(
            name=self.source.getId() or "model",
            nodes=tuple(self.graph.nodes),
            states=tuple(self.states),
            initial=tuple(initial),
            rates=tuple(rates),
            parameters=tuple(self.parameters),
            values=tuple(values),
            outputs={name: self.value(name) for name in symbols},
            units={name: words for name in symbols if (words := self._unit(name))},
            labels={name: label for name in symbols if (label := self._label(name))},
            events=tuple(self._events()),
            derived=begun,
            amounts={name: self.amount(name) for name in self.species},
        )
        model = _pruned(dataclasses.replace(model, nodes=tuple(self.graph.nodes)))
        return dataclasses.replace(model, values=tuple(start(model)[0][:, 0].tolist()))

    def _or_number(self, name: str) -> int:
        node = self.beginning(name)
        return self.graph.const(self.number(name)) if node is None else node

    def _assign_in_order(self) -> None:
        """Resolve assignment rules, innermost first: no deep recursion, and circles are found by name."""
        needs: dict[str, set[str]] = {}
        for name, math_ in self.assigned.items():
            needs[name] = set(names_in(math_))
        for name, reaction in self.reactions.items():
            law = reaction.getKineticLaw()
            own = {p for r, p in self.local if r == name}
            needs[name] = set(names_in(law.getMath())) - own if law is not None and law.isSetMath() else set()
        for name in self.species:
            if name not in self.assigned and self._is_concentration(name):
                needs[name] = {self.species[name].getCompartment()}
        try:
            # Sorted, for a set's order changes from process to process, and the digest of the model with it.
            order = list(
                TopologicalSorter({name: sorted(parts) for name, parts in needs.items()}).static_order()
            )
        except CycleError as error:
            raise CircularModelError(names=error.args[1]) from None
        for name in order:
            self.value(name)

    def _label(self, name: str) -> str:
        for named in (self.species, self.compartments, self.plain, self.reactions):
            if name in named:
                return str(named[name].getName())
        return ""

    @cached_property
    def _unit_words(self) -> UnitWords:
        return UnitWords(self.source)

    def _unit(self, name: str) -> str:
        words = self._unit_words
        if name in self.reactions:
            above, below = self.source.getExtentUnits(), self.source.getTimeUnits()
            return f"{words.plain(above)}/{words.plain(below)}" if above and below else ""
        if name in self.compartments:
            return words.plain(self._size_unit(name))
        if name in self.species:
            species = self.species[name]
            substance = species.getSubstanceUnits() or self.source.getSubstanceUnits()
            if not self._is_concentration(name):
                return words.plain(substance) if substance else ""
            return words.concentration(substance, self._size_unit(species.getCompartment()))
        element = self.plain[name]
        return (
            words.plain(element.getUnits())
            if isinstance(element, sbml.Parameter) and element.isSetUnits()
            else ""
        )

    def _size_unit(self, compartment: str) -> str:
        return self.compartments[compartment].getUnits() or self.source.getVolumeUnits()

    def _events(self) -> Iterable[Event]:
        for i, event in enumerate(self.source.getListOfEvents()):
            trigger = event.getTrigger()
            if trigger is None or not trigger.isSetMath():
                continue  # a trigger without mathematics never turns true (SBML L3V2, 4.11.2)
            delay, priority = event.getDelay(), event.getPriority()
            yield Event(
                name=event.getId() or f"event_{i}",
                trigger=self.translator.node(trigger.getMath()),
                delay=self.translator.node(delay.getMath()) if delay and delay.isSetMath() else None,
                priority=self.translator.node(priority.getMath())
                if priority and priority.isSetMath()
                else None,
                assignments=tuple(self._assignments(event)),
                persistent=trigger.getPersistent() if trigger.isSetPersistent() else True,
                initial_value=trigger.getInitialValue() if trigger.isSetInitialValue() else True,
                use_trigger_values=event.getUseValuesFromTriggerTime(),
            )

    def _assignments(self, event: sbml.Event) -> Iterable[tuple[str, int]]:
        """Pair each state with its new value; a concentration is one in the old volume (case 01779)."""
        for assignment in event.getListOfEventAssignments():
            name = assignment.getVariable()
            if name not in self._state_index:
                raise UnsupportedModelError(construct="event on a symbol that a rule assigns", where=name)
            if assignment.isSetMath():
                yield name, self._amount_of(name, self.translator.node(assignment.getMath()))


def _first(found: float | None, otherwise: Callable[[str], float], name: str) -> float:
    return otherwise(name) if found is None else found


def _local_parameters(reaction: sbml.Reaction) -> list[sbml.Parameter]:
    law = reaction.getKineticLaw()
    if law is None:
        return []
    if law.getLevel() < 3:
        return [law.getParameter(i) for i in range(law.getNumParameters())]
    return [law.getLocalParameter(i) for i in range(law.getNumLocalParameters())]


def _named_stoichiometries(source: sbml.Model) -> dict[str, sbml.SpeciesReference]:
    """Species references that expressions may name, or that something sets (Level 3)."""
    if source.getLevel() < 3:
        return {}
    sides = (s for r in source.getListOfReactions() for s in (r.getListOfReactants(), r.getListOfProducts()))
    return {reference.getId(): reference for side in sides for reference in side if reference.isSetId()}


def _stoichiometry_number(reference: sbml.SpeciesReference) -> float:
    value = reference.getStoichiometry() / reference.getDenominator()
    return 1.0 if math.isnan(value) else value


def _pruned(model: Model) -> Model:
    """Leave out the nodes nothing needs."""
    in_events = [
        node
        for event in model.events
        for node in (event.trigger, event.delay, event.priority, *(n for _, n in event.assignments))
        if node is not None
    ]
    tables = (model.outputs, model.derived, model.amounts)
    roots = [*model.initial, *model.rates, *in_events, *(n for table in tables for n in table.values())]
    place = {old: new for new, old in enumerate(reachable(model.nodes, roots))}
    nodes = tuple(model.nodes[i]._replace(args=tuple(place[a] for a in model.nodes[i].args)) for i in place)

    def moved(node: int | None) -> int | None:
        return None if node is None else place[node]

    events = tuple(
        dataclasses.replace(
            e,
            trigger=place[e.trigger],
            delay=moved(e.delay),
            priority=moved(e.priority),
            assignments=tuple((name, place[node]) for name, node in e.assignments),
        )
        for e in model.events
    )
    outputs, derived, amounts = ({name: place[n] for name, n in table.items()} for table in tables)
    return dataclasses.replace(
        model,
        nodes=nodes,
        initial=tuple(place[n] for n in model.initial),
        rates=tuple(place[n] for n in model.rates),
        outputs=outputs,
        derived=derived,
        amounts=amounts,
        events=events,
    )
