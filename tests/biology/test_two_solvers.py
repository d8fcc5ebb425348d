"""The fast back end and the believed one agree on the product's own biology."""

from __future__ import annotations

import numpy as np

from twoarm.engine import simulate
from twoarm.molecule import read_molecule
from twoarm.regimen import Regimen


def test_rosenbrock_and_cvode_agree_on_tumor_drug_and_cells(model, typical):
    """Two methods, two linear solvers, one with vectors of patients: SLD to 1e-4 as the blueprint asks."""
    fusion = Regimen(read_molecule("ibi363"), dose="3 mg/kg", every="3 weeks")
    names = ["sld", "drug_central_nM", "drug_tumor_nM", "pstat5_effector", "nk_ratio", "il6", "leak"]
    ways = {"cpu": 1e-6, "reference": 1e-7}
    runs = {
        backend: simulate(
            model,
            typical,
            fusion,
            days=10,
            visits=[0.25, 1, 5, 10],
            outputs=names,
            backend=backend,
            rtol=rtol,
        )
        for backend, rtol in ways.items()
    }
    for name in names:
        np.testing.assert_allclose(runs["cpu"][name], runs["reference"][name], rtol=1e-4, err_msg=name)
