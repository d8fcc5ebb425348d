"""A flat SBML model into a `Model`: what each symbol means, how each state changes, where it starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Container, Iterable
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

import libsbml as sbml

from twoarm.errors import CircularModelError, ModelTextError, UnsupportedModelError
from twoarm.model import algebra
from twoarm.model.balance import Balance, measure
from twoarm.model.differentiate import time_derivative
from twoarm.model.equations import Delay, Event, Model
from twoarm.model.graph import Graph
from twoarm.model.mathml import Translator, looks_back, names_in
from twoarm.model.prune import prune
from twoarm.model.start import start
from twoarm.model.symbols import local_parameters, named_stoichiometries, stoichiometry_number
from twoarm.model.words import UnitWords

__all__ = ["model_of"]

_MOST_DELAYS = 4096


def model_of(source: sbml.Model) -> Model:
    """Model of a flat SBML model (no submodels left)."""
    meaning = _Meaning(source, Balance())
    model = meaning.model()
    if model.relaxing:  # how fast is fast enough depends on how fast the rest is
        found = measure(meaning.graph, model, meaning.fast_reactions(), meaning.slow_rates())
        model = _Meaning(source, found).model()
    return model


class _Meaning:
    """What the symbols of one SBML model mean, as nodes of one graph.

    A species in a compartment is held as an amount whatever its symbol means, so that it is conserved
    while the compartment changes and a dose is a plain addition.
    """

    def __init__(self, source: sbml.Model, balance: Balance) -> None:
        self.source = source
        self.balance = balance
        self.graph = Graph()
        self.species = {s.getId(): s for s in source.getListOfSpecies()}
        self.compartments = {c.getId(): c for c in source.getListOfCompartments()}
        self.plain = {p.getId(): p for p in source.getListOfParameters()} | named_stoichiometries(source)
        self.reactions = {r.getId(): r for r in source.getListOfReactions()}
        rules = [r for r in source.getListOfRules() if r.isSetMath()]
        self.assigned = {r.getVariable(): r.getMath() for r in rules if r.isAssignment()}
        self.rated = {r.getVariable(): r.getMath() for r in rules if r.isRate()}
        self.algebraic = [r.getMath() for r in rules if r.isAlgebraic()]
        self.fast = {name for name, r in self.reactions.items() if r.isSetFast() and r.getFast()}
        self.begun = {
            a.getSymbol(): a.getMath() for a in source.getListOfInitialAssignments() if a.isSetMath()
        }
        self.kicked = {
            a.getVariable() for e in source.getListOfEvents() for a in e.getListOfEventAssignments()
        }
        self.local: dict[tuple[str, str], str] = {}  # (reaction, parameter) -> name in the model
        for name, reaction in self.reactions.items():
            for parameter in local_parameters(reaction):
                full = self._free_name(f"{name}_{parameter.getId()}")
                self.local[name, parameter.getId()] = full
                self.plain[full] = parameter
        self.determined = self._determined()  # by algebraic rules, in the order of these
        self.solved: dict[str, int] = {}
        self.steps: dict[str, int] = {}  # Newton steps of what algebraic rules determine, where not solved
        self.delays: list[Delay] = []
        symbols = [*self.species, *self.compartments, *self.plain]
        self.states = [name for name in symbols if self._changes(name)]
        told = {*self.states, *self.assigned, *self.determined}
        self.parameters = [name for name in symbols if name not in told]
        functions = {f.getId(): f.getMath() for f in source.getListOfFunctionDefinitions() if f.isSetMath()}
        self.translator = Translator(
            self.graph, self.value, self.rate, self._slope_of, self.delayed, functions
        )
        self._state_index = {name: i for i, name in enumerate(self.states)}
        self._parameter_index = {name: i for i, name in enumerate(self.parameters)}
        first = len(self.states) + len(self.determined) + _MOST_DELAYS  # beyond every state there will be
        self._stand_in = {name: self.graph.state(first + i) for i, name in enumerate(self.determined)}
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
        if name in self.assigned or name in self.determined:
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
        if name in self.solved:
            return self.solved[name]
        if name in self._parameter_index:
            return self.graph.parameter(self._parameter_index[name])
        if name in self._state_index:
            return self._value_held(name)
        if name in self._stand_in:
            return self._stand_in[name]
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
        own = {p: self.value(full) for p, full in self._own.get(reaction, {}).items()}
        flux = self.translator.node(law.getMath(), own)
        if reaction in self.fast:
            return self.graph.mul(self.graph.const(self.balance.reactions.get(reaction, 1.0)), flux)
        return flux

    @cached_property
    def _own(self) -> dict[str, dict[str, str]]:
        """Local parameters of each reaction, with their names in the model."""
        found: dict[str, dict[str, str]] = {}
        for (reaction, parameter), full in self.local.items():
            found.setdefault(reaction, {})[parameter] = full
        return found

    def delayed(self, value: int, lag: int) -> int:
        """Node of what `value` was `lag` ago."""
        long = self.graph.constant_of(lag)
        if long == 0 or self.graph.constant_of(value) is not None:
            return value
        if long is not None and not long > 0:
            raise ModelTextError(problem=f"it looks {-long:g} ahead of time with delay()")
        known = next((d for d in self.delays if (d.value, d.lag) == (value, lag)), None)
        if known is None:
            if len(self.delays) == _MOST_DELAYS:
                raise UnsupportedModelError(construct=f"more than {_MOST_DELAYS} delays")
            known = Delay(len(self.states), value, lag)
            name = self._free_name(f"delay_{len(self.delays)}")
            self.delays.append(known)
            self._state_index[name] = len(self.states)
            self.states.append(name)
        return self.graph.state(known.state)

    # -- rates

    def rate(self, name: str) -> int:
        """Node of the rate of change of what a symbol means."""
        if name in self._stand_in and name not in self._state_index and name not in self.solved:
            raise UnsupportedModelError(construct="rateOf in an algebraic rule that decides it", where=name)
        if name in self.assigned or name in self.solved or name in self.reactions:
            return self._slope_of(self.value(name))
        if name in self._parameter_index:
            return self.graph.const(0)
        if name not in self._state_index:
            raise ModelTextError(problem=f'"{name}" is used and nothing says what it is')
        return self._since_begin(self._symbol_rate(name))

    def _symbol_rate(self, name: str) -> int:
        held = self.held_rate(name)
        if name not in self.species or not self._is_concentration(name):
            return held
        g, size = self.graph, self.species[name].getCompartment()
        return g.div(g.sub(held, g.mul(self.value(name), self.rate(size))), self.value(size))

    def _slope_of(self, node: int) -> int:
        """Node of the rate of change of an expression."""
        return self._since_begin(self._total_derivative(node))

    def _since_begin(self, rate: int) -> int:
        """Rate of change, and 0 for who looks back to before the begin (case 01401): all stood still."""
        g = self.graph
        return g.choose(g("ge", g.time(), g.const(0)), rate, g.const(0)) if self._looks_back else rate

    @cached_property
    def _looks_back(self) -> bool:
        elements = self.source.getListOfAllElements()
        return any(looks_back(e.getMath()) for e in elements if hasattr(e, "isSetMath") and e.isSetMath())

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
        if name in self.steps:
            return g.mul(g.const(self.balance.equations), self.steps[name])
        return self._by_reactions(name, self.reactions)

    def _by_reactions(self, name: str, reactions: Container[str]) -> int:
        """Node of the rate of a state through some of the reactions."""
        g = self.graph
        total = g.const(0)
        if name not in self.species or name in self.rated or self.species[name].getBoundaryCondition():
            return total
        for reaction, sign, reference in self._taking_part.get(name, ()):
            if reaction in reactions:
                part = g.mul(self._stoichiometry(reference), self.value(reaction))
                total = g.add(total, part) if sign > 0 else g.sub(total, part)
        return g.mul(total, self._conversion(name))

    def _relaxing(self) -> Iterable[tuple[int, int]]:
        """States in balance with others, and the speed with which they go there."""
        for index, name in enumerate(self.states):
            if name in self.steps:
                yield index, self.steps[name]
            elif self.fast:
                speed = self._by_reactions(name, self.fast)
                if self.graph.constant_of(speed) != 0:
                    yield index, speed

    def fast_reactions(self) -> dict[str, tuple[int, dict[int, int]]]:
        """Of each fast reaction the node of its flux, and those of its stoichiometries by state."""
        found: dict[str, dict[int, int]] = {reaction: {} for reaction in self.fast}
        for index, name in enumerate(self.states):
            for reaction, sign, reference in self._taking_part.get(name, ()):
                if reaction in self.fast and not self.species[name].getBoundaryCondition():
                    many = self.graph.mul(self._stoichiometry(reference), self._conversion(name))
                    many = many if sign > 0 else self.graph.neg(many)
                    before = found[reaction].get(index, self.graph.const(0))
                    found[reaction][index] = self.graph.add(before, many)
        return {reaction: (self.value(reaction), moves) for reaction, moves in found.items()}

    def slow_rates(self) -> dict[int, int]:
        """Nodes of the rates of all states without what keeps a balance."""
        g, relaxing = self.graph, dict(self._relaxing())
        slow = {i: self.held_rate(name) for i, name in enumerate(self.states) if name not in self.steps}
        return {i: g.sub(node, relaxing[i]) if i in relaxing else node for i, node in slow.items()}

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
        return self.graph.const(stoichiometry_number(reference))

    def _conversion(self, species: str) -> int:
        for owner in (self.species[species], self.source):
            if owner.isSetConversionFactor():
                return self.value(owner.getConversionFactor())
        return self.graph.const(1)

    def _total_derivative(self, node: int) -> int:
        names = {i: name for name, i in self._state_index.items()}
        delays = {delay.state: delay for delay in self.delays}
        g = self.graph

        def rate(index: int) -> int:
            if index not in delays:
                return self.held_rate(names[index])
            delay = delays[index]
            ahead = g.sub(g.const(1), self._total_derivative(delay.lag))
            return g.mul(self.delayed(self._total_derivative(delay.value), delay.lag), ahead)

        return time_derivative(g, node, rate)

    # -- what algebraic rules determine

    def _determined(self) -> list[str]:
        """Match each algebraic rule to the symbol it determines, at the least surprise."""
        costs = []
        for math_ in self.algebraic:
            direct = set(names_in(math_))
            names = self._names_behind(direct)
            costs.append({n: self._surprise(n) + (n not in direct) * 4.0 for n in names if self._is_free(n)})
        found = algebra.match(costs) if costs else []
        if None in found:
            rule = sbml.formulaToL3String(self.algebraic[found.index(None)])
            raise UnsupportedModelError(construct="algebraic rule that determines nothing", where=rule)
        return [name for name in found if name is not None]

    def _names_behind(self, names: set[str]) -> set[str]:
        """Names, and those in the rules and laws that say what they are."""
        pending, seen = sorted(names), set(names)
        while pending:
            name = pending.pop()
            law = self.reactions[name].getKineticLaw() if name in self.reactions else None
            behind = self.assigned.get(name) or (law.getMath() if law is not None else None)
            new = set(names_in(behind)) - seen
            seen |= new
            pending += sorted(new)
        return seen

    def _is_free(self, name: str) -> bool:
        """Whether nothing but an algebraic rule can say what a symbol is."""
        if name in self.assigned or name in self.rated or name in self.kicked:
            return False
        if name in self.species:
            species = self.species[name]
            moved = name in self._taking_part and not species.getBoundaryCondition()
            return not species.getConstant() and not moved
        element = self.compartments.get(name) or self.plain.get(name)
        if element is None or isinstance(element, sbml.LocalParameter):
            return False
        return name not in self.local.values() and not element.getConstant()

    def _surprise(self, name: str) -> float:
        """How unlikely it is that a rule is to say what this is: it has a value, or is at a boundary."""
        boundary = name in self.species and self.species[name].getBoundaryCondition()
        return (not math.isnan(self._declared(name))) + 2.0 * boundary + 0.5 * (name in self.begun)

    def _declared(self, name: str) -> float:
        species = self.species.get(name)
        if species is not None and species.isSetInitialAmount():
            return float(species.getInitialAmount())
        return self.number(name)

    def _solve_algebraic(self) -> None:
        """Say what algebraic rules determine: in closed form where linear, otherwise as a balance."""
        g = self.graph
        self._assign_in_order()
        equations = [self.translator.node(math_) for math_ in self.algebraic]
        stand_ins = [self._stand_in[name] for name in self.determined]
        places = [int(g.nodes[node].value) for node in stand_ins]
        known: dict[int, int] = {}
        for block in algebra.blocks(g, equations, places):
            own = [g.replace(equations[i], known) for i in block]
            unknowns = [places[i] for i in block]
            if algebra.is_linear(g, own, unknowns):
                step = algebra.solve(g, own, unknowns)
                zeros = {stand_ins[i]: g.const(0) for i in block}
                values = [g.replace(node, zeros) for node in step or ()]
                self.solved |= {self.determined[i]: node for i, node in zip(block, values, strict=bool(step))}
            else:
                step = self._hold(block, own)
                values = [self._value_held(self.determined[i]) for i in block]
            if step is None:
                where = ", ".join(self.determined[i] for i in block)
                raise UnsupportedModelError(construct="algebraic rule that cannot be solved", where=where)
            known |= {stand_ins[i]: node for i, node in zip(block, values, strict=True)}
        self.steps = {name: g.replace(node, known) for name, node in self.steps.items()}
        self.delays = [
            dataclasses.replace(d, value=g.replace(d.value, known), lag=g.replace(d.lag, known))
            for d in self.delays
        ]
        self._values.clear()
        self._rates.clear()

    def _hold(self, block: list[int], equations: list[int]) -> list[int] | None:
        """Make unknowns states of their own, which Newton steps bring to where the equations hold."""
        g, names = self.graph, [self.determined[i] for i in block]
        for name in names:
            self._state_index[name] = len(self.states)
            self.states.append(name)
        place = {self._stand_in[name]: self._value_held(name) for name in names}
        own = [g.replace(equation, place) for equation in equations]
        step = algebra.solve(g, own, [self._state_index[name] for name in names])
        self.steps |= dict(zip(names, step or (), strict=bool(step)))
        return step

    def _value_held(self, name: str) -> int:
        held = self.graph.state(self._state_index[name])
        if name in self.species and self._is_concentration(name):
            return self.graph.div(held, self.volume(name))
        return held

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
            return stoichiometry_number(element)
        return element.getValue() if element.isSetValue() else math.nan

    # -- the whole

    def model(self) -> Model:
        """Build the model, derived parameters at their defaults."""
        if self.algebraic:
            self._solve_algebraic()
        self._assign_in_order()
        rates = self._all_rates()
        derived = {name: self.beginning(name) for name in self.parameters}
        begun = {name: node for name, node in derived.items() if node is not None}
        # an amount or concentration that is a plain number is no formula: keep it as a default
        fixed = {name: self.graph.constant_of(node) for name, node in begun.items() if name not in self.begun}
        values = [_first(fixed.get(name), self.number, name) for name in self.parameters]
        begun = {name: node for name, node in begun.items() if fixed.get(name) is None}
        symbols = [*self._named_states(), *self.assigned, *self.solved, *self.parameters, *self.reactions]
        outputs = {name: self.value(name) for name in symbols}
        events = tuple(self._events())
        relaxing = tuple(self._relaxing())
        amounts = {name: self.amount(name) for name in self.species}
        concentrations = self._concentrations()
        rates += [self.graph.const(0)] * (len(self.states) - len(rates))  # delays that outputs asked for
        initial = [self._or_number(name) for name in self.states]
        model = Model(
            name=self.source.getId() or "model",
            nodes=tuple(self.graph.nodes),
            states=tuple(self.states),
            initial=tuple(initial),
            rates=tuple(rates),
            parameters=tuple(self.parameters),
            values=tuple(values),
            outputs=outputs,
            units={name: words for name in symbols if (words := self._unit(name))},
            labels={name: label for name in symbols if (label := self._label(name))},
            events=events,
            derived=begun,
            amounts=amounts,
            concentrations=concentrations,
            delays=tuple(self.delays),
            relaxing=relaxing,
        )
        model = prune(model)
        return dataclasses.replace(model, values=tuple(start(model)[0][:, 0].tolist()))

    def _all_rates(self) -> list[int]:
        """Rates of all states, of those too that turn up on the way: rates may look back in time."""
        rates: list[int] = []
        while len(rates) < len(self.states):
            name = self.states[len(rates)]
            rates.append(self.held_rate(name) if name in self._named_states() else self.graph.const(0))
        return rates

    def _named_states(self) -> list[str]:
        behind = {delay.state for delay in self.delays}
        return [name for i, name in enumerate(self.states) if i not in behind]

    def _concentrations(self) -> dict[str, int]:
        """Concentration of each species in a compartment that has dimensions."""
        found = {}
        for name, species in self.species.items():
            if self._is_concentration(name):
                found[name] = self.value(name)
            elif self.compartments[species.getCompartment()].getSpatialDimensionsAsDouble() != 0:
                found[name] = self.graph.div(self.amount(name), self.volume(name))
        return found

    def _or_number(self, name: str) -> int:
        g, delays = self.graph, {delay.state: delay for delay in self.delays}
        if self._state_index[name] in delays:
            delay = delays[self._state_index[name]]
            return g.replace(delay.value, {g.time(): g.sub(g.time(), delay.lag)})
        node = self.beginning(name)
        if name in self.steps and node is None and math.isnan(self.number(name)):
            return g.const(1)  # something to start the search from
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
                **self._assignments(event),
                persistent=trigger.getPersistent() if trigger.isSetPersistent() else True,
                initial_value=trigger.getInitialValue() if trigger.isSetInitialValue() else True,
                use_trigger_values=event.getUseValuesFromTriggerTime(),
            )

    def _assignments(self, event: sbml.Event) -> dict[str, Any]:
        """Pair each state with its new value, and with the volume that makes an amount of a concentration.

        It is the old volume where the same event changes it (case 01779 of the semantic test suite), and
        that of the instant of the assignment, not of the trigger (case 01507).
        """
        found, sizes = [], []
        for assignment in event.getListOfEventAssignments():
            name = assignment.getVariable()
            if name not in self._state_index:
                raise UnsupportedModelError(construct="event on a symbol that a rule assigns", where=name)
            if assignment.isSetMath():
                found.append((name, self.translator.node(assignment.getMath())))
                in_volume = name in self.species and self._is_concentration(name)
                sizes.append(self.volume(name) if in_volume else None)
        sized = any(size is not None for size in sizes)
        return {"assignments": tuple(found), "sizes": tuple(sizes) if sized else ()}


def _first(found: float | None, otherwise: Callable[[str], float], name: str) -> float:
    return otherwise(name) if found is None else found
