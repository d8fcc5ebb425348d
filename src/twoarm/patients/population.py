"""Population: distributions, correlations and bounds of virtual patients, read from a file."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from twoarm import catalog
from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import PopulationError, UnknownSourceError
from twoarm.patients.distributions import Bernoulli, Categorical, Conditional, Distribution
from twoarm.patients.formulas import FORMULAS
from twoarm.patients.inherit import NAME, inherited
from twoarm.patients.plausible import Rule
from twoarm.wording import foremost, in_words


class _Entry(BaseModel):
    """What every entry of the file says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: Annotated[str, Field(min_length=1)]
    place: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _why(self) -> Self:
        if self.source == "assumed" and not self.note:
            raise ValueError('source "assumed" needs a note that says why')
        known = read_references()
        keys = [key.strip() for key in self.source.split(";")]
        if missing := [key for key in keys if key != ASSUMED and key not in known]:
            raise UnknownSourceError(missing=missing, known=tuple(known))
        return self


class Variable(_Entry):
    """One drawn quantity: its distribution, unit, source, and whether patient or lesion has it.

    A lesion-level variable has one value a lesion; `within_patient` is the correlation (of the underlying
    normal draws) between two lesions of one patient: a patient's mean plus a lesion's own deviation.
    """

    unit: str
    label: str = ""
    level: Literal["patient", "lesion"] = "patient"
    role: Literal["parameter", "covariate"] = "parameter"
    within_patient: Annotated[float, Field(ge=0, le=1)] | None = None
    shape: Distribution

    @model_validator(mode="before")
    @classmethod
    def _shape(cls, entry: Any) -> Any:
        """Gather the distribution's words, which the file writes flat beside unit and source."""
        if not isinstance(entry, dict) or "shape" in entry:
            return entry
        own = {key: value for key, value in entry.items() if key in cls.model_fields}
        return own | {"shape": {key: value for key, value in entry.items() if key not in own}}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if (self.level == "lesion") != (self.within_patient is not None):
            raise ValueError(
                'within_patient belongs to level = "lesion", and a lesion-level variable needs it'
            )
        if not self.note and (self.shape.low is None or self.shape.high is None):
            raise ValueError("give the range (low and high) or a note that says why there is none")
        return self


class Derived(_Entry):
    """One column computed from others by a named formula."""

    formula: str
    arguments: dict[str, str]
    unit: str
    label: str = ""
    role: Literal["parameter", "covariate"] = "parameter"

    @model_validator(mode="after")
    def _formula(self) -> Self:
        if self.formula not in FORMULAS:
            raise ValueError(f"formula {self.formula!r} is not one of {', '.join(FORMULAS)}")
        wanted = FORMULAS[self.formula].arguments
        if set(self.arguments) != set(wanted):
            raise ValueError(f"formula {self.formula} takes the arguments {', '.join(wanted)}")
        return self


class Correlation(_Entry):
    """Correlation of two variables, of the normal draws behind them.

    With a lesion-level variable it is the correlation of any one lesion's draw.
    """

    between: tuple[str, str]
    value: Annotated[float, Field(gt=-1, lt=1)]
    low: float | None = None
    high: float | None = None


class PriorAntibody(_Entry):
    """The antibody whose residue is `competitor_central_0`: a molecule of the library stands for it."""

    molecule: str


