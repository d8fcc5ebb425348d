"""libRoadRunner reads the same SBML: same values and rates, in states it never came from."""

import numpy as np
import pytest

from twoarm.model import Model, evaluate, start
from twoarm.model.sbml import read_model, write_sbml

roadrunner = pytest.importorskip("roadrunner", reason="libRoadRunner is the second reader")

MODELS = {
    "decay": "model m; x = 2; x' = -k*x; k = 3; end",
    "binding": """
        model m; compartment v = 2; species a in v = 3, b in v = 4, ab in v = 0; $pool in v = 5;
        bind: a + b -> ab; v*(kon*a*b - koff*ab); make: $pool -> a; v*0.1*pool; kon = 0.5; koff = 2;
        dimer: 2 a -> b; v*0.3*a^2; total := a + b + 2*ab; end""",
    "amounts": """
        model m; compartment v = 2, w = 3; substanceOnly species a in v = 3; species b in w = 4;
        move: a -> b; k*a;
        back: b -> a; 0.1*w*b/(1 + b); k = 0.5; end""",
    "derived": """
        model m; compartment v = 2; k = 3; twice = 2*k; species s in v = twice; s -> ; v*k*s^h/(1 + s^h);
        h = 1.7; y = 1; y' = piecewise(k*s, s > 1, -y); z := exp(-y) + max(s, 2) + log10(s); end""",
    "growing": """
        model m; compartment v = 2; v' = 0.3*v; species s in v = 5; s -> ; v*0.2*s; end""",
}


def symbol(model: Model, name: str) -> str:
    """RoadRunner's word for what a symbol means; its plain species are amounts."""
    return f"[{name}]" if name in model.amounts and model.amounts[name] != model.outputs[name] else name


@pytest.mark.parametrize("name", MODELS)
def test_values_and_rates_are_those_of_roadrunner(name: str, tmp_path) -> None:
    write_sbml(MODELS[name], tmp_path / "m.xml")
    model, runner = read_model(MODELS[name]), roadrunner.RoadRunner(str(tmp_path / "m.xml"))
    np.testing.assert_allclose(start(model)[1][:, 0], [runner[n] for n in model.states], rtol=1e-14)
    random = np.random.default_rng(7)
    for _ in range(5):
        runner.reset()
        for state in model.states:
            runner[state] = float(runner[state] * np.exp(random.normal()))
        parameters, _ = start(model)
        found = evaluate(model.nodes, [runner[n] for n in model.states], parameters[:, 0], 0.0)
        for output, node in model.outputs.items():
            assert float(found[node]) == pytest.approx(runner[symbol(model, output)], rel=1e-12), output
        for state, node in zip(model.states, model.rates, strict=True):
            assert float(found[node]) == pytest.approx(runner[f"{state}'"], rel=1e-12), state
