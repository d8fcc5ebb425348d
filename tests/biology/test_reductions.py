"""What the biology leaves out of the kinetics, and what that costs: the reduced cell beside the whole one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.model.sbml import read_model

from .one_cell import MODEL, one_cell

PART = Path(__file__).parents[2] / "src" / "twoarm" / "library" / "biology" / "receptors.ant"
LEVELS = [0.01, 0.1, 1.0, 10.0, 100.0, 300.0]
VISITS = [1 / 24, 0.25, 1, 3, 7]


def put(text: str, old: str, new: str) -> str:
    """Replace what must be there."""
    assert old in text, old
    return text.replace(old, new)


def kinetic() -> str:
    """Text of the one-cell model with nothing at equilibrium: gamma joins IL-2 in time, pSTAT5 has a rate."""
    text = PART.read_text(encoding="utf-8")
    text = put(
        text,
        "substanceOnly species mp in cell,",
        "substanceOnly species lbg in cell, labg in cell, mp in cell,",
    )
    text = put(text, "var feedback_level;", "var feedback_level, pstat5_now;")
    text = put(text, "on_il2*kd_il2_b/(1 + share_g)*lb;", "on_il2*kd_il2_b*lb;")
    text = put(
        text, "join*la*il2rb - leave_b*lab;", "join*la*il2rb - on_il2*kd_il2_b/sqrt(cooperativity)*lab;"
    )
    text = put(
        text,
        "  la_in:  la -> ;              turnover_a*la;\n  lb_in:  lb -> ;              lose*lb;\n"
        "  lab_in: lab -> ;             lose*lab;\n",
        "  il2_bg: lb -> lbg; gain_il2r*on_g*copies_il2rg*lb - off_g*lbg;\n"
        "  il2_abg: lab -> labg; gain_il2r*on_g*copies_il2rg*lab - off_g*labg;\n"
        "  il2_bga: lbg + il2ra -> labg; join*lbg*il2ra - leave_a*labg;\n"
        "  la_in: la -> ; turnover_a*la; lb_in: lb -> ; turnover_b*lb; lab_in: lab -> ; turnover_b*lab;\n"
        "  lbg_in: lbg -> ; internalize_active*lbg; labg_in: labg -> ; internalize_active*labg;\n",
    )
    text = put(text, "recycled_a*(lose*lab +", "recycled_a*(turnover_b*lab + internalize_active*labg +")
    text = put(text, "(lb + lab)*share_g/(1 + share_g);\n  pstat5 := ", "lbg + labg;\n  pstat5_rule := ")
    text = re.sub(
        r"pstat5_rule := (.+);",
        r"pstat5_rule := \1;\n  pstat5_now' = stat_rate*(pstat5_rule - pstat5_now); pstat5_now = pstat5_0;"
        r" pstat5 := pstat5_now; stat_rate = 144 per_day; pstat5_rule has dimensionless;"
        r" pstat5_now has dimensionless;",
        text,
    )
    text = put(
        text,
        "la = la_0; lb = lb_0; lab = lab_0;",
        "la = la_0; lb = lb_0/(1 + share_g); lab = lab_0/(1 + share_g); lbg = lb_0*share_g/(1 + share_g);"
        " labg = lab_0*share_g/(1 + share_g); lbg has molecule; labg has molecule;",
    )
    text = put(text, "surface_il2ra := il2ra + la + lab +", "surface_il2ra := il2ra + la + lab + labg +")
    whole = MODEL.read_text(encoding="utf-8").replace('import "receptors.ant"\n', "")
    return text + whole


@pytest.fixture(scope="module")
def both() -> tuple[np.ndarray, ...]:
    reduced, whole = read_model(MODEL), read_model(kinetic())
    cells = pd.concat(
        [one_cell(drug=c, il2=il2) for c in [0.0, *LEVELS] for il2 in (0.0001, 0.002, 0.05)],
        ignore_index=True,
    )
    names = ["signal", "pstat5", "surface_il2ra", "open_pd1"]
    runs = [simulate(m, cells, days=7, visits=VISITS, outputs=names, rtol=1e-6) for m in (reduced, whole)]
    assert len(whole.states) == len(reduced.states) + 3
    return tuple(np.stack([run[name].values for name in names]) for run in runs)


def worst(pair: tuple[np.ndarray, ...], row: int, cells: slice, days: slice) -> float:
    """Largest relative distance of one output (0 signal, 1 pSTAT5, 2 CD25, 3 open PD-1)."""
    reduced, whole = pair
    return float(np.abs(reduced[row, cells, days] / whole[row, cells, days] - 1).max())


UNTREATED, TREATED = slice(0, 3), slice(3, None)  # three levels of endogenous IL-2 each
LATER, ALWAYS = slice(1, None), slice(None)


def test_with_drug_signaling_is_within_one_percent_of_the_kinetic_cell(both):
    """0.01 to 300 nM of drug at low to high endogenous IL-2, from 1 h to 7 days."""
    assert worst(both, 0, TREATED, ALWAYS) < 0.01


def test_without_drug_signaling_is_within_three_percent(both):
    """What gamma costs: endogenous IL-2 alone, where it is the whole signal."""
    assert worst(both, 0, UNTREATED, ALWAYS) < 0.03


def test_pstat5_at_once_costs_three_percent_in_the_first_hour_and_one_later(both):
    """The kinetic pSTAT5 follows with 0.1 a minute; at 0.01 nM complexes still rise then: 9 percent."""
    lowest, above = slice(3, 6), slice(6, None)
    assert worst(both, 1, above, ALWAYS) < 0.03
    assert worst(both, 1, lowest, ALWAYS) < 0.09
    assert worst(both, 1, TREATED, LATER) < 0.01


def test_receptors_on_the_surface_are_within_two_percent_after_an_hour(both):
    assert worst(both, 2, slice(None), LATER) < 0.02
    assert worst(both, 3, slice(None), LATER) < 0.02


@pytest.mark.parametrize("gain", [0.08, 1.08])
def test_a_second_il2_counts_alpha_once_and_drug_up_to_twice(gain):
    """Alpha that a molecule holds twice is counted once: what is held on alpha is at most twice too much."""
    kd, copies, doses = 10.0, 2000.0, np.geomspace(1e-4, 1e4, 33)
    still = dict.fromkeys(
        ("turnover_a", "turnover_b", "internalize_active", "turnover_p", "recycle_a", "shed_a"), 1e-30
    )
    cell = {
        "moieties": 2.0,
        "gain_moieties": gain,
        "on_b": 0.0,
        "il2": 0.0,
        "gain_cis": 0.0,
        "copies_pd1": 1e-3,
    }
    bath = pd.concat(
        [one_cell(drug=c, on_a=864.0, off_a=864.0 * kd, copies_il2ra=copies, **cell, **still) for c in doses]
    )
    reduced = simulate(read_model(MODEL), bath.reset_index(drop=True), days=3000, visits=[3000], rtol=1e-6)
    once, twice = 2 * doses / kd, doses / kd * gain / kd  # molecules on one alpha and on two, over free alpha
    free = (-(1 + once) + np.sqrt((1 + once) ** 2 + 8 * twice * copies)) / (4 * twice)
    whole = once * free + twice * free**2
    ratio = reduced["cell_da"].values[:, 0] / whole
    assert ratio.min() > 0.99
    assert ratio.max() < 2.0
