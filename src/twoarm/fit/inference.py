"""A finished fit in ArviZ's words: its draws, what they predict, and what ArviZ says of them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twoarm.errors import NoDiagnosticsError
from twoarm.fit.chains import draw_chains
from twoarm.fit.run import Fitted
from twoarm.study.folder import write_table, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORST = 6  # parameters whose ranks are drawn


def as_inference_data(fitted: Fitted) -> Any:
    """Turn a fit into ArviZ's container of groups.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.

    Returns
    -------
    arviz.InferenceData
        Groups `posterior` (every draw of every chain, spread as the members are), `sample_stats` (`lp`, the
        log density by which they were drawn, up to a constant), `prior` and `prior_predictive` (the first
        ensemble and what its members gave), `posterior_predictive` (what the last one gave, simulated by the
        trial's rules), `observed_data` (what was published). Parameters in their own units; shares along
        `reading`.

    Raises
    ------
    NoDiagnosticsError
        If ArviZ is not installed.

    Notes
    -----
    The chains are drawn again from the ensembles and the seed: they are the chains the members were taken
    from. The members are a hundred of these draws, one chain in the predictive groups.

    Examples
    --------
    >>> from twoarm.fit import fit_population
    >>> fitted = fit_population("oak_squamous", "results/fit-oak_squamous")  # doctest: +SKIP
    >>> as_inference_data(fitted).to_netcdf("fit.nc")  # doctest: +SKIP
    """
    arviz = _arviz()
    names = [reading.name + f" ({reading.target})" for reading in fitted.readings]
    z, density = _draws(fitted)
    whole = {
        "posterior": _natural(fitted, np.moveaxis(z, 0, 1)),
        "sample_stats": {"lp": density.T},
        "prior": _natural(fitted, fitted.z[0][None]),
        "prior_predictive": {"share": fitted.simulated[0][None]},
        "posterior_predictive": {"share": fitted.simulated[-1][None]},
        "observed_data": {"share": np.array([reading.value for reading in fitted.readings])},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of chains shorter than many, in the predictive groups
        data = arviz.from_dict(**whole, coords={"reading": names}, dims={"share": ["reading"]})
    for name, parameter in fitted.calibration.parameters.items():
        data.posterior[name].attrs["units"] = parameter.unit
        data.prior[name].attrs["units"] = parameter.unit
    return data


def diagnose_fit(
    fitted: Fitted, folder: Path, *, ranks: pd.DataFrame | None = None, figures: bool = True
) -> pd.DataFrame:
    """Let ArviZ judge a fit, and write what it says beside the report.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.
    folder : Path
        Where to: `inference.nc`, `sampling.csv`, `ranks.png`, `predictive.png`, and `calibration.png` where
        ranks are given.
    ranks : DataFrame, optional
        From `twoarm.fit.trust.rank_check`.
    figures : bool
        Whether to draw: the file and the table take a few seconds, the figures several more.

    Returns
    -------
    DataFrame
        `parameter r_hat ess_bulk ess_tail mcse_mean`: R-hat of ranks, numbers of independent draws, and the
        error of the mean in prior units; the worst first.

    Raises
    ------
    NoDiagnosticsError
        If ArviZ is not installed.

    References
    ----------
    kumar2019 (ArviZ), vehtari2021 (R-hat of ranks, effective sizes, rank plots), sailynoja2022 (bands of the
    empirical distribution).
    """
    arviz, data = _arviz(), as_inference_data(fitted)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "inference.nc", lambda path: data.to_netcdf(str(path)))
    table = arviz.summary(data, kind="diagnostics", round_to="none").reset_index(names="parameter")
    table = table[["parameter", "r_hat", "ess_bulk", "ess_tail", "mcse_mean"]]
    table = table.sort_values("r_hat", ascending=False, ignore_index=True)
    write_table(table, folder / "sampling.csv", index=False)
    if not figures:
        return table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        worst = table["parameter"].head(_WORST).tolist()
        _save(arviz.plot_rank(data, var_names=worst, figsize=(11, 6)).ravel()[0].figure, folder / "ranks.png")
        _save(_predictive(arviz, fitted), folder / "predictive.png")
        if ranks is not None:
            _save(_calibration(arviz, ranks), folder / "calibration.png")
    return table


def _arviz() -> Any:
    """Import ArviZ without its news of the day."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            import arviz
    except ImportError:
        raise NoDiagnosticsError() from None
    return arviz


def _draws(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Draw the chains of the last ensemble once more, (draw, chain, parameter), with their log densities."""
    published = np.array([reading.value for reading in fitted.readings if reading.fitted])
    chains = draw_chains(fitted.readings, fitted.z[:-1], fitted.simulated[:-1], fitted.facts["seed"])
    away, z = chains.emulator.bare(chains.drawn.z) - published, chains.drawn.z
    density = -0.5 * ((away**2 / chains.error).sum(axis=-1) + (z**2).sum(axis=-1))
    return chains.wide, density


def _natural(fitted: Fitted, z: np.ndarray) -> dict[str, np.ndarray]:
    """Give (chain, draw) arrays of each parameter in its own unit."""
    parameters = fitted.calibration.parameters.items()
    return {name: parameter.natural(z[..., place]) for place, (name, parameter) in enumerate(parameters)}


def _predictive(arviz: Any, fitted: Fitted) -> Figure:
    """Where published numbers lie among simulated ones: u-values of the fitted readings."""
    fit = np.array([reading.fitted for reading in fitted.readings])
    simulated = fitted.simulated[-1][:, fit]
    simulated = simulated[np.isfinite(simulated).all(axis=1)]
    value = np.array([reading.value for reading in fitted.readings])[fit]
    data = arviz.from_dict(posterior_predictive={"share": simulated[None]}, observed_data={"share": value})
    axes = arviz.plot_bpv(data, kind="u_value", figsize=(6, 4))
    axes = np.ravel(axes)[0]
    axes.set_title("Published among simulated")
    axes.set_xlabel("share of members below what was published")
    return axes.figure


def _calibration(arviz: Any, ranks: pd.DataFrame) -> Figure:
    """Ranks of truths over all parameters, less uniform ones, with a band of 94 %."""
    values = np.sort(ranks.to_numpy().ravel())
    axes = arviz.plot_ecdf(
        values, cdf=lambda x: np.clip(x, 0, 1), difference=True, confidence_bands="pointwise",
        npoints=50, ci_prob=0.94, figsize=(6, 4),
    )  # fmt: skip
    axes = np.ravel(axes)[0]
    axes.set_title("Ranks of truths in their posteriors")
    axes.set_xlabel("share of the posterior below the truth")
    axes.set_ylabel("empirical less uniform")
    return axes.figure


def _save(figure: Figure, path: Path) -> None:
    write_whole(path, lambda place: figure.savefig(place, dpi=110, format="png", bbox_inches="tight"))
