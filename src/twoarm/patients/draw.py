"""Draw virtual patients from a population: quasi-random or random, correlated, plausible."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from twoarm import chance
from twoarm.errors import ImplausiblePopulationError, NumberOfDrawsError, UnknownMethodError
from twoarm.molecule import model_parameters, read_molecule
from twoarm.patients.distributions import Conditional
from twoarm.patients.formulas import FORMULAS, LESIONS
from twoarm.patients.plausible import Untreated, plausible_columns, plausible_outputs
from twoarm.patients.population import Population, latent_correlation

Method = Literal["sobol", "random"]

_FEWEST_KEPT = 50
_EDGE = 2.0**-53


def draw_patients(
    population: Population,
    n: int,
    seed: int,
    *,
    method: Method = "sobol",
    untreated: Untreated | None = None,
) -> pd.DataFrame:
    """Draw virtual patients.

    Parameters
    ----------
    population : Population
        From `read_population`.
    n : int
        How many patients.
    seed : int
        Seed of the draw. The first patients stay the same when `n` grows.
    method : {"sobol", "random"}
        Scrambled Sobol points, which fill the space of patients evenly, or independent draws.
    untreated : callable, optional
        ``untreated(patients, days, outputs)`` follows untreated patients and returns a Dataset over
        (patient, day). With it the population's rules about outputs are checked; without it they are not,
        and ``attrs["unchecked"]`` names them.

    Returns
    -------
    DataFrame
        Index ``patient``, 0 to n-1. Columns are model parameters and covariates; a lesion-level name has
        the columns ``name_1`` to ``name_5``. In ``attrs``: ``units`` and ``sources`` by column,
        ``covariates`` (the columns that no model needs), ``population``, ``digest``, ``seed``, ``method``,
        ``candidates`` (how many were drawn), ``rejected`` (how many each rule refused) and ``unchecked``.

    Raises
    ------
    NumberOfDrawsError
        If `n` is not a whole number of 1 or above.
    UnknownMethodError
        If the method is not on the list.
    ImplausiblePopulationError
        If fewer than 1 candidate in 50 is plausible.
    UntreatedRunError
        If the untreated run lacks what a rule needs.

    Notes
    -----
    Candidates 0, 1, 2, ... are drawn one after another; a candidate that breaks a rule is refused, counted,
    and the next one takes its place. Variables are correlated through a Gaussian copula: z = L e, u = Phi(z),
    x = Q(u), with L the Cholesky factor of the correlations and Q the quantile function. The value of lesion
    j is drawn with sqrt(w) z + sqrt(1 - w) e_j, where w is `within_patient`.

    References
    ----------
    joe2008 for the sequence's direction numbers.

    Examples
    --------
    >>> from twoarm.patients.population import read_population
    >>> patients = draw_patients(read_population("io_resistant_squamous_nsclc"), n=4, seed=7)
    >>> patients.shape[0], patients.attrs["units"]["weight"]
    (4, 'kg')
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise NumberOfDrawsError(n=n)
    if method not in get_args(Method):
        raise UnknownMethodError(method=method, known=get_args(Method))
    rules = population.plausibility
    rejected = dict.fromkeys(rules, 0)
    kept: list[pd.DataFrame] = []
    drawn = found = 0
    while found < n:
        table = draw_candidates(population, drawn, n - found, seed, method)
        drawn += len(table)
        good = plausible_columns(table, rules)
        table, lost = _refuse(table, good)
        _count(rejected, lost)
        if untreated is not None:
            table, lost = _refuse(table, plausible_outputs(table, rules, untreated))
            _count(rejected, lost)
        kept.append(table)
        found += len(table)
        if found < n and drawn > _FEWEST_KEPT * (found + 1):
            raise ImplausiblePopulationError(
                population=population.name, wanted=n, found=found, rejected=rejected
            )
    patients = pd.concat(kept, ignore_index=True)
    patients.index.name = "patient"
    unchecked = [name for name, rule in rules.items() if rule.output is not None and untreated is None]
    patients.attrs = {
        **_attributes(population),
        "seed": int(seed),
        "method": method,
        "candidates": drawn,
        "rejected": rejected,
        "unchecked": unchecked,
    }
    return patients


