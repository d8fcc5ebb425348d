"""What diagnose() says of patients who fail and of those who do not; and the reference comes to an end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.engine.diagnose import diagnose, formula
from twoarm.errors import IntegrationError, NoSuchPatientError
from twoarm.model.sbml import read_model

BOMB = "model bomb; x = 1; x' = k*x^2; k = 0.01; end"
POLE = "model pole; x = 1; x' = -k*x/(a - x); k = 0.01; a = 2; end"
FALL = "model fall; x = 1; x' = -0.1*x; y = 0; y' = -ln(x - 0.5); end"


def test_a_blow_up_is_told_with_day_state_dose_and_odd_values() -> None:
    people = pd.DataFrame({"k": [0.01, 0.5]}, index=["ann", "bob"])
    doses = pd.DataFrame({"id": ["bob"], "time": [0.5], "amt": [1.0], "cmt": ["x"]})
    said = diagnose(read_model(BOMB), people, doses, "bob", days=[10.0, 9.0])
    last = 0.5 + 1 / (0.5 * (1 / 0.75 + 1))  # x is 4/3 at the dose, and 7/3 after it
    assert said.fast.day == pytest.approx(last, rel=1e-3)
    assert said.reference.day == pytest.approx(last, rel=1e-3)
    assert (said.fast.stiffest, said.fast.last_dose) == ("x", 0.5)
    words = str(said)
    for part in (
        "of 9 on",
        "last dose was given on day 0.5",
        "without bound",
        "k is 0.5 (the model's own: 0.01)",
    ):
        assert part in words
    assert words.endswith("not at the solver.")


def test_the_term_that_is_no_number_is_written_out() -> None:
    words = str(diagnose(read_model(POLE), pd.DataFrame({"a": [1.0]}), None, 0, days=1.0))
    assert "(-k*x)/(a - x) is a division by 0" in words
    assert "no dose was given" in words


def test_who_is_well_is_well() -> None:
    words = str(diagnose(read_model(BOMB), None, None, 0, days=10.0))
    assert "The reference reached day 10 too." in words
    assert words.endswith("Nothing is wrong with this patient.")
    with pytest.raises(NoSuchPatientError, match="no patient is labeled 7"):
        diagnose(read_model(BOMB), None, None, 7, days=10.0)


def test_the_error_names_day_state_and_last_dose() -> None:
    doses = pd.DataFrame({"id": [0, 0], "time": [0.5, 60.0], "amt": [1.0, 1.0], "cmt": ["x", "x"]})
    with pytest.raises(IntegrationError, match=r"first at day 50\.\d+, stiffest in x, last dose on day 0\.5"):
        simulate(read_model(BOMB), doses=doses, days=100.0)
    found = simulate(read_model(BOMB), doses=doses, days=100.0, failed="mask")
    assert float(found.last_dose[0]) == 0.5
    assert str(found.state.to_numpy()[int(found.stiffest[0])]) == "x"
    fine = simulate(read_model(BOMB), doses=doses.assign(amt=1e-9), days=70.0)
    assert (float(fine.last_dose[0]), int(fine.stiffest[0])) == (60.0, -1)
    assert np.isnan(simulate(read_model(BOMB), days=1.0).last_dose[0])


@pytest.mark.parametrize(("text", "day"), [(BOMB, 100.0), (FALL, 10 * np.log(2))])
def test_the_reference_comes_to_an_end_where_time_stands_still(text: str, day: float) -> None:
    found = simulate(read_model(text), days=200.0, backend="reference", failed="mask")
    assert int(found.status[0]) != 0
    assert float(found.final_day[0]) == pytest.approx(day, rel=1e-3)


def test_formulas_for_people() -> None:
    model = read_model("model m; x = 2; x' = -(a - (b - x))^2*exp(-a/(b*x)) + max(a, 3); a = 1; b = 1; end")
    said = "max(a, 3) - (a - (b - x))*(a - (b - x))*exp((-a)/(b*x))"
    assert formula(model, model.rates[0], depth=9) == said
    assert "..." in formula(model, model.rates[0], depth=1)
