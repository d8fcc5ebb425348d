"""What is not known: each number of card, biology, population and clinic with a range, spread on [0, 1]."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit, logit

from twoarm import catalog
from twoarm.bibliography import ASSUMED
from twoarm.card import Entry
from twoarm.entries import read_numbers, read_values
from twoarm.errors import NoUnknownError
from twoarm.frozen import Frozen
from twoarm.frozen.read import with_fields
from twoarm.learn.posterior import at_quantile, fitted_places, group_of, place_of, ties_of, values_at
from twoarm.learn.screen import Doubt
from twoarm.model import Model
from twoarm.molecule import Molecule, read_molecule
from twoarm.patients.distributions import Bernoulli, Conditional, LogitNormal, LogNormal, Normal, Shape
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import Population
from twoarm.trial.entry import check_card
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.prescribe import prescribe
from twoarm.trial.protocol import Protocol

Group = Literal["card", "biology", "population", "clinic"]
GROUPS: tuple[Group, ...] = ("card", "biology", "population", "clinic")
Scale = Literal["linear", "log", "choice", "shift", "posterior"]
_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(.*)")
_UNSURE = (LogNormal, LogitNormal, Normal)


class Unknown(NamedTuple):
    """One number that is not known.

    Attributes
    ----------
    name : str
        "group:place", as "card:molecule.section.field".
    group : str
        Where it stands.
    place : str
        What it is called there.
    low, high : float
        Ends of its range in `unit`; of a shift, standard deviations between patients; of what was fitted, 5
        and 95 % of its posterior.
    unit, source, note : str
        As its file says.
    scale : {"linear", "log", "choice", "shift", "posterior"}
        On which [0, 1] is spread over the range; of a posterior it is the quantile.
    middle : float
        Where between 0 and 1 the library's own value lies.
    """

    name: str
    group: Group
    place: str
    low: float
    high: float
    unit: str
    source: str
    note: str
    scale: Scale
    middle: float

    def at(self, u: float) -> float:
        """Value at a point of [0, 1]; of a choice or a quantile, the point itself."""
        if self.scale in ("choice", "posterior"):
            return u
        if self.scale == "log":
            return float(self.low * (self.high / self.low) ** u)
        return float(self.low + (self.high - self.low) * u)

    @property
    def logs(self) -> float:
        """Width of the range in natural logs, or in the unit of a linear one."""
        if self.scale == "posterior":  # 5 to 95 % of it lie between the ends
            return float(np.log(self.high / self.low)) / 0.9 if self.low > 0 else (self.high - self.low) / 0.9
        return float(np.log(self.high / self.low)) if self.scale == "log" else self.high - self.low


class Setting(NamedTuple):
    """What a run of one trial takes: everything unknown has a value."""

    cards: dict[str, dict[str, float]]
    parameters: dict[str, float]
    population: Population
    outcomes: Outcomes


class Known(NamedTuple):
    """The files that unknowns stand in; `clinic` is the text of the clinical link, `frozen` the fit."""

    protocol: Protocol
    molecules: dict[str, Molecule]
    model: Model
    biology: str
    population: Population
    clinic: Mapping[str, Any]
    doubt: Doubt
    frozen: Frozen | None = None


def unknowns_of(known: Known, groups: Sequence[Group] = GROUPS) -> list[Unknown]:
    """List what is not known, group by group.

    Parameters
    ----------
    known : Known
        The files.
    groups : sequence of str
        Which groups.

    Returns
    -------
    list of Unknown
        Entries of the cards that are ranges or choices; numbers of the biology with a range that neither card
        nor population sets; entries of the population whose typical value may be off, and shares with a
        range; entries of the clinical link with a range. What a fit has settled is spread over its posterior
        instead, fields that are one parameter of the fit together.

    Raises
    ------
    NoUnknownError
        If there is none.
    """
    found: list[Unknown] = []
    for group in groups:
        found += _LISTS[group](known)
    if not found:
        raise NoUnknownError(groups=groups, known=GROUPS)
    return found


def setting_at(known: Known, unknowns: Sequence[Unknown], point: Mapping[str, float]) -> Setting:
    """Give every unknown its value at a point.

    Parameters
    ----------
    known : Known
        The files.
    unknowns : sequence of Unknown
        From `unknowns_of`.
    point : mapping of name to float
        Between 0 and 1; who is left out keeps the library's own value.

    Returns
    -------
    Setting
        Cards, parameters, population and clinical link.
    """
    cards = {name: dict(molecule.nominal()) for name, molecule in known.molecules.items()}
    parameters: dict[str, float] = {}
    shifts: dict[str, float] = {}
    links: dict[str, float] = {}
    population, clinic = _fitted(known, unknowns, point)
    for unknown in unknowns:
        if unknown.name not in point or unknown.scale == "posterior":
            continue
        value = unknown.at(float(point[unknown.name]))
        if unknown.group == "card":
            name, _, field = unknown.place.partition(".")
            entry = known.molecules[name].entries()[field]
            cards[name][field] = entry.at(float(point[unknown.name]))
        else:
            tables = {"biology": parameters, "population": shifts, "clinic": links}
            tables[unknown.group][unknown.place] = value
    return Setting(
        cards=cards,
        parameters=parameters,
        population=shifted(population, shifts),
        outcomes=_linked(clinic, links),
    )


def _fitted(
    known: Known, unknowns: Sequence[Unknown], point: Mapping[str, float]
) -> tuple[Population, Mapping[str, Any]]:
    """Give population and clinical link with what was fitted at its quantiles."""
    asked = {each.name for each in unknowns if each.scale == "posterior" and each.name in point}
    if known.frozen is None or not asked:
        return known.population, known.clinic
    ties = {_name_of(tie): tie for tie in ties_of(known.frozen)}
    values = values_at(known.frozen, {name: ties[name] for name in asked}, point)
    texts = with_fields(known.frozen.texts, values)
    return Population.model_validate(texts.population), texts.outcomes


def _name_of(tie: tuple[str, ...]) -> str:
    return f"{group_of(tie)}:{place_of(tie)}"


def _of_posterior(known: Known, group: Group) -> list[Unknown]:
    """List what was fitted."""
    found = []
    for tie in ties_of(known.frozen) if known.frozen is not None else []:
        if group_of(tie) != group:
            continue
        assert known.frozen is not None  # it has ties
        low, high = (at_quantile(known.frozen, tie[:1], u)[tie[0]] for u in (0.05, 0.95))
        note = f"posterior of {known.frozen.name}" + (f"; moves {', '.join(tie[1:])} too" if tie[1:] else "")
        said = (str(known.frozen.record.get("calibration", "")), note)
        found.append(Unknown(_name_of(tie), group, place_of(tie), low, high, "", *said, "posterior", 0.5))
    return found


def matching(unknowns: Sequence[Unknown], patterns: Sequence[str]) -> list[Unknown]:
    """Find unknowns by name, `*` standing for anything.

    Parameters
    ----------
    unknowns : sequence of Unknown
        Where to look.
    patterns : sequence of str
        As "card:*.il2_arm.cis_gain".

    Returns
    -------
    list of Unknown
        In their order; possibly none.
    """
    return [each for each in unknowns if any(fnmatchcase(each.name, pattern) for pattern in patterns)]


def shifted(population: Population, shifts: Mapping[str, float]) -> Population:
    """Move the typical patient of a population.

    Parameters
    ----------
    population : Population
        The library's.
    shifts : mapping of variable to float
        By how many standard deviations between patients its center moves; of a yes or no, its new
        probability.

    Returns
    -------
    Population
        The same patients' ranks, other values: the n-th patient keeps place and neighbors.
    """
    variables = dict(population.variables)
    for name, size in shifts.items():
        variable = variables[name]
        variables[name] = variable.model_copy(update={"shape": _moved(variable.shape, size)})
    return population.model_copy(update={"variables": variables})


def _moved(shape: Any, size: float) -> Any:
    if isinstance(shape, Conditional):
        cases = {case: _moved(part, size) for case, part in shape.cases.items()}
        return shape.model_copy(update={"cases": cases})
    if isinstance(shape, Bernoulli):
        return shape.model_copy(update={"probability": size})
    if isinstance(shape, LogNormal):
        return shape.model_copy(update={"median": shape.median * float(np.exp(size * shape.sd))})
    if isinstance(shape, LogitNormal):
        return shape.model_copy(update={"median": float(expit(logit(shape.median) + size * shape.sd))})
    if isinstance(shape, Normal):
        return shape.model_copy(update={"mean": shape.mean + size * shape.sd})
    return shape


def _of_cards(known: Known) -> list[Unknown]:
    found = []
    for name, molecule in known.molecules.items():
        for field, entry in molecule.entries().items():
            if entry.is_drawn:
                found.append(_of_entry(f"{name}.{field}", entry))
    return found


def _of_entry(place: str, entry: Entry) -> Unknown:
    low, high = (min(entry.choices), max(entry.choices)) if entry.choices else (entry.low, entry.high)
    assert low is not None and high is not None  # a drawn entry has choices or a range
    scale: Scale = "choice" if entry.choices or entry.whole else entry.scale
    middle = 0.0 if scale == "choice" else _middle(scale, low, high, entry.nominal())
    return Unknown(
        f"card:{place}", "card", place, low, high, entry.unit, entry.source, entry.note, scale, middle
    )


def _of_biology(known: Known) -> list[Unknown]:
    path = catalog.find("biology", known.biology)
    if path.suffix != ".ant":
        return []
    patients = draw_patients(_bounded(known.population), n=2, seed=0)
    set_elsewhere = set(patients.columns)
    for regimens in prescribe(known.protocol).values():
        for regimen in regimens:
            set_elsewhere |= {str(name) for name in regimen.parameters(patients).columns}
    values, found = read_values(path), []
    for row in read_numbers(path).to_dict("records"):
        name, low, high = str(row["entry"]), float(row["low"]), float(row["high"])
        if name not in known.model.parameters or name in set_elsewhere or _of_molecule(name) or low >= high:
            continue
        scale: Scale = "log" if low > 0 else "linear"
        middle = _middle(scale, low, high, values[name])
        unit = known.model.units.get(name, "")
        said = (str(row["source"]), str(row["note"]))
        found.append(Unknown(f"biology:{name}", "biology", name, low, high, unit, *said, scale, middle))
    return found


def _of_molecule(name: str) -> bool:
    """Whether a parameter belongs to a slot of a molecule: its range there only bounds cards."""
    return name.startswith(("drug_", "competitor_", "cytotoxic_"))


def _of_population(known: Known) -> list[Unknown]:
    found = _of_posterior(known, "population")
    settled = fitted_places(known.frozen, clinic=False)
    for name, variable in known.population.variables.items():
        if name in settled:
            continue
        shape, place = variable.shape, f"population:{name}"
        said = (variable.unit, variable.source, variable.note)
        if isinstance(shape, Bernoulli) and shape.low is not None and shape.high is not None:
            middle = _middle("linear", shape.low, shape.high, shape.probability)
            found.append(Unknown(place, "population", name, shape.low, shape.high, *said, "linear", middle))
        elif _has_center(shape):
            size = known.doubt.assumed if ASSUMED in variable.source else known.doubt.sourced
            if size > 0:
                found.append(Unknown(place, "population", name, -size, size, *said, "shift", 0.5))
    return found


def _has_center(shape: Shape) -> bool:
    if isinstance(shape, Conditional):
        return all(isinstance(case, _UNSURE) for case in shape.cases.values())
    return isinstance(shape, _UNSURE)


def _of_clinic(known: Known) -> list[Unknown]:
    found = _of_posterior(known, "clinic")
    settled = fitted_places(known.frozen, clinic=True)
    for place, entry in _entries(known.clinic).items():
        if (
            place in settled
            or {"value", "low", "high"} - set(entry)
            or isinstance(entry["value"], list | dict)
        ):
            continue
        (value, unit), (low, _), (high, _) = (_number(entry[key]) for key in ("value", "low", "high"))
        scale: Scale = "log" if low > 0 else "linear"
        said = (unit, str(entry["source"]), str(entry.get("note", "")))
        middle = _middle(scale, low, high, value)
        found.append(Unknown(f"clinic:{place}", "clinic", place, low, high, *said, scale, middle))
    return found


_LISTS = {"card": _of_cards, "biology": _of_biology, "population": _of_population, "clinic": _of_clinic}


def _entries(text: Mapping[str, Any], place: str = "") -> dict[str, dict[str, Any]]:
    """Entries of a file of tables by where they stand; kinds of a list by their name."""
    found: dict[str, dict[str, Any]] = {}
    for key, part in text.items():
        where = f"{place}.{key}".lstrip(".")
        if (
            isinstance(part, list)
            and part
            and all(isinstance(item, dict) and "name" in item for item in part)
        ):
            for item in part:
                found |= _entries(item, f"{where}.{item['name']}")
        elif isinstance(part, dict) and "value" in part:
            found[where] = part
        elif isinstance(part, dict):
            found |= _entries(part, where)
    return found


def _linked(clinic: Mapping[str, Any], links: Mapping[str, float]) -> Outcomes:
    """Make the clinical link with other values."""
    text = copy.deepcopy(dict(clinic))
    entries = _entries(text)
    for place, value in links.items():
        _, unit = _number(entries[place]["value"])
        entries[place]["value"] = f"{value!r} {unit}".strip() if unit else value
    return check_card(text, Outcomes, Path(str(clinic.get("name", "outcomes"))))


def _number(said: Any) -> tuple[float, str]:
    matched = _QUANTITY.fullmatch(str(said))
    assert matched is not None  # a checked file has quantities
    return float(matched[1]), matched[2].strip()


def _middle(scale: Scale, low: float, high: float, value: float) -> float:
    """Where in the range a value lies, held within it."""
    value = min(max(value, low), high)
    if scale == "log":
        return float(np.log(value / low) / np.log(high / low))
    return float((value - low) / (high - low))


def _bounded(population: Population) -> Population:
    """Leave out rules about untreated courses, which need a simulation."""
    rules = {name: rule for name, rule in population.plausibility.items() if rule.output is None}
    return population.model_copy(update={"plausibility": rules})


def molecules_of(protocol: Protocol) -> dict[str, Molecule]:
    """Give every molecule of a protocol by its name.

    Parameters
    ----------
    protocol : Protocol
        Its arms name molecules, or hold them.

    Returns
    -------
    dict of str to Molecule
        In the order of the arms.
    """
    found: dict[str, Molecule] = {}
    for arm in protocol.arms.values():
        for part in arm.treatments:
            molecule = part.molecule if isinstance(part.molecule, Molecule) else read_molecule(part.molecule)
            found.setdefault(molecule.name, molecule)
    return found