class Population(BaseModel):
    """Everything needed to draw virtual patients. Frozen; see `read_population`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    extends: str | None = None
    prior_antibody: PriorAntibody | None = None
    variables: dict[str, Variable]
    derived: dict[str, Derived] = {}
    correlations: tuple[Correlation, ...] = ()
    plausibility: dict[str, Rule] = {}
    digest: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_names(self)
        _check_conditions(self)
        _check_derived(self)
        latent_correlation(self)
        return self

    def level(self, name: str) -> Literal["patient", "lesion"]:
        """Whether a column belongs to the patient or to each lesion."""
        if name in self.variables:
            return self.variables[name].level
        entry = self.derived[name]
        level = FORMULAS[entry.formula].level
        if level != "as arguments":
            return level
        return "lesion" if "lesion" in {self.level(a) for a in entry.arguments.values()} else "patient"

    def order(self) -> list[str]:
        """Names of all columns, each after those it needs."""
        needs: dict[str, list[str]] = {}
        for name, variable in self.variables.items():
            needs[name] = [variable.shape.on] if isinstance(variable.shape, Conditional) else []
        for name, entry in self.derived.items():
            needs[name] = list(entry.arguments.values())
        return list(TopologicalSorter(needs).static_order())


def read_population(name_or_path: str | Path) -> Population:
    """Read a population from the library or from a file.

    Parameters
    ----------
    name_or_path : str or Path
        Name in the library, as ``"io_resistant_squamous_nsclc"``, or path of a TOML file.

    Returns
    -------
    Population
        Frozen; with its parent's entries where the file says ``extends = "parent"``.

    Raises
    ------
    NotInLibraryError
        If the library has no such population.
    FileMissingError, FileTooLargeError, FileTextError
        If the path leads to no file, to one above 10 MB, or to one that is not TOML.
    PopulationError
        If an entry breaks a rule; the message names the entry.

    Notes
    -----
    A file has the tables ``variables``, ``derived``, ``correlations`` and ``plausibility``. A file may extend
    one parent, which may extend another: an entry of the child replaces the parent's entry of that name (a
    correlation, that of the same pair), and ``without = ["name"]`` drops the parent's entries.

    Examples
    --------
    >>> population = read_population("io_naive_squamous_nsclc")
    >>> population.extends
    'io_resistant_squamous_nsclc'
    """
    path = catalog.find("populations", name_or_path)
    raw, digest = inherited(path)
    try:
        return Population.model_validate(raw | {"digest": digest})
    except ValidationError as invalid:
        first = foremost(invalid.errors())
        where = ".".join(str(part) for part in first["loc"] if part != "shape")
        raise PopulationError(
            file=path.name,
            where=where or "the file",
            what=in_words(first).removesuffix(" Correct it.").rstrip("."),
        ) from None


def latent_correlation(population: Population) -> np.ndarray:
    """Correlation matrix of the patients' normal draws, one row a variable, in the file's order.

    Parameters
    ----------
    population : Population
        Its correlations; for a lesion-level variable the patient's share is scaled up, so that one lesion's
        draw has the correlation that the file states.

    Returns
    -------
    (variable, variable) float array
        Positive definite.

    Raises
    ------
    ValueError
        If no set of patients can have these correlations.
    """
    names = list(population.variables)
    matrix = np.eye(len(names))
    for entry in population.correlations:
        shares = [population.variables[name].within_patient for name in entry.between]
        scale = float(np.prod([np.sqrt(share) for share in shares if share is not None]))
        value = entry.value / scale if scale > 0 else np.inf
        if abs(value) >= 1 and entry.value:
            raise ValueError(
                f"the correlation of {' and '.join(entry.between)} is larger than within_patient allows"
            )
        i, j = (names.index(name) for name in entry.between)
        matrix[i, j] = matrix[j, i] = value if entry.value else 0.0
    if np.linalg.eigvalsh(matrix).min() <= 1e-9:
        raise ValueError("the correlations contradict each other: their matrix is not positive definite")
    return matrix


def _check_names(population: Population) -> None:
    """Names are plain, are given once, and every reference has its entry."""
    both = set(population.variables) & set(population.derived)
    if both:
        raise ValueError(f"{min(both)} is drawn and derived; keep one")
    for name in [*population.variables, *population.derived, *population.plausibility]:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name of lower-case letters, digits and underscores")
    seen = set()
    for entry in population.correlations:
        missing = [name for name in entry.between if name not in population.variables]
        pair = frozenset(entry.between)
        if missing:
            raise ValueError(f"a correlation names {missing[0]}, which is not a variable")
        if len(pair) < 2 or pair in seen:
            raise ValueError(
                f"the correlation of {' and '.join(entry.between)} is with itself or given twice"
            )
        seen.add(pair)
    columns = population.variables.keys() | population.derived.keys()
    for name, rule in population.plausibility.items():
        if rule.column is not None and rule.column not in columns:
            raise ValueError(f"plausibility {name} bounds the column {rule.column}, which does not exist")


def _check_conditions(population: Population) -> None:
    """Every condition is a patient-level category, and every category has its case."""
    for name, variable in population.variables.items():
        if not isinstance(variable.shape, Conditional):
            continue
        on = population.variables.get(variable.shape.on)
        if on is None or on.level != "patient" or not isinstance(on.shape, (Categorical, Bernoulli)):
            raise ValueError(f"{name} depends on {variable.shape.on}, which is no category of the patient")
        values = {"0", "1"} if isinstance(on.shape, Bernoulli) else set(on.shape.probabilities)
        if set(variable.shape.cases) != values:
            raise ValueError(f"{name} needs exactly the cases {', '.join(sorted(values))}")


def _check_derived(population: Population) -> None:
    """Every argument exists and nothing is derived from itself."""
    columns = population.variables.keys() | population.derived.keys()
    for name, entry in population.derived.items():
        for argument in entry.arguments.values():
            if argument not in columns:
                raise ValueError(f"{name} is derived from {argument}, which does not exist")
    try:
        population.order()
    except CycleError as cycle:
        raise ValueError(f"derived from itself: {' from '.join(cycle.args[1])}") from None
    for name, entry in population.derived.items():
        levels = {argument: population.level(argument) for argument in entry.arguments.values()}
        if FORMULAS[entry.formula].level == "patient" and entry.formula != "total":
            lesion = [argument for argument, level in levels.items() if level == "lesion"]
            if lesion:
                raise ValueError(f"{name}: {entry.formula} takes no lesion-level column, as {lesion[0]} is")
        first = next(iter(FORMULAS[entry.formula].arguments))
        if entry.formula in ("total", "if_present") and levels[entry.arguments[first]] != "lesion":
            raise ValueError(f"{name}: {entry.formula} takes a lesion-level {first}")
