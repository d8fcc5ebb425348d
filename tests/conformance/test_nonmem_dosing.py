"""Doses mean what they mean in NONMEM: its own concentrations for 29 scenarios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm.doses import DoseRows, expand
from twoarm.engine import simulate
from twoarm.engine.steady import steady_doses
from twoarm.engine.varying import vary, varying_rows
from twoarm.errors import SteadyStateError
from twoarm.model import Model
from twoarm.model.sbml import read_model

FOLDER = Path(__file__).parents[3] / "shared" / "conformance" / "nonmem-dosing"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no NONMEM dosing scenarios at {FOLDER}")

RUN_IN = 240.0  # more than 13 half-lives before a row at steady state
AFTER = 1e-9  # NONMEM reports a record after the dose of its instant, twoarm a visit before it


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(
        """
        model one_compartment
          compartment body = 1;
          substanceOnly species depot in body = 0, central in body = 0;
          cl = 1.1; v = 20; ka = 1.5;
          absorb: depot -> central; ka*depot;
          leave: central -> ; cl/v*central;
          cp := 1000*central/v;
        end
        """
    )


def read_doses(scenario: int) -> pd.DataFrame:
    """Dose records in this package's words; LAGT and BIOAV belong to compartment 2."""
    table = pd.read_csv(FOLDER / "dosing.csv")
    table = table[(table.ID == scenario) & (table.evid != 0)].reset_index(drop=True)
    central = table.cmt == 2
    return pd.DataFrame(
        {
            "id": table.ID,
            "time": table.time.astype(float),
            "amt": table.amt.astype(float),
            "cmt": np.where(central, "central", "depot"),
            "evid": table.evid,
            "rate": table.rate.astype(float),
            "dur": np.where((table.rate == -2) & (table.MODE == 2), table.DUR2, 0.0).astype(float),
            "ii": table.ii.astype(float),
            "addl": table.addl,
            "ss": table.ss,
            "lag": np.where(central, table.LAGT, 0.0),
            "bioavailability": np.where(central, table.BIOAV, 1.0),
        }
    )


def expected(scenario: int) -> pd.DataFrame:
    table = pd.read_csv(FOLDER / "dosing_nonmem.csv")
    return table[table.ID == scenario].groupby("TIME", as_index=False).last()


def compare(model: Model, doses: DoseRows, scenario: int) -> None:
    want = expected(scenario)
    visits = want.TIME.to_numpy(dtype=float) + AFTER
    run = simulate(model, doses=doses, days=visits[-1] + 1.0, visits=visits, outputs=["cp"], rtol=1e-8)
    np.testing.assert_allclose(run.cp.values[0], want.CP, rtol=2e-4, atol=0.05)  # five digits are printed


@pytest.mark.parametrize("scenario", range(1, 30))
def test_concentrations_are_those_of_nonmem(model: Model, scenario: int) -> None:
    compare(model, steady_doses(model, read_doses(scenario)), scenario)


@pytest.mark.parametrize("scenario", [9, 13, 19, 22, 29])
def test_a_run_in_of_a_given_length_is_the_same(model: Model, scenario: int) -> None:
    compare(model, expand(read_doses(scenario), run_in=RUN_IN), scenario)


def test_a_run_in_cannot_say_what_follows_an_earlier_row() -> None:
    for scenario in (25, 28):
        with pytest.raises(SteadyStateError):
            expand(read_doses(scenario), run_in=RUN_IN)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_weight_that_changes_is_carried_backward_as_nonmem_does(backend: str) -> None:
    model = vary(
        read_model(
            """
            model one_compartment
              compartment body = 1;
              substanceOnly species depot in body = 0, central in body = 0;
              wt = 70; v = 20; ka = 1.5;
              cl := 1.1*(wt/70)^0.75;
              absorb: depot -> central; ka*depot;
              leave: central -> ; cl/v*central;
              cp := 1000*central/v;
            end
            """
        ),
        ["wt"],
    )
    records = pd.read_csv(FOLDER / "time_varying.csv")
    wanted = pd.read_csv(FOLDER / "time_varying_nonmem.csv")
    dosed = records[records.evid == 1]
    doses = pd.DataFrame(
        {
            "id": dosed.ID,
            "time": dosed.time.astype(float),
            "amt": dosed.amt.astype(float),
            "cmt": np.where(dosed.cmt == 2, "central", "depot"),
            "rate": dosed.rate.astype(float),
            "ii": dosed.ii.astype(float),
            "addl": dosed.addl,
        }
    )
    rows = expand(doses)
    weights = records[["ID", "time", "WT"]].rename(columns={"ID": "id", "WT": "wt"})
    weights = weights.drop_duplicates(["id", "time"])
    first = weights.groupby("id").first()[["wt"]]
    changes = varying_rows(weights, first, carry="backward", doses=rows)
    for patient in first.index:
        want = wanted[wanted.ID == patient].groupby("TIME", as_index=False).last()
        visits = want.TIME.to_numpy(dtype=float)
        run = simulate(
            model,
            first.loc[[patient]],
            [rows, changes],
            days=visits[-1],
            visits=visits,
            outputs=["cp", "cl"],
            backend=backend,
            rtol=1e-8,
        )
        np.testing.assert_allclose(run.cp.values[0], want.CP, rtol=2e-4, atol=0.05)
        np.testing.assert_allclose(run.cl.values[0], want.CL, rtol=1e-4)
