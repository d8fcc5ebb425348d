"""Doses mean what they mean in NONMEM: its own concentrations for 29 scenarios."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm.doses import expand
from twoarm.engine import simulate
from twoarm.errors import SteadyStateError
from twoarm.model import Model
from twoarm.model.sbml import read_model

FOLDER = Path(__file__).parents[3] / "shared" / "conformance" / "nonmem-dosing"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no NONMEM dosing scenarios at {FOLDER}")

RUN_IN = 240.0  # more than 13 half-lives before a row at steady state
AFTER = 1e-9  # NONMEM reports a record after the dose of its instant, twoarm a visit before it
REFUSED = {
    25: "its run-in would overwrite an earlier row",
    28: "ss = 2 adds two steady states, which only a linear model allows",
}


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


@pytest.mark.parametrize("scenario", [n for n in range(1, 30) if n not in REFUSED])
def test_concentrations_are_those_of_nonmem(model: Model, scenario: int) -> None:
    doses, want = expand(read_doses(scenario), run_in=RUN_IN), expected(scenario)
    visits = want.TIME.to_numpy(dtype=float) + AFTER
    end = visits[-1] + 1.0
    run = simulate(model, doses=doses, days=end, visits=visits, outputs=["cp"], rtol=1e-8)
    np.testing.assert_allclose(run.cp.values[0], want.CP, rtol=2e-4, atol=0.05)  # five digits are printed


@pytest.mark.parametrize("scenario", sorted(REFUSED))
def test_what_cannot_be_written_as_repeated_doses_is_refused(scenario: int) -> None:
    with pytest.raises(SteadyStateError, match=REFUSED[scenario]):
        expand(read_doses(scenario), run_in=RUN_IN)
