"""Single precision is checked against double in a sample, and what was found is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import screening, simulate
from twoarm.engine.stream import stream
from twoarm.errors import SinglePrecisionWarning

from . import small_models as small

VISITS = [0.0, 2.0, 5.0]


def cohort(n: int) -> pd.DataFrame:
    draws = np.random.default_rng(2).lognormal(0.0, 0.4, (n, 2))
    table = pd.DataFrame({"kel": 0.1 * draws[:, 0], "drug": draws[:, 1]})
    table.attrs["seed"] = 5
    return table


def test_the_sample_is_that_of_the_seed() -> None:
    assert screening.sample(5, 0).tolist() == [0, 1, 2, 3, 4]
    chosen = screening.sample(3000, 7)
    assert len(set(chosen)) == len(chosen) == 30
    assert chosen.tolist() == screening.sample(3000, 7).tolist() == sorted(chosen)
    assert chosen.tolist() != screening.sample(3000, 8).tolist()
    assert screening.sample(3000, None).tolist() == screening.sample(3000, 0).tolist()


def test_single_precision_says_its_error() -> None:
    model, people = small.target_mediated(), cohort(900)
    how = {"days": 5.0, "visits": VISITS, "rtol": 1e-4}
    single = simulate(model, people, precision="single", **how)  # type: ignore[arg-type]
    exact = simulate(model, people, days=5.0, visits=VISITS, rtol=1e-5)
    assert single.attrs["single_precision_checked"] == 9
    assert single.attrs["single_precision_failed"] == 0
    rows = screening.sample(900, 5)
    errors = []
    for name in model.outputs.keys() - set(model.parameters):
        true = exact[name].to_numpy()[rows]
        scale = np.maximum(np.abs(true), 1e-3 * np.abs(true).max(axis=1, keepdims=True))
        errors.append((np.abs(single[name].to_numpy()[rows] - true)[scale > 0] / scale[scale > 0]).ravel())
    found = np.concatenate(errors)
    assert single.attrs["single_precision_error_rms"] == pytest.approx(np.sqrt(np.mean(found**2)), rel=1e-9)
    assert single.attrs["single_precision_error_worst"] == pytest.approx(found.max(), rel=1e-9)
    assert 1e-9 < single.attrs["single_precision_error_rms"] < 1e-3
    assert "single_precision_checked" not in exact.attrs


def test_a_stream_checks_the_same_patients_resumed_or_not(tmp_path: Path) -> None:
    model, people, out = small.target_mediated(), cohort(900), tmp_path / "x.zarr"
    how = {"days": 5.0, "visits": VISITS, "rtol": 1e-4, "precision": "single"}
    whole = simulate(model, people, **how)  # type: ignore[arg-type]

    def stop(done: int, of: int) -> None:
        if done >= 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(model, people, out=out, chunk=250, progress=stop, **how)  # type: ignore[arg-type]
    found = stream(model, people, out=out, resume=True, **how)  # type: ignore[arg-type]
    for name in ("checked", "failed", "error_worst", "error_rms"):
        key = f"single_precision_{name}"
        assert found.attrs[key] == pytest.approx(whole.attrs[key], rel=1e-12)


def test_much_is_warned_of() -> None:
    with pytest.warns(SinglePrecisionWarning, match=r"off by 1\.0e-02 .* 8 patients"):
        screening.summary([screening.Differences(8, 0, 100, 1e-2, 0.5)])
    with pytest.warns(SinglePrecisionWarning, match="2 of them ended differently"):
        screening.summary([screening.Differences(8, 2, 100, 0.0, 0.0)])
