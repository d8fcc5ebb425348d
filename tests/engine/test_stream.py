"""Streams: the same bits however they are cut, interrupted, resumed or shared out; and what they refuse."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.doses import expand
from twoarm.engine import simulate
from twoarm.engine.sources import identity
from twoarm.engine.stream import stream
from twoarm.errors import (
    DoseRowError,
    IntegrationError,
    OtherJobError,
    ReductionError,
    ResultThereError,
    SimulationInputError,
    StoreNameError,
    UnfinishedThereError,
)
from twoarm.model import Model

from . import small_models as small

VISITS = np.array([0.0, 2.5, 7.0, 10.0])


def people(n: int, seed: int = 3) -> pd.DataFrame:
    draws = np.random.default_rng(seed).lognormal(0.0, 0.5, (n, 2))
    return pd.DataFrame({"kel": 0.1 * draws[:, 0], "kon": 50 * draws[:, 1]}, index=np.arange(n) * 2 + 5)


def doses(n: int) -> pd.DataFrame:
    ids = np.arange(n) * 2 + 5
    first = pd.DataFrame({"id": ids, "time": 0.0, "amt": 5.0, "cmt": "drug", "dur": 0.0})
    second = pd.DataFrame({"id": ids[::3], "time": 3.0, "amt": 8.0, "cmt": "drug", "dur": 2.0})
    return pd.concat([second, first], ignore_index=True)  # in no order


def go(n: int, **how: object) -> xr.Dataset:
    how = {"days": 10.0, "visits": VISITS, **how}
    return stream(small.target_mediated(), people(n), doses(n), **how)  # type: ignore[arg-type]


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        a, b = one[name].to_numpy(), other[name].to_numpy()
        assert a.dtype.kind == b.dtype.kind or {a.dtype.kind, b.dtype.kind} <= set("OT")
        np.testing.assert_array_equal(a, b, err_msg=str(name))


def worst_target(run: xr.Dataset) -> pd.DataFrame:
    return pd.DataFrame({"lowest": run["target"].min("day").to_numpy()}, index=run["patient"].to_numpy())


def test_a_stream_is_simulate() -> None:
    whole = simulate(small.target_mediated(), people(50), doses(50), days=10.0, visits=VISITS)
    found = go(50, chunk=7)
    same(whole, found)
    assert found.attrs["patients_failed"] == 0
    assert found["drug"].attrs == whole["drug"].attrs


@settings(max_examples=25)
@given(
    n=st.integers(1, 40),
    chunk=st.integers(1, 50),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(["rodas5p", "rodas4"]),
)
def test_bits_do_not_depend_on_company_order_chunks_or_workers(
    n: int, chunk: int, workers: int, seed: int, method: str
) -> None:
    model, table, rows = small.target_mediated(), people(n, seed), doses(n)
    how = {"days": 10.0, "visits": VISITS, "method": method}
    whole = simulate(model, table, rows, workers=1, **how)  # type: ignore[arg-type]
    same(whole, simulate(model, table, rows, workers=workers, chunk=chunk, **how))  # type: ignore[arg-type]
    same(whole, stream(model, table, rows, workers=workers, chunk=chunk, **how))  # type: ignore[arg-type]
    order = np.random.default_rng(seed).permutation(n)
    mixed = simulate(model, table.iloc[order], rows.sample(frac=1, random_state=1), workers=workers, **how)  # type: ignore[arg-type]
    same(whole, mixed.isel(patient=np.argsort(order)))
    alone = simulate(model, table.iloc[[n - 1]], rows, **how)  # type: ignore[arg-type]
    same(whole.isel(patient=[n - 1]), alone)


@settings(max_examples=10)
@given(
    n=st.integers(1, 30),
    chunk=st.integers(1, 12),
    later=st.integers(1, 12),
    stop=st.integers(0, 5),
    reduced=st.booleans(),
)
def test_interrupted_and_resumed_is_uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, n: int, chunk: int, later: int, stop: int, reduced: bool
) -> None:
    folder = tmp_path_factory.mktemp("stream")
    reduce = worst_target if reduced else None
    told = 0

    def interrupt(done: int, of: int) -> None:
        nonlocal told
        told += 1
        if told > stop:
            raise KeyboardInterrupt

    whole = go(n, reduce=reduce)
    try:
        go(n, chunk=chunk, reduce=reduce, out=folder / "x.zarr", progress=interrupt)
    except KeyboardInterrupt:
        assert not (folder / "x.zarr").exists()
    same(whole, go(n, chunk=later, reduce=reduce, out=folder / "x.zarr", resume=True, workers=1))
    assert [path.name for path in folder.iterdir()] == ["x.zarr"]


_KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from tests.engine import test_stream as t
tell = lambda done, of: (print(done, flush=True), time.sleep(0.05))
t.go(40, chunk=4, out={out!r}, resume=True, progress=tell)
"""


