"""Quantities in words: read, converted, written back; what is no quantity is refused in the user's words."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoarm.errors import QuantityRangeError, TwoarmError, UnitError
from twoarm.units import factor, format_quantity, quantity, unit_of

PAIRS = [
    ("min", "day"),
    ("week", "day"),
    ("month", "day"),
    ("year", "day"),
    ("mL/min", "L/day"),
    ("uM", "nM"),
    ("1/M/s", "1/(nM*day)"),
    ("L/umol", "1/nM"),
    ("g/L", "mg/L"),
    ("cm", "mm"),
    ("cell/uL", "1e9 cell/L"),
    ("ug/kg", "mg/kg"),
    ("kDa", "Da"),
    ("%", ""),
]


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("3 weeks", "day", 21.0),
        ("1 h", "day", 1 / 24),
        ("24 months", "day", 730.5),
        ("1 year", "day", 365.25),
        ("5e-4 1/s", "1/day", 43.2),
        ("1e7 1/M/s", "1/(nM*day)", 864.0),
        ("1e7 1/(M·s)", "1/(nM*day)", 864.0),
        ("120 mL/min", "L/day", 172.8),
        ("15.57 L/umol", "1/nM", 0.01557),
        ("75 mg/m2", "mg/m^2", 75.0),
        ("75 mg/m²", "mg/m2", 75.0),
        ("60 %", "", 0.6),
        ("0.0575 nM/receptor", "nM/copy", 0.0575),
        ("300 cells/µL", "cell/uL", 300.0),
        ("5.22 1e9/L", "1e9/L", 5.22),
        ("25 per month", "1/day", 25 * 12 / 365.25),
        ("2 fold", "", 2.0),
        (0.25, "", 0.25),
    ],
)
def test_reads_what_people_write(text, unit, expected):
    assert quantity(text, unit) == pytest.approx(expected, rel=1e-12)


def test_mass_becomes_amount_by_the_molar_mass():
    assert quantity("170 mg", "nmol", mass=170.0) == pytest.approx(1000.0)
    assert quantity("1000 nmol", "mg", mass=170.0) == pytest.approx(170.0)
    assert quantity("1 mg/L", "nM", mass=149.0) == pytest.approx(1e3 / 149.0)
    assert quantity("3 mg/kg", "nmol/kg", mass=170.0) == pytest.approx(3e3 / 170.0)


def test_per_kg_is_body_weight_and_no_ratio():
    with pytest.raises(UnitError, match="measures something else"):
        quantity("3 %", "mg/kg")
    assert quantity("70 kg", "g") == pytest.approx(70_000)


@given(
    st.floats(1e-9, 1e9).map(lambda x: float(f"{x:.12g}")),
    st.sampled_from(PAIRS),
)
def test_there_and_back(value, pair):
    unit, into = pair
    there = quantity(f"{value!r} {unit}", into)
    assert there == pytest.approx(value * factor(unit, into), rel=1e-12)
    assert quantity(f"{there!r} {into}".strip(), unit) == pytest.approx(value, rel=1e-12)


@given(
    st.floats(-1e12, 1e12, allow_nan=False), st.sampled_from(["nM", "1/day", "mg/m2", "L/day", "nM/copy", ""])
)
def test_what_is_written_is_read_back(value, unit):
    text = format_quantity(value, unit, digits=17)
    assert quantity(text, unit) == pytest.approx(value, rel=1e-14, abs=1e-300)


NO_QUANTITIES = [
    *(
        "20 mgs",
        "mg",
        "20",
        20,
        "",
        "20 mg/",
        "1 mg//kg",
        "1 (mg",
        "1 mg)(",
        "1 mg 2",
        "nan mg",
        "1,5 mg",
        True,
        None,
    ),
    *("9**9**9 mg", "1 __import__('os')", "1 mg" + "*mg" * 500, "1 ()", "1e9999999999 mg"),
]


@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(UnitError):
        quantity(text, "mg")


def test_the_refusal_says_whose_it_is_and_what_to_do():
    with pytest.raises(UnitError) as refused:
        quantity("20 mgs", "mg", what="dose", whose='arm "experimental"')
    assert (
        str(refused.value)
        == 'dose "20 mgs" of arm "experimental" is not a quantity. Write a number and a unit, as "20 mg".'
    )
    assert isinstance(refused.value, TwoarmError)
    assert isinstance(refused.value, ValueError)


def test_another_measure_is_refused_with_the_unit_that_is_wanted():
    with pytest.raises(UnitError, match=r"measures something else\. It is wanted in nM"):
        quantity("3 day", "nM")


@pytest.mark.parametrize(
    ("text", "bounds", "rule"),
    [
        ("-3 mg", {"at_least": 0}, "at least 0 mg"),
        ("0 mg", {"above": 0}, "above 0 mg"),
        ("3 g", {"at_most": 1000}, "at most 1000 mg"),
        ("1e999 mg", {}, "a finite number"),
    ],
)
def test_bounds_are_kept(text, bounds, rule):
    with pytest.raises(QuantityRangeError, match=rule):
        quantity(text, "mg", **bounds)


def test_bounds_are_in_the_wanted_unit():
    assert quantity("1 h", "day", at_most=1) == pytest.approx(1 / 24)


def test_factor_refuses_what_does_not_convert():
    with pytest.raises(UnitError):
        factor("L/day", "nM")
    with pytest.raises(UnitError):
        factor("litres", "L")


def test_the_unit_is_taken_as_written():
    assert unit_of("0.1 mg/kg") == "mg/kg"
    with pytest.raises(UnitError):
        unit_of("three weeks")


def test_months_are_a_twelfth_of_a_year():
    assert math.isclose(12 * quantity("1 month", "day"), quantity("1 year", "day"))


def test_importing_units_does_not_load_pint():
    code = "import sys, twoarm.units; assert 'pint' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
