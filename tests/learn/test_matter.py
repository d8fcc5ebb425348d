"""From a study to what matters: kept runs, the same numbers again, and a page."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.errors import OtherStudyError, WrongGroupError
from twoarm.learn import matter_tables, what_matters, write_matter
from twoarm.learn.runs import ENDPOINTS
from twoarm.learn.screen import read_screen


class Toy:
    """Stands in for the engine: tumors shrink the more, the faster the molecule binds PD-1."""

    def __init__(self):
        self.calls = 0

    def __call__(self, model, patients, doses, *, days, visits, outputs, initial, failed):
        self.calls += 1
        hold = patients.get("drug_kon_pd1", pd.Series(np.nan, index=patients.index)).fillna(0.0)
        rate = np.where(hold > 0, 0.004 - 0.0015 * np.log10(hold + 1.0), 0.002) * 3.0
        day = np.asarray(visits, float)
        start = patients[[f"diameter_baseline_{j}" for j in range(1, 6)]].to_numpy(float)
        curve = np.exp(np.clip(rate[:, None] * day[None, :], -4, 4))
        shape = (len(patients), len(day))
        values = {name: np.full(shape, 0.01) for name in outputs}
        for j in range(1, 6):
            values[f"diameter_{j}"] = start[:, [j - 1]] * curve
        values["sld"] = sum(values[f"diameter_{j}"] for j in range(1, 6))
        values["neutrophils"] = np.full(shape, 5.0)
        found = xr.Dataset(
            {name: (("patient", "day"), value) for name, value in values.items()},
            coords={"patient": patients.index.to_numpy(), "day": day},
        )
        end = np.broadcast_to(np.asarray(days, float), (len(patients),)).copy()
        found["status"] = ("patient", np.zeros(len(patients), int))
        found["final_day"] = ("patient", end)
        return found


def small():
    """A screen of a hundred days with two measurements and one reading."""
    whole = read_screen("trial")
    chosen = [each for each in whole.measurements if each.name in ("PD-1 affinity", "clearance", "occupancy")]
    return whole.model_copy(update={"horizon": 100.0, "patients": 4, "measurements": tuple(chosen)})


def ask(folder, engine, **more):
    options = {"groups": ["card"], "screen": small(), "count": 1, "runs": 16, "kept": 2, "seed": 5} | more
    return what_matters("marslight-11", folder, advance=engine, **options)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder, engine, told = tmp_path_factory.mktemp("matter"), Toy(), []
    found = ask(folder / "out", engine, announce=told.append)
    return folder / "out", engine, told, found


def test_the_cost_is_said_before_the_runs(asked):
    _, _, told, _ = asked
    assert "14 unknowns; 15 runs to screen and 16 to emulate, 4 twins each" in told[0]


def test_what_the_engine_hangs_on_is_found(asked):
    """The stand-in reads the association with PD-1 alone, which is koff over kd."""
    found = asked[3]
    depth = found.screening[found.screening["endpoint"] == "depth"].set_index("name")["effect"]
    assert set(depth.index[depth > 1e-6]) <= {"card:ibi363.pd1_arm.kd", "card:ibi363.pd1_arm.koff"}
    worth = found.worth[found.worth["endpoint"] == "depth"].set_index("measurement")["share"]
    assert worth["PD-1 affinity"] > 0.5
    assert worth["clearance"] < 0.3


def test_shares_lie_within_what_the_emulator_explains(asked):
    found = asked[3]
    explained = found.quality.set_index("endpoint")["explained"].clip(lower=0)
    first = found.shares.groupby("endpoint")["first"].sum()
    assert (first <= explained.reindex(first.index) + 0.15).all()
    assert found.worth["share"].between(0, 1).all()
    assert (found.worth["low"] <= found.worth["high"]).all()


def test_finished_runs_are_kept(asked):
    folder, engine, _, found = asked
    before = engine.calls
    again = ask(folder, engine)
    assert engine.calls == before
    pd.testing.assert_frame_equal(again.worth, found.worth)
    (folder / "runs" / "screening-0003.json").unlink()
    once = ask(folder, engine)
    assert engine.calls > before
    pd.testing.assert_frame_equal(once.screening, found.screening)


def test_a_folder_keeps_one_question(asked):
    with pytest.raises(OtherStudyError, match="seed"):
        ask(asked[0], asked[1], seed=6)


def test_a_group_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(WrongGroupError, match="card, biology, population, clinic"):
        ask(tmp_path, Toy(), groups=["weather"])


def test_the_page_holds_tables_and_figures(asked):
    folder, _, _, found = asked
    page = write_matter(found, folder).read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "twins in both arms" in page
    assert "pd1_arm.kd" in page
    tables = matter_tables(found)
    assert sum(title.startswith("What moves") for title in tables) == len(found.quality)
    assert set(found.quality["endpoint"]) <= set(ENDPOINTS)
    written = pd.read_csv(folder / "screening.csv")
    assert len(written) == len(found.screening)
    assert json.loads((folder / "study.json").read_text(encoding="utf-8"))["matter"] == "marslight-11"


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    screen = small().model_copy(update={"horizon": 43.0})
    options = {"groups": ["card"], "screen": screen, "count": 1, "runs": 16, "kept": 2, "seed": 5}
    one = what_matters("marslight-11", tmp_path / "one", workers=1, **options)
    two = what_matters("marslight-11", tmp_path / "two", workers=2, **options)
    for stage in ("screening-0003", "emulation-0011"):
        texts = [(tmp_path / name / "runs" / f"{stage}.json").read_text() for name in ("one", "two")]
        assert texts[0] == texts[1]
    pd.testing.assert_frame_equal(one.screening, two.screening)


def test_the_page_says_whose_patients_and_what_each_group_adds(asked):
    folder, _, _, found = asked
    page = write_matter(found, folder).read_text(encoding="utf-8")
    assert "io_resistant_squamous_nsclc as frozen on" in page
    shares = matter_tables(found)["Share of the variance by group (Sobol, alone)"]
    assert list(shares.columns) == ["endpoint", "card", "together, or not predicted"]