def test_killed_and_resumed_without_loss(tmp_path: Path) -> None:
    out = tmp_path / "x.zarr"
    script = _KILLED.format(tests=str(Path(__file__).parents[2]), out=str(out))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        while int(killed.stdout.readline()) < 12:
            pass
        killed.send_signal(signal.SIGKILL)
    assert not out.exists()
    told: list[int] = []
    found = go(40, out=out, resume=True, progress=lambda done, of: told.append(done))
    assert told[0] >= 12  # nothing that was finished is done again
    assert told[1] == told[0] + 4  # and the size of a piece is that of the job that began
    same(go(40), found)


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "x.zarr"
    go(9, out=out)
    with pytest.raises(ResultThereError, match="resume"):
        go(9, out=out)
    same(go(9), go(9, out=out, resume=True))
    with pytest.raises(OtherJobError, match="another tolerance"):
        go(9, out=out, resume=True, rtol=1e-5)
    with pytest.raises(OtherJobError, match="number of patients, patients"):
        go(8, out=out, resume=True)
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(ResultThereError):
        go(9, out=tmp_path / "mine.zarr", resume=True)
    with pytest.raises(StoreNameError):
        go(9, out=tmp_path / "x.xls")


def begun(out: Path, n: int = 20, **how: object) -> None:
    def stop(done: int, of: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(n, chunk=4, out=out, progress=stop, **how)


def test_an_unfinished_one_is_not_thrown_away(tmp_path: Path) -> None:
    out = tmp_path / "x.zarr"
    begun(out)
    with pytest.raises(UnfinishedThereError, match="--resume"):
        go(20, out=out)
    with pytest.raises(OtherJobError, match="another reduction"):
        go(20, out=out, resume=True, reduce=worst_target)


def test_damage_after_a_loss_of_power_is_made_good(tmp_path: Path) -> None:
    out = tmp_path / "x.zarr"
    begun(out)
    piece = tmp_path / "x.zarr.partial" / "store.zarr" / "drug" / "c" / "2" / "0"
    piece.write_bytes(b"")
    told: list[int] = []
    same(go(20), go(20, out=out, resume=True, progress=lambda done, of: told.append(done)))
    assert told[0] == 8


def test_what_no_digest_sees_is_found_by_computing_again(tmp_path: Path) -> None:
    class Drawn:
        identity = "always the same, it says"
        scale = 1.0

        def __len__(self) -> int:
            return 20

        def draw(self, first: int, last: int) -> pd.DataFrame:
            return people(20).iloc[first:last] * self.scale

    def stop(done: int, of: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    source, model, out = Drawn(), small.target_mediated(), tmp_path / "x.zarr"
    with pytest.raises(KeyboardInterrupt):
        stream(model, source, doses(20), days=10.0, chunk=4, out=out, progress=stop)
    source.scale = 1.1
    with pytest.raises(OtherJobError, match="result for its first patients"):
        stream(model, source, doses(20), days=10.0, out=out, resume=True)
    source.scale = 1.0
    same(
        stream(model, people(20), doses(20), days=10.0),
        stream(model, source, doses(20), days=10.0, out=out, resume=True),
    )


def test_labels_of_text_and_failures_are_kept(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [0.01, 1.0, 0.02]}, index=["ann", "bob", "christina"])
    how = {"days": 3.0, "visits": [0.5, 3.0], "chunk": 2}
    for found in (
        stream(_explosive(), table, **how),  # type: ignore[arg-type]
        stream(_explosive(), table, out=tmp_path / "x.zarr", **how),  # type: ignore[arg-type]
    ):
        assert [str(label) for label in found.patient.to_numpy()] == ["ann", "bob", "christina"]
        assert found["status"].to_numpy().astype(bool).tolist() == [False, True, False]
        assert np.isnan(found["x"].to_numpy()[1]).all()
        assert found.attrs["patients_failed"] == 1
    with pytest.raises(IntegrationError, match="bob"):
        stream(_explosive(), table, failed="raise", **how)  # type: ignore[arg-type]


def _explosive() -> Model:
    from twoarm.model import Graph

    g = Graph()
    return small.build(g, {"x": g.mul(g.state(0), g.state(0))}, name="explosive")


@pytest.mark.parametrize(
    ("reduce", "words"),
    [
        (lambda run: run["drug"].to_numpy(), "neither a Dataset nor"),
        (lambda run: run[["drug"]].mean("patient"), "a row for each patient"),
        (lambda run: run[["drug"]].isel(patient=slice(1, None)), "a row for each patient"),
        (lambda run: run[["drug"]].assign(all=1.0), "all without the dimension"),
        (lambda run: run[["drug"]].isel(day=slice(0, 1 + run.sizes["patient"] // 4)), "'drug' of shape"),
        (lambda run: run[["drug"]].astype("f4" if run.sizes["patient"] < 4 else "f8"), "'drug' of type"),
        (lambda run: run[["drug"]].rename(drug=f"n{run.sizes['patient']}"), "variables"),
        (lambda run: run[["drug"]].assign_coords(day=VISITS + run.sizes["patient"]), "differs from chunk"),
    ],
)
@pytest.mark.parametrize("disk", [False, True])
def test_reductions_that_do_not_fit(reduce: object, words: str, disk: bool, tmp_path: Path) -> None:
    with pytest.raises(ReductionError, match=words):
        go(6, chunk=4, reduce=reduce, out=tmp_path / "x.zarr" if disk else None)


def test_bad_input_is_found_before_the_first_patient() -> None:
    told: list[int] = []
    how = {"days": 1.0, "progress": lambda done, of: told.append(done)}
    model = small.target_mediated()
    late = doses(9).assign(amt=[1.0] * 11 + [-1.0])
    with pytest.raises(DoseRowError, match="row 12"):
        stream(model, people(9), late, **how)  # type: ignore[arg-type]
    with pytest.raises(SimulationInputError, match="may occur once"):
        stream(model, people(2).set_axis([4, 4]), **how)  # type: ignore[arg-type]
    with pytest.raises(SimulationInputError, match="one for each of the 2"):
        stream(model, people(2), days=[1.0, 2.0, 3.0])
    with pytest.raises(SimulationInputError, match="must be given"):
        stream(model, people(2), days=[1.0, 2.0])
    assert told == []


def test_identity_sees_what_matters() -> None:
    def one() -> int:
        return 1

    def two() -> int:
        return 2

    things = [
        people(3),
        people(4),
        people(3).set_axis([1, 2, 3]),
        people(3).rename(columns={"kel": "k"}),
        np.zeros(3),
        np.zeros((3, 1)),
        [np.zeros(3)],
        one,
        two,
        None,
        "None",
        {"a": 1},
        {"a": 2},
        *(expand(doses(n)) for n in (2000, 2001)),
        *(np.array([text], dtype=object) for text in "ab"),
    ]
    assert len({identity(thing) for thing in things}) == len(things)
    assert [identity(thing) for thing in things] == [identity(thing) for thing in things]
    assert identity(object()) == identity(object())  # an address is no identity
