"""From words to rows: amounts by size of the patient, parameters only of what an arm is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.molecule import read_molecule
from twoarm.trial.courses import at_decision
from twoarm.trial.prescribe import dose_table, patient_table, prescribe, still_running
from twoarm.trial.protocol import read_protocol

PROTOCOL = read_protocol("marslight_11")
ARMS = np.array(["experimental", "docetaxel", "experimental"])
PATIENTS = pd.DataFrame(
    {"weight": [60.0, 80.0, 80.0], "body_surface": [1.6, 2.0, 2.0], "drug_cl": [np.nan, np.nan, 0.5]},
    index=pd.Index([4, 7, 9], name="patient"),
)


def test_rows_of_one_day() -> None:
    given = at_decision(np.array([[-1], [1], [0]]), np.array([0.0, 21.0, 28.0]))
    rows = dose_table(PATIENTS, ARMS, given, PROTOCOL, prescribe(PROTOCOL)).set_index("id")
    fusion, cytotoxic = (read_molecule(name).nominal()["mass"] for name in ("ibi363", "docetaxel"))
    assert rows.loc[4, "amt"] == pytest.approx(0.1 * 60 / fusion * 1000)
    assert rows.loc[9, "amt"] == pytest.approx(3 * 80 / fusion * 1000)
    assert rows.loc[7, "amt"] == pytest.approx(55 * 2 / cytotoxic * 1000)
    assert rows.loc[[4, 7, 9], "cmt"].tolist() == ["drug_central", "cytotoxic_central", "drug_central"]
    assert rows.loc[[4, 7, 9], "time"].tolist() == [0, 21, 28]


def test_nobody_due_no_table() -> None:
    nothing = at_decision(np.full((3, 1), -9), np.zeros(3))
    assert dose_table(PATIENTS, ARMS, nothing, PROTOCOL, prescribe(PROTOCOL)) is None
    assert still_running(None, pd.Series(7.0, PATIENTS.index)) is None


def test_infusions_that_a_window_cuts_go_on() -> None:
    given = at_decision(np.array([[0], [-9], [0]]), np.zeros(3))
    rows = dose_table(PATIENTS, ARMS, given, PROTOCOL, prescribe(PROTOCOL))
    assert still_running(rows, pd.Series(1.0, PATIENTS.index)) is None
    cut = still_running(rows, pd.Series([1.0, 1.0, 0.01], PATIENTS.index))
    assert cut["id"].tolist() == [9]


def test_other_arms_parameters_are_not_given() -> None:
    table = patient_table(PATIENTS, ARMS, prescribe(PROTOCOL))
    assert table["cytotoxic_cl"].isna().tolist() == [True, False, True]
    assert table["drug_vc"].isna().tolist() == [False, True, False]
    assert table.index.equals(PATIENTS.index)
    assert table.loc[9, "drug_cl"] == 0.5  # the patient's own value
    assert table.loc[4, "drug_cl"] > 0  # what is not given comes from the card


def test_a_draw_replaces_nominal_values() -> None:
    molecule = read_molecule("ibi363")
    draw = {**molecule.nominal(), "disposition.vc": 7.0}
    found = prescribe(PROTOCOL, {"ibi363": draw})["experimental"][0]
    assert found.card["disposition.vc"] == 7.0
    assert (
        prescribe(PROTOCOL)["experimental"][0].card["disposition.vc"] == molecule.nominal()["disposition.vc"]
    )
