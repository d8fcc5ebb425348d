"""What a fit says: in-sample tables, contraction, convergence, and targets that conflict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.errors import OutOfReachError
from twoarm.fit.emulator import Emulator, learn
from twoarm.fit.ensemble import misfits
from twoarm.fit.prevalence import ASKED, demands_of, members_as_patients, weigh_patients
from twoarm.fit.run import Fitted
from twoarm.study.folder import write_record, write_table

_LEARNED = 0.35  # of the variance: where nothing can be learned, a hundred members show 0.10, at most 0.29
_MOVED = 0.5  # prior standard deviations
_FAR = 2.0  # standard errors
_HIGHER = 0.5  # share of the misfit of one target that another must be able to explain


class Must(NamedTuple):
    """A demand on a fitted arm, and what came out."""

    demand: str
    limit: float
    found: float

    @property
    def kept(self) -> bool:
        """Whether it is met."""
        return self.found <= self.limit


def in_sample(fitted: Fitted) -> pd.DataFrame:
    """Lay published beside simulated, number by number.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    DataFrame
        `target cohort what at published simulated low high difference z fitted`: shares; `simulated` is the
        weighted mean over the posterior, `low` to `high` hold 90 % of its members (parameters and the chance
        of a cohort of the simulated size), `difference` simulated less published, `z` that over its standard
        error, whatever weight the fit gave it.
    """
    g, w = fitted.simulated[-1], fitted.weights
    good = w > 0
    mean = w[good] @ g[good]
    low, high = (_quantile(g[good], w[good], q) for q in (0.05, 0.95))
    published = np.array([reading.value for reading in fitted.readings])
    return pd.DataFrame(
        {
            "target": [reading.target for reading in fitted.readings],
            "cohort": [reading.cohort for reading in fitted.readings],
            "what": [reading.what for reading in fitted.readings],
            "at": [reading.at for reading in fitted.readings],
            "published": published,
            "simulated": mean,
            "low": low,
            "high": high,
            "difference": mean - published,
            "z": (mean - published) / np.sqrt(_erring(fitted)),
            "fitted": [reading.fitted for reading in fitted.readings],
        }
    )


def demands(table: pd.DataFrame) -> pd.DataFrame:
    """Largest differences of each fitted arm, beside what is asked of them.

    Parameters
    ----------
    table : DataFrame
        From `in_sample`.

    Returns
    -------
    DataFrame
        `cohort demand limit found at kept`, in percentage points; for size changes the Kolmogorov distance at
        the percents that were fitted.

    Examples
    --------
    >>> row = {"cohort": "a", "what": "PFS", "at": 6.0, "difference": -0.07, "fitted": True}
    >>> demands(pd.DataFrame([row]))[["demand", "found", "kept"]].values.tolist()
    [['PFS at every month', 7.000000000000001, False]]
    """
    rows = []
    for (cohort, what), own in table[table["fitted"]].groupby(["cohort", "what"], sort=False):
        if what in ASKED:
            worst = own["difference"].abs().idxmax()
            found = 100 * abs(own.loc[worst, "difference"])
            limit, said = ASKED[str(what)]
            rows.append((cohort, said, 100 * limit, found, own.loc[worst, "at"], found <= 100 * limit))
    return pd.DataFrame(rows, columns=["cohort", "demand", "limit", "found", "at", "kept"])


def mixtures(fitted: Fitted) -> pd.DataFrame:
    """How many members are left if they are weighed to keep the demands: a measure of misfit.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    DataFrame
        `cohort demand members effective in_the_way`: each demand alone, then all together ("all"); members
        that could be simulated, the effective number left by the most even weights that keep the demand, and
        where no weights do (0 left), what cannot be met and how near it comes. Nothing is weighed by this.
    """
    table, asked = members_as_patients(fitted.simulated[-1]), demands_of(fitted.readings)
    parts = [(*key, own) for key, own in asked.groupby(["cohort", "demand"], sort=False)]
    rows = []
    for cohort, demand, own in [*parts, ("all", "all", asked)]:
        try:
            left, why = weigh_patients(table, own).effective, ""
        except OutOfReachError as wrong:
            name = fitted.readings[int(own["what"].iloc[wrong.place])].name
            left, why = 0.0, f"{name} comes to {wrong.nearest:.3f} of {wrong.asked:.3f}"
        rows.append((cohort, demand, len(table), left, why))
    return pd.DataFrame(rows, columns=["cohort", "demand", "members", "effective", "in_the_way"])


def contraction(fitted: Fitted) -> pd.DataFrame:
    """How far the data moved and narrowed each parameter.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    DataFrame
        `parameter unit prior prior_low prior_high posterior low high moved contraction verdict`: medians and
        central 95 %; `moved` in prior standard deviations; `contraction` 1 less the ratio of variances;
        `verdict` "learned", "moved" or "as the prior".
    """
    z, w = fitted.z[-1], fitted.weights
    rows = []
    for place, (name, parameter) in enumerate(fitted.calibration.parameters.items()):
        own = z[:, place]
        mean = float(w @ own)
        shrunk = 1 - float(w @ (own - mean) ** 2)
        low, middle, high = (float(_quantile(own[:, None], w, q)[0]) for q in (0.025, 0.5, 0.975))
        verdict = "learned" if shrunk >= _LEARNED else "moved" if abs(mean) >= _MOVED else "as the prior"
        values = [float(parameter.natural(each)) for each in (middle, low, high)]
        prior = [parameter.value, parameter.low, parameter.high]
        rows.append([name, parameter.unit, *prior, *values, mean, shrunk, verdict])
    names = ["parameter", "unit", "prior", "prior_low", "prior_high", "posterior", "low", "high"]
    return pd.DataFrame(rows, columns=[*names, "moved", "contraction", "verdict"])


def convergence(fitted: Fitted) -> pd.DataFrame:
    """Misfit of each ensemble, its spread, and how far its mean went.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    DataFrame
        `ensemble made_by misfit misfit_of_mean spread went`: how it was made; misfits as mean squared
        standardized difference (about 1 where the model is right); `spread` the mean variance of the
        parameters, 1 in the
        prior; `went` the distance of the mean from the ensemble before, in prior standard deviations.
    """
    fit = np.array([reading.fitted for reading in fitted.readings])
    published = np.array([reading.value for reading in fitted.readings])[fit]
    variance, rows, steps = _erring(fitted)[fit], [], len(fitted.steps)
    for place, (z, g) in enumerate(zip(fitted.z, fitted.simulated, strict=True)):
        own = 2 * misfits(g[:, fit], published, variance) / fit.sum()
        mean = np.nanmean(g[:, fit], axis=0)
        went = (
            np.nan if place == 0 else float(np.linalg.norm(z.mean(axis=0) - fitted.z[place - 1].mean(axis=0)))
        )
        middle = float(((mean - published) ** 2 / variance).mean())
        made = "prior" if place == 0 else "step" if place <= steps else "emulator"
        rows.append((place, made, float(np.median(own)), middle, float(z.var(axis=0).mean()), went))
    names = ["ensemble", "made_by", "misfit", "misfit_of_mean", "spread", "went"]
    return pd.DataFrame(rows, columns=names)


def conflicts(fitted: Fitted) -> pd.DataFrame:
    """Targets that the fit misses, and whether another target stands in the way.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    DataFrame
        `target misfit worst alone freed_by verdict`: mean squared standardized difference of the posterior
        mean; the largest one in standard errors; the misfit if only this target were fitted, by a linear
        emulator; the target whose absence would help it most; and in words whether the structure cannot show
        it, or another target is in its way.

    Notes
    -----
    The emulator is linear, learned from the last two ensembles. It judges directions near the posterior only.
    """
    fit = np.array([reading.fitted for reading in fitted.readings])
    names = [reading.target for reading in fitted.readings]
    targets = list(dict.fromkeys(name for name, own in zip(names, fit, strict=True) if own))
    member = {target: np.array([name == target for name in names]) & fit for target in targets}
    published = np.array([reading.value for reading in fitted.readings])
    emulator = learn(fitted.z[-2:], fitted.simulated[-2:], np.sqrt(fitted.variance), bend=False)
    now, erring = fitted.weights @ np.nan_to_num(fitted.simulated[-1]), _erring(fitted)
    best = _most_probable(emulator, published, fitted.variance, fit)
    rows = []
    for target in targets:
        own = member[target]
        z = (now - published)[own] / np.sqrt(erring[own])
        joint = _misfit(emulator, best, published, erring, own)
        alone = _misfit(
            emulator,
            _most_probable(emulator, published, fitted.variance, own),
            published,
            erring,
            own,
        )
        without = {
            other: _misfit(
                emulator,
                _most_probable(emulator, published, fitted.variance, fit & ~member[other]),
                published,
                erring,
                own,
            )
            for other in targets
            if other != target
        }
        freed = min(without, key=lambda other: without[other]) if without else ""
        helps = bool(freed) and without[freed] < _HIGHER * joint
        missed = bool(np.abs(z).max() >= _FAR)
        verdict = (
            "met"
            if not missed
            else "the structure does not show it"
            if alone > 1.0
            else f"conflicts with {freed}"
            if helps
            else "several targets together stand against it"
        )
        rows.append(
            (
                target,
                float((z**2).mean()),
                float(z[np.abs(z).argmax()]),
                alone,
                freed if helps else "",
                verdict,
            )
        )
    return pd.DataFrame(rows, columns=["target", "misfit", "worst", "alone", "freed_by", "verdict"])


def write_told(fitted: Fitted, folder: Path) -> dict[str, pd.DataFrame]:
    """Write the tables of a fit.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.
    folder : Path
        Where to.

    Returns
    -------
    dict of str to DataFrame
        "in_sample", "demands", "contraction", "mixtures", "convergence", "conflicts".
    """
    table = in_sample(fitted)
    tables = {
        "in_sample": table,
        "demands": demands(table),
        "contraction": contraction(fitted),
        "mixtures": mixtures(fitted),
        "convergence": convergence(fitted),
        "conflicts": conflicts(fitted),
    }
    for name, rows in tables.items():
        write_table(rows, folder / f"{name}.csv", index=False)
    write_record(fitted.facts, folder / "facts.json")
    return tables


def _erring(fitted: Fitted) -> np.ndarray:
    """Variance of published less simulated: a target that has to be met closely is not known more closely."""
    patients = fitted.facts["patients"]
    return np.array([replace(reading, within=1.0).variance(patients) for reading in fitted.readings])


def _most_probable(
    emulator: Emulator, published: np.ndarray, variance: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Most probable parameters given some readings and the prior, by a linear emulator."""
    a, r = emulator.slope[own], variance[own]
    left = a.T @ (a / r[:, None]) + np.eye(a.shape[1])
    return np.asarray(np.linalg.solve(left, a.T @ ((published - emulator.center)[own] / r)))


def _misfit(
    emulator: Emulator, z: np.ndarray, published: np.ndarray, variance: np.ndarray, own: np.ndarray
) -> float:
    """Mean squared standardized difference of some readings."""
    away = (emulator.at(z[None])[0] - published)[own]
    return float((away**2 / variance[own]).mean())


def _quantile(values: np.ndarray, weights: np.ndarray, q: float) -> np.ndarray:
    """Weighted quantile of each column."""
    order = np.argsort(values, axis=0)
    cumulated = np.cumsum(weights[order], axis=0)
    place = np.minimum((cumulated < q * cumulated[-1]).sum(axis=0), len(values) - 1)
    return np.asarray(np.take_along_axis(values, order, axis=0)[place, np.arange(values.shape[1])])
