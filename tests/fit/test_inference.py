"""A fit in ArviZ's words: the same chains, the same R-hat, and nothing of it needed for a fit."""

import sys

import numpy as np
import pytest

from twoarm.errors import NoDiagnosticsError
from twoarm.fit.inference import as_inference_data, diagnose_fit
from twoarm.fit.sample import _r_hat
from twoarm.fit.trust import coverage, rank_check


def test_without_arviz_a_fit_is_fitted_and_what_is_missing_is_said(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(NoDiagnosticsError, match=r"twoarm\[diagnostics\]"):
        as_inference_data(fitted)


def test_groups_hold_the_chains_the_members_came_from_and_what_was_published(fitted):
    data = as_inference_data(fitted)
    assert {"posterior", "prior", "posterior_predictive", "observed_data", "sample_stats"} <= set(
        data.groups()
    )
    name = next(iter(fitted.calibration.parameters))
    drawn = data.posterior[name].to_numpy().ravel()
    members = fitted.calibration.parameters[name].natural(fitted.z[-1][:, 0])
    assert np.isclose(members[:, None], drawn[None]).any(axis=1).all()
    assert data.posterior[name].attrs["units"] == "day"
    np.testing.assert_array_equal(data.posterior_predictive["share"][0], fitted.simulated[-1])
    assert data.observed_data["share"].sizes["reading"] == len(fitted.readings)


def test_our_r_hat_is_arviz_s_of_split_chains():
    arviz = pytest.importorskip("arviz")
    z = np.random.default_rng(1).normal(size=(200, 6, 3)) + np.linspace(0, 0.3, 6)[:, None]
    theirs = [float(arviz.rhat(z[:, :, place].T, method="split")) for place in range(3)]
    np.testing.assert_allclose(_r_hat(z), theirs, rtol=1e-6)


@pytest.mark.slow
def test_arviz_judges_a_fit_and_leaves_a_file_and_figures(fitted, tmp_path):
    ranks = rank_check(fitted, repeats=10, seed=2)
    table = diagnose_fit(fitted, tmp_path / "report", ranks=ranks)
    assert (table["ess_bulk"] > 100).all()
    assert table["r_hat"].iloc[0] == table["r_hat"].max()
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"inference.nc", "sampling.csv", "ranks.png", "predictive.png", "calibration.png"}
    assert coverage(ranks)["held_90"].mean() > 0.7
