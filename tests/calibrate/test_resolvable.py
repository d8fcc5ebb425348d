"""What readings can tell of EC50 and order, on curves whose truth is known; and the layer beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from twoarm.calibrate import between_days, fit_receptors, leave_one_out, read_measured, resolve, score_order
from twoarm.calibrate.receptors import library_values, ligand_ec50
from twoarm.calibrate.resolvable import _half_ways
from twoarm.cells.respond import half_way

MEASURED = read_measured()
DOSES = np.geomspace(1e-3, 100, 12)


def made(ec50, days=1, scatter=0.0, seed=3):
    """Readings of one ligand with a known EC50 by cell; `ec50` is called with cell and day."""
    draw = np.random.default_rng(seed)
    rows = []
    for cell in MEASURED.ec50:
        for day in range(days):
            curve = 100 * DOSES / (DOSES + ec50(cell, day)) + scatter * draw.normal(size=12)
            rows += [
                ("x", 1, cell, f"day {day}", 1.0, dose, at) for dose, at in zip(DOSES, curve, strict=True)
            ]
    table = pd.DataFrame(rows, columns=["ligand", "moieties", "cell", "date", "hour", "dose", "pstat5"])
    table["plateau"] = 100.0
    return dataclasses.replace(MEASURED, table=table)


APART = {"treg": 0.03, "helper": 0.5, "nk": 1.5, "cd8": 1.6}


def test_what_days_have_in_common_is_told_apart_from_what_a_cell_has_for_itself():
    shifts = np.array([0.0, 0.3, -0.2, 0.5])
    spread = between_days(made(lambda cell, day: APART[cell] * 10 ** shifts[day], days=4))
    assert spread["shared"].iloc[0] == pytest.approx(shifts.std(ddof=1), rel=0.1)
    assert (spread["own"] < 0.02).all()
    alone = between_days(
        made(lambda cell, day: APART[cell] * (10 ** shifts[day] if cell == "treg" else 1), days=4)
    )
    assert alone.loc["treg", "own"] > 2.5 * alone.loc["nk", "own"]


def test_cells_ten_times_apart_are_told_apart_and_near_ones_are_not():
    known, pairs = resolve(made(lambda cell, day: APART[cell] * (1.1 if day else 1), days=2, scatter=8))
    told = {(row.first, row.later) for row in pairs[pairs.resolvable].itertuples()}
    assert {("treg", "helper"), ("treg", "nk"), ("treg", "cd8")} <= told
    assert not {("nk", "cd8"), ("cd8", "nk")} & told
    assert ((known.low < known.ec50) & (known.ec50 < known.high)).all()
    truth = known.cell.map(APART) * np.sqrt(1.1)
    assert ((known.low < truth) & (truth < known.high)).all()


def test_more_scatter_tells_less():
    few, many = (resolve(made(lambda cell, day: APART[cell], days=2, scatter=s))[0] for s in (2, 20))
    assert (np.log(few.high / few.low) < np.log(many.high / many.low)).all()
    assert (few.again >= many.again).all()


def test_draws_depend_on_the_seed_only():
    few = made(lambda cell, day: APART[cell], days=2, scatter=5)
    one, same, other = (resolve(few, seed=seed)[0] for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(one, same)
    assert not one.low.equals(other.low)


def test_many_curves_at_once_are_read_as_one():
    curves = np.random.default_rng(2).normal(DOSES / (DOSES + 1), 0.1, (300, 12))
    one = [np.log10(half_way(np.log(DOSES), curve)) for curve in curves]
    np.testing.assert_allclose(_half_ways(DOSES, curves), one, atol=1e-12)


def test_an_order_is_scored_on_pairs_that_can_be_told():
    cells = list(MEASURED.ec50)
    row = {
        "ligand": "x",
        "moieties": 1,
        "hour": 1.0,
        "measured": [1, 10, 10.1, 10.2],
        "measurable": [True, True, True, False],
    }
    pairs = pd.DataFrame(
        {
            "ligand": "x",
            "moieties": 1,
            "hour": 1.0,
            "first": "treg",
            "later": cells[1:],
            "resolvable": [True, True, False],
        }
    )
    near = score_order(pd.DataFrame({**row, "cell": cells, "predicted": [2, 12, 11, 40]}), pairs).iloc[0]
    assert (near.measurable, near.within, near.resolvable, near.right, near.strict) == (3, 3, 2, 2, False)
    off = score_order(pd.DataFrame({**row, "cell": cells, "predicted": [11, 10, 12, 13]}), pairs).iloc[0]
    assert (off.within, off.right, off.strict) == (2, 1, False)


def test_every_ligand_and_hour_is_scored_by_its_own_pairs():
    known, pairs = resolve(MEASURED)
    alike = known.assign(predicted=known.ec50, measured=known.ec50)
    scored = score_order(alike.sample(frac=1, random_state=1), pairs.sample(frac=1, random_state=2))
    assert len(scored) == len(known[["ligand", "moieties", "hour"]].drop_duplicates())
    assert scored.resolvable.sum() == pairs.resolvable.sum()
    assert scored.within.equals(scored.measurable)
    assert scored.strict.all()
    backward = score_order(alike.assign(predicted=1 / alike.ec50), pairs)
    assert backward.right.sum() < 0.05 * backward.resolvable.sum()


@pytest.fixture(scope="module")
def told():
    """Pairs of cells that the readings tell apart, at all hours."""
    pairs = resolve(MEASURED)[1]
    return pairs[pairs.resolvable]


def test_the_library_has_every_order_that_the_readings_tell(told):
    """Of 66 pairs of cells, 22 can be told apart at 1 h; all come out in their order, at other hours too."""
    values, names = library_values(MEASURED), list(MEASURED.ec50)
    assert 15 < (told.hour == 1).sum() < 30
    for (ligand, moieties, hour), own in told.groupby(["ligand", "moieties", "hour"]):
        found = ligand_ec50(MEASURED, "human", values, (ligand, moieties), hour)
        ec50 = dict(zip(names, found, strict=True))
        for first, later in zip(own["first"], own["later"], strict=True):
            assert ec50[first] < ec50[later], (ligand, moieties, hour, first, later)


@pytest.mark.slow
def test_ligands_left_out_come_in_every_order_that_the_readings_tell():
    fit = fit_receptors(MEASURED, start=library_values(MEASURED))
    scored = score_order(leave_one_out(MEASURED, fit), resolve(MEASURED)[1])
    assert scored.right.sum() == scored.resolvable.sum() > 50
    early = scored[scored.hour < 4]
    assert early.within.sum() >= 0.85 * early.measurable.sum()
