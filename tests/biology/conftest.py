"""The product's model, one typical patient, and molecules with arms taken off or put back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.engine import simulate
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule
from twoarm.regimen import Regimen


@pytest.fixture(scope="session")
def model() -> Model:
    return read_model("pd1_il2")


@pytest.fixture(scope="session")
def typical() -> pd.DataFrame:
    patient = pd.DataFrame({"weight": [70.0], "body_surface": [1.8], "albumin": [40.0]})
    patient.attrs["covariates"] = ["weight", "body_surface", "albumin"]
    return patient


@pytest.fixture(scope="session")
def treat(model: Model, typical: pd.DataFrame):
    """Give a molecule every three weeks to the typical patient, changed as said."""

    def give(
        molecule: Molecule, dose: str = "3 mg/kg", *, days: float = 63, outputs=(), rtol=1e-6, **changed
    ) -> xr.Dataset:
        patient = typical.assign(**changed)
        patient.attrs = typical.attrs
        visits = np.array([*(day for day in (0.25, 1, 7, 14, 21, 42) if day < days), days])
        regimen = Regimen(molecule, dose=dose, every="3 weeks")
        return simulate(model, patient, regimen, days=days, visits=visits, outputs=list(outputs), rtol=rtol)

    return give
