"""Each figure shows the data and names it was given, and survives what strangers write."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm import figures
from twoarm.figures.style import DAYS_PER_MONTH, STYLE, VARIABLES, spread

NAMES = {"experimental": "Fusion", "control": "Cytotoxic"}
HOSTILE = '<script>alert("$x^$ & \x07")</script> 数 $\\frac{1}{$'


def texts(figure) -> list[str]:
    """Everything a reader reads."""
    import matplotlib.text

    found = [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_visible()]
    return [t for t in found if t]


@pytest.fixture
def curves() -> pd.DataFrame:
    """Five patients an arm; the control arm loses one to follow-up."""
    rows = [
        ("experimental", 0.0, 1.0, 1.0, 1.0, 5, 0),
        ("experimental", 100.0, 0.8, 0.2, 0.97, 5, 0),
        ("experimental", 300.0, 0.8, 0.2, 0.97, 4, 1),
        ("experimental", 400.0, 0.53, 0.1, 0.9, 3, 0),
        ("control", 0.0, 1.0, 1.0, 1.0, 5, 0),
        ("control", 60.0, 0.6, 0.1, 0.9, 5, 0),
        ("control", 90.0, 0.4, 0.05, 0.8, 3, 0),
    ]
    return pd.DataFrame(rows, columns=["arm", "day", "survival", "low", "high", "at_risk", "censored"])


@pytest.fixture
def patients() -> pd.DataFrame:
    n = 40
    change = np.linspace(150, -100, n)
    return pd.DataFrame(
        {
            "patient": range(n),
            "arm": np.where(np.arange(n) % 2, "control", "experimental"),
            "best_change": np.where(np.arange(n) == 7, np.nan, change),
            "bor": np.select([change <= -99, change <= -30, change < 20], ["CR", "PR", "SD"], "PD"),
            "treatment_end": np.linspace(20, 300, n),
            "last_day": np.linspace(30, 500, n),
            "response_day": np.where(change <= -30, 42.0, np.nan),
            "progression_day": np.where(change > 20, 42.0, np.nan),
            "death_day": np.where(np.arange(n) < 20, np.linspace(30, 500, n), np.nan),
        }
    )


@pytest.fixture
def courses() -> xr.Dataset:
    """Patients 0 and 1 on the fusion, 2 and 3 not; patient 1 leaves after week 10."""
    day = np.arange(0.0, 141.0, 7.0)
    level = np.array([100.0, 300.0, 0.0, 0.0])[:, None] * np.exp(-(day % 21) / 10)
    level[1, day > 70] = np.nan
    share = np.array([0.9, 0.7, 0.0, 0.0])[:, None] * np.ones_like(day)
    data = {
        "drug_central_nM": (("patient", "day"), level, {"label": "drug in blood", "units": "nM"}),
        "nk_blood": (("patient", "day"), 200 + level, {"label": "NK cells", "units": "cell/uL"}),
        "pstat5_nk": (("patient", "day"), share / 10, {}),
        "pstat5_effector": (("patient", "day"), share, {}),
    }
    return xr.Dataset(data, coords={"patient": [0, 1, 2, 3], "day": day})


@pytest.fixture
def arms() -> pd.Series:
    return pd.Series(["experimental", "experimental", "control", "control"], name="arm")


def test_importing_does_not_load_matplotlib():
    code = "import sys, twoarm.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kaplan_meier_draws_the_table(curves):
    medians = pd.DataFrame(
        {
            "arm": ["experimental", "control"],
            "median": [np.inf, 90.0],
            "low": [400.0, 60.0],
            "high": [np.inf] * 2,
        }
    )
    published = pd.DataFrame(
        {"arm": "control", "label": "Published", "day": [0.0, 90.0], "survival": [1.0, 0.5]}
    )
    figure = figures.kaplan_meier(
        curves, endpoint="OS", medians=medians, published=published, note="HR 0.5", months=15, names=NAMES
    )
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    own = curves[curves["arm"] == "experimental"]
    np.testing.assert_allclose(lines["experimental"].get_xdata() * DAYS_PER_MONTH, own["day"])
    np.testing.assert_allclose(lines["experimental"].get_ydata(), own["survival"])
    np.testing.assert_allclose(lines["experimental: censored"].get_ydata(), [0.8])
    assert lines["Published"].get_linestyle() == "--"
    said = texts(figure)
    assert "Fusion, n = 5: median not reached" in said
    assert "Cytotoxic, n = 5: median 3.0 months (95 % CI 2.0 to not reached)" in said
    assert {"HR 0.5", "Alive, %", "Number at risk", "Published"} <= set(said)


def test_number_at_risk_counts_those_still_there(curves):
    figure = figures.kaplan_meier(curves, endpoint="PFS", months=12)
    risk = figure.axes[2]
    rows = {row: [int(t.get_text()) for t in risk.texts if t.get_position()[1] == row] for row in (1, 2)}
    assert rows[1] == [5, 5, 4, 4, 3]  # months 0, 3, 6, 9, 12 = days 0, 91, 183, 274, 365
    assert rows[2] == [5, 0, 0, 0, 0]


def test_axis_of_survival_ends_where_few_are_left(curves):
    figure = figures.kaplan_meier(curves, endpoint="PFS")
    assert figure.axes[1].get_xlim()[1] == np.ceil(400 / DAYS_PER_MONTH)


def test_waterfall_is_sorted_and_says_who_is_missing(patients):
    figure = figures.waterfall(patients, names=NAMES)
    control = figure.axes[1]
    steps = np.concatenate([p.get_data().values for p in control.patches])
    bars = steps[np.isfinite(steps)]
    own = patients[(patients["arm"] == "control") & patients["best_change"].notna()]["best_change"]
    np.testing.assert_allclose(np.sort(bars), np.sort(own.clip(upper=100)))
    assert f"19 patients measured, 1 not; {(own > 100).sum()} above +100 %" in texts(figure)
    assert control.get_title(loc="left") == "Cytotoxic"
    counts = patients[patients["arm"] == "control"]["bor"].value_counts()
    assert f"PR {counts['PR']}" in " ".join(texts(figure))


def test_spider_starts_at_nothing_and_samples_fairly():
    rows = [(p, "control", d, -float(p) * d / 100, "SD") for p in range(90) for d in (42.0, 84.0)]
    changes = pd.DataFrame(rows, columns=["patient", "arm", "day", "change", "bor"])
    figure = figures.spider(changes, limit=30)
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 3]
    assert len(lines) == 30
    assert all(line.get_xdata()[0] == line.get_ydata()[0] == 0 for line in lines)
    ends = sorted(line.get_ydata()[-1] for line in lines)
    assert ends[-1] == 0
    assert ends[0] == pytest.approx(-89 * 0.84)
    assert any("30 of 90 patients" in t for t in texts(figure))


def test_swimmer_marks_what_happened(patients):
    figure = figures.swimmer(patients, limit=50, names=NAMES)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    own = patients[patients["arm"] == "experimental"]
    assert len(lines["Death"].get_xdata()) == own["death_day"].notna().sum()
    assert len(lines["Progression"].get_xdata()) == own["progression_day"].notna().sum()
    assert len(figure.axes[0].patches) == 2 * len(own)
    assert {"On treatment", "Followed", "First response", "Stopped for toxicity"} <= set(texts(figure))
    assert {"Still treated", "Alive, off treatment"} <= set(texts(figure))


def test_bands_are_quantiles_over_the_arm(courses, arms):
    figure = figures.bands(courses, arms, ["nk_blood", "not_there"])
    axes = figure.axes[0]
    line = next(line for line in axes.get_lines() if line.get_label() == "experimental")
    both = courses["nk_blood"].sel(patient=[0, 1]).values
    np.testing.assert_allclose(line.get_ydata(), np.nanmedian(both, axis=0))
    assert axes.get_title(loc="left") == "NK cells"
    assert "cells/µL" in texts(figure)


def test_exposure_is_logarithmic_and_leaves_out_who_got_none(courses, arms):
    figure = figures.exposure(courses, arms)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert [line.get_label() for line in axes.get_lines()] == ["experimental"]
    assert not any("mathdefault" in t for t in texts(figure))


def test_selectivity_orders_classes_and_takes_peaks(courses, arms):
    figure = figures.selectivity(courses, arms, names=NAMES)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "Tumor-specific CD8, effector",
        "Natural killer cell",
    ]
    first = next(line for line in axes.get_lines() if line.get_label() == "Fusion")
    assert first.get_xdata()[0] == pytest.approx(0.8)


def comparison() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["a", "b"],
            "endpoint": ["ORR", "hazard ratio of OS"],
            "unit": ["%", ""],
            "published": [36.7, 0.7],
            "published_low": [19.9, np.nan],
            "published_high": [56.1, np.nan],
            "predicted": [31.0, 0.8],
            "predicted_low": [22.0, 0.6],
            "predicted_high": [41.0, 1.1],
        }
    )


def test_forest_has_a_panel_for_each_endpoint():
    figure = figures.predicted_published(comparison())
    first, second = figure.axes
    assert first.get_title(loc="left") == "ORR, %"
    assert second.get_xscale() == "log"
    middles = {
        line.get_label(): line.get_xdata()[0] for line in first.get_lines() if len(line.get_xdata()) == 1
    }
    assert middles == {"Published": 36.7, "Predicted": 31.0}


def test_hazard_ratios_shows_every_draw_or_quantiles():
    few = pd.DataFrame({"hazard_ratio_os": [0.5, 0.7, 1.2, np.nan]})
    figure = figures.hazard_ratios(few)
    assert len(figure.axes[0].collections[0].get_offsets()) == 3
    assert any("better in 2 of 3 draws" in t for t in texts(figure))
    many = pd.DataFrame({"hazard_ratio_os": np.linspace(0.5, 0.9, 1000)})
    assert len(figures.hazard_ratios(many, dots=40).axes[0].collections[0].get_offsets()) == 40


def test_uncertainty_bars_add_up():
    shares = pd.DataFrame({"quantity": "HR", "part": ["chance", "card"], "share": [0.4, 0.6]})
    bars = figures.uncertainty(shares).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.6, 0.4]
    assert [bar.get_x() for bar in bars] == [0.0, 0.6]


def test_consort_names_every_box():
    counts = pd.DataFrame(
        [
            ("drawn", "", 110, ""),
            ("excluded", "", 10, "implausible 10"),
            ("randomized", "", 100, ""),
            ("allocated", "experimental", 50, ""),
            ("allocated", "control", 50, ""),
            ("analyzed", "experimental", 49, "lost 1; alive 20"),
            ("analyzed", "control", 50, None),
        ],
        columns=["step", "arm", "count", "detail"],
    )
    figure = figures.consort(counts, names=NAMES)
    said = texts(figure)
    assert {"Drawn (n = 110)", "Excluded (n = 10)", "implausible 10", "Allocated to Fusion (n = 50)"} <= set(
        said
    )
    assert {"Analyzed (n = 49)", "lost 1", "alive 20"} <= set(said)
    width, height = figure.get_size_inches()
    for box in figure.axes[0].patches:
        corner = box.get_bbox()
        assert corner.x0 >= 0
        assert corner.x1 <= width
        assert corner.y1 <= height


def test_svg_stands_in_a_page_beside_others(curves):
    one = figures.svg(figures.kaplan_meier(curves, endpoint="OS"), name="one", alt="first")
    two = figures.svg(figures.kaplan_meier(curves, endpoint="OS"), name="two", alt="second")
    for text in (one, two):
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        assert root.get("width") is None
        assert root.get("viewBox")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, two)]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'href="#([^"]+)"', one)) | set(re.findall(r"url\(#([^)]+)\)", one))
    assert used <= ids[0]
    assert "<script" not in one
    assert "<metadata" not in one
    assert "var(--experimental" in one


def test_svg_is_the_same_each_time(curves):
    drawn = [figures.svg(figures.kaplan_meier(curves, endpoint="OS"), name="km", alt="a") for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_hostile_names_are_only_text(curves, patients):
    curves = curves.replace({"arm": {"control": HOSTILE}})
    names = {HOSTILE: HOSTILE, "experimental": HOSTILE}
    figure = figures.kaplan_meier(curves, endpoint=HOSTILE, note=HOSTILE, names=names)
    text = figures.svg(figure, name=HOSTILE, alt=HOSTILE)
    ElementTree.fromstring(text)  # well formed: every angle was escaped
    assert "<script" not in text
    wild = patients.replace({"arm": {"control": HOSTILE}})
    for drawn in (figures.waterfall(wild, names=names), figures.swimmer(wild)):
        assert "<script" not in figures.svg(drawn, name="x", alt="x")


def test_every_color_of_the_style_can_change_with_the_page():
    colors = [v for v in STYLE.values() if isinstance(v, str) and v.startswith("#")]
    assert set(colors) <= set(VARIABLES)


def test_arms_keep_their_colors_and_strangers_get_others():
    colors = figures.arm_colors(["control", "x", "experimental", "y"])
    assert len(set(colors.values())) == 4
    assert colors["experimental"] == figures.arm_colors(["experimental"])["experimental"]


def test_labels_are_pushed_apart_in_order():
    places = spread([1.0, 1.1, 1.2, 9.0], gap=0.5)
    assert np.all(np.diff(places) >= 0.5 - 1e-9)
    assert np.mean(places[:3]) == pytest.approx(1.1)
    assert places[3] == 9.0


def test_swimmer_shows_who_stopped_for_toxicity_and_how_long_responses_last(patients):
    told = patients.assign(
        off_reason=["toxicity", "delay", "progression", ""] * (len(patients) // 4),
        response_day=np.arange(len(patients)) + 1.0,
        DOR_day=np.where(np.arange(len(patients)) % 5 == 0, 60.0, np.nan),
    )
    axes = figures.swimmer(told, limit=50).axes[0]
    own = told[told["arm"] == "experimental"]
    stopped = next(line for line in axes.get_lines() if line.get_label() == "Stopped for toxicity")
    assert len(stopped.get_xdata()) == own["off_reason"].isin(["toxicity", "delay"]).sum()
    lasting = axes.collections[0].get_segments()
    assert len(lasting) == own["DOR_day"].notna().sum() > 0


def test_incidence_has_a_panel_a_cause_and_steps_that_hold_their_last_share():
    row = {"low": 0.0, "high": 0.4, "at_risk": 10}
    steps = [("toxicity", "new", 0.0, 0.0), ("toxicity", "new", 61.0, 0.2), ("death", "new", 0.0, 0.0)]
    curves = pd.DataFrame([dict(zip(["cause", "arm", "day", "share"], s, strict=True)) | row for s in steps])
    figure = figures.cumulative_incidence(curves, months=12, notes={"toxicity": "HR 0.50"})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Toxicity", "Death"]
    line = figure.axes[0].get_lines()[0]
    assert line.get_ydata().tolist() == [0.0, 0.2, 0.2]
    assert line.get_xdata()[-1] == 12
    assert "HR 0.50" in texts(figure)


def test_forest_of_subgroups_says_numbers_and_interaction():
    level = {"stratum": "region", "n": 90, "value": 0.8, "low": 0.5, "high": 1.25, "events": 40, "p": 0.034}
    table = pd.DataFrame([level | {"level": "asia"}, level | {"level": "non_asia", "value": np.nan}])
    said = texts(figures.subgroups(table))
    assert {"interaction p 0.03", "40 / 90", "0.80 (0.50 to 1.25)", "no estimate"} <= set(said)
