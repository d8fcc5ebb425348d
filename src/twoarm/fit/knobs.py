"""From a point in the space of the fit to the files it stands for: a population and its clinical link."""

from __future__ import annotations

import numpy as np

from twoarm import catalog
from twoarm.fit.card import Calibration
from twoarm.frozen.fields import Texts, read_field, written_out
from twoarm.frozen.read import with_fields
from twoarm.patients.inherit import inherited
from twoarm.trial.outcomes import outcomes_text


def read_texts(calibration: Calibration) -> Texts:
    """Read the files that hold the fitted numbers, with their parents put in.

    Parameters
    ----------
    calibration : Calibration
        Names them.

    Returns
    -------
    Texts
        As written; numbers of the outcomes file as entries with their source.
    """
    population, _ = inherited(catalog.find("populations", calibration.population))
    outcomes = outcomes_text(catalog.find("outcomes", calibration.outcomes))
    population.pop("extends", None)
    outcomes.pop("extends", None)
    return Texts(population, outcomes)


def fields_of(calibration: Calibration, texts: Texts) -> dict[str, list[str]]:
    """Fields that each parameter moves, every case of a `*` written out.

    Parameters
    ----------
    calibration, texts : Calibration, Texts
        What is fitted, and the files.

    Returns
    -------
    dict of str to list of str
        As "growth.median" of the population, or "outcomes:survival.intercept".

    Raises
    ------
    FitFieldError
        If a file has no such field.
    """
    return {
        name: [field for each in parameter.fields for field in written_out(texts, each, name)]
        for name, parameter in calibration.parameters.items()
    }


def values_at(calibration: Calibration, texts: Texts, z: np.ndarray) -> dict[str, float]:
    """Value of each field at a point of the fit.

    Parameters
    ----------
    calibration, texts : Calibration, Texts
        What is fitted, and the files.
    z : (parameter,) float array
        Standard deviations of the prior from its median, in the order of the calibration.

    Returns
    -------
    dict of str to float
        By field, in the unit in which the file states it.

    Raises
    ------
    FitFieldError
        If a file has no such field.
    """
    values: dict[str, float] = {}
    fields = fields_of(calibration, texts)
    for place, (name, parameter) in enumerate(calibration.parameters.items()):
        value = float(parameter.natural(z[place]))
        for field in fields[name]:
            values[field] = value if parameter.how == "set" else value * read_field(texts, field, name)
    return values


def moved(calibration: Calibration, texts: Texts, z: np.ndarray) -> Texts:
    """Put a point of the fit into the files.

    Parameters
    ----------
    calibration, texts, z
        As for `values_at`.

    Returns
    -------
    Texts
        New ones.
    """
    return with_fields(texts, values_at(calibration, texts, z))