def _refuse(table: pd.DataFrame, good: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Keep the rows that keep every rule; count how many rows each rule refused."""
    return table[good.all(axis=1)], (~good).sum()


def _count(rejected: dict[str, int], lost: pd.Series) -> None:
    """Add one batch's refusals."""
    for name, number in lost.items():
        rejected[str(name)] += int(number)


def draw_candidates(
    population: Population, start: int, count: int, seed: int, method: Method
) -> pd.DataFrame:
    """Draw candidates `start` to `start + count`, all columns, before any rule.

    Parameters
    ----------
    population : Population
        From `read_population`.
    start, count : int
        Which candidates.
    seed, method
        As for `draw_patients`.

    Returns
    -------
    DataFrame
        A row a candidate.
    """
    normal = _normals(population, start, count, seed, method)
    columns: dict[str, np.ndarray] = {}
    for name in population.order():
        if name in population.variables:
            columns[name] = _drawn(population, name, normal[name], columns)
        else:
            columns[name] = _derived(population, name, columns)
    flat: dict[str, np.ndarray] = {}
    for name in [*population.variables, *population.derived]:
        if population.level(name) == "patient":
            flat[name] = columns[name]
        else:
            flat |= {f"{name}_{j + 1}": columns[name][:, j] for j in range(LESIONS)}
    if population.prior_antibody is not None:
        prior = model_parameters(read_molecule(population.prior_antibody.molecule), "competitor")
        flat |= {name: np.full(count, value) for name, value in prior.items()}
    table = pd.DataFrame(flat, index=pd.RangeIndex(start, start + count))
    table.attrs = _attributes(population)
    return table


def _drawn(
    population: Population, name: str, normal: np.ndarray, columns: dict[str, np.ndarray]
) -> np.ndarray:
    """Values of one variable, (patient,) or (patient, lesion), from its normal draws."""
    shape = population.variables[name].shape
    u = np.clip(ndtr(normal), _EDGE, 1 - _EDGE)
    if not isinstance(shape, Conditional):
        return np.asarray(shape.quantile(u))
    given = columns[shape.on]
    return shape.quantile_given(u, given if u.ndim == 1 else np.broadcast_to(given[:, None], u.shape))


def _derived(population: Population, name: str, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Values of one derived column; patient-level arguments are spread over the lesions where needed."""
    entry = population.derived[name]
    values = {argument: columns[column] for argument, column in entry.arguments.items()}
    if any(value.ndim == 2 for value in values.values()):
        values = {a: value if value.ndim == 2 else value[:, None] for a, value in values.items()}
    return FORMULAS[entry.formula].function(**values)


def _normals(
    population: Population, start: int, count: int, seed: int, method: Method
) -> dict[str, np.ndarray]:
    """Correlated standard normal draws by variable: (patient,), or (patient, lesion) at the lesion level."""
    names = list(population.variables)
    lesional = [name for name in names if population.variables[name].level == "lesion"]
    labels = np.arange(start, start + count)
    if method == "sobol":
        points = _sobol(start, count, len(names) + LESIONS * len(lesional), seed)
        own = ndtri(points[:, : len(names)])
        deviations = np.split(ndtri(points[:, len(names) :]), len(lesional), axis=1) if lesional else []
        deviation = dict(zip(lesional, deviations, strict=True))
    else:
        own = np.column_stack([chance.normals(seed, f"draw {name}", labels)[:, 0] for name in names])
        deviation = {
            name: chance.normals(seed, f"draw lesions of {name}", labels, LESIONS) for name in lesional
        }
    factor = np.linalg.cholesky(latent_correlation(population))
    together = own @ factor.T
    normal = {name: together[:, i] for i, name in enumerate(names)}
    for name in lesional:
        share = population.variables[name].within_patient or 0.0
        normal[name] = np.sqrt(share) * normal[name][:, None] + np.sqrt(1 - share) * deviation[name]
    return normal


def _sobol(start: int, count: int, dimensions: int, seed: int) -> np.ndarray:
    """Points `start` to `start + count` of the scrambled sequence, strictly inside the unit cube."""
    sequence = qmc.Sobol(dimensions, scramble=True, rng=chance.generator(seed, "draw patients"))
    if start:
        sequence.fast_forward(start)
        points = sequence.random(count)
    else:  # a power of two and then its first points: the sequence is the same, and scipy does not warn
        points = sequence.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    return np.asarray(points) + 2.0**-32


def _attributes(population: Population) -> dict[Hashable, object]:
    """Units, sources and roles by column; where the population comes from."""
    units: dict[str, str] = {}
    sources: dict[str, str] = {}
    covariates: list[str] = []
    for name, entry in (population.variables | population.derived).items():
        lesional = population.level(name) == "lesion"
        for column in [f"{name}_{j + 1}" for j in range(LESIONS)] if lesional else [name]:
            units[column], sources[column] = entry.unit, entry.source
            if entry.role == "covariate":
                covariates.append(column)
    return {
        "units": units,
        "sources": sources,
        "covariates": covariates,
        "population": population.name,
        "prior_antibody": population.prior_antibody.molecule if population.prior_antibody else None,
        "digest": population.digest,
    }
