"""The same SBML through libRoadRunner, which reads, compiles and integrates by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twoarm.engine import simulate
from twoarm.model.sbml import read_model, write_sbml

roadrunner = pytest.importorskip("roadrunner", reason="libRoadRunner is not installed")

ANTIMONY = """
model binding_and_growth()
  compartment blood = 3;
  species drug in blood = 10, target in blood = 2, both in blood = 0;
  bind: drug + target -> both; blood*(kon*drug*target - koff*both);
  make: -> target; blood*ksyn;
  lose: both -> ; blood*kint*both;
  clear: drug -> ; blood*kel*drug;
  occupancy := both/(both + target);
  cells = 1e6;
  cells' = r*cells*(1 - cells/1e9) - kill*occupancy^hill/(0.5^hill + occupancy^hill)*cells;
  kon = 20; koff = 3; ksyn = 1; kint = 0.7; kel = 0.2; r = 0.4; kill = 0.6; hill = 1.7;
end
"""


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_agrees_with_libroadrunner(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    write_sbml(ANTIMONY, path)
    runner = roadrunner.RoadRunner(str(path))
    names = ["drug", "target", "both", "occupancy", "cells"]
    runner.timeCourseSelections = [
        "time",
        *(f"[{n}]" if n in ("drug", "target", "both") else n for n in names),
    ]
    integrator = runner.getIntegrator()
    integrator.setValue("relative_tolerance", 1e-10)
    integrator.setValue("absolute_tolerance", 1e-14)
    wanted = np.asarray(runner.simulate(0, 30, 31))
    model = read_model(ANTIMONY)
    found = simulate(model, days=30.0, visits=wanted[:, 0], outputs=names, backend=backend, rtol=1e-8)  # type: ignore[arg-type]
    for column, name in enumerate(names, start=1):
        np.testing.assert_allclose(found[name][0], wanted[:, column], rtol=2e-6, atol=1e-9, err_msg=name)
