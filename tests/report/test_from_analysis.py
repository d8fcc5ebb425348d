"""What the analysis and the comparison return goes into the report as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.evidence.compare import compare
from twoarm.evidence.read import read_evidence
from twoarm.report import Findings
from twoarm.report.page import render
from twoarm.report.tables import main_table, misses_first, say_p, subgroup_table, tiles
from twoarm.trial.analyses.competing import CAUSES, compare_causes, cumulative_incidence, treatment_ends
from twoarm.trial.analyze import analyze, kaplan_meier, medians, subgroups

from . import synthetic


@pytest.fixture(scope="module")
def cut() -> pd.DataFrame:
    """A table with the columns of `cut`."""
    table = synthetic.patients(80).rename(columns={"pfs_day": "PFS_day", "pfs_event": "PFS_event"})
    table = table.rename(columns={"os_day": "OS_day", "os_event": "OS_event"})
    table["grade"] = np.where(table["grade3"], 3, 1)
    table["stratum"] = table["resistance"] + " / " + table["region"]
    return table.set_index("patient")


@pytest.fixture(scope="module")
def findings(cut) -> Findings:
    facts = read_evidence("ibi363")
    own = facts[facts["value"].notna() & facts["unit"].isin(["%", "months"])].head(6)
    predicted = pd.DataFrame({"value": own["value"].to_numpy() * 1.4}, index=own["id"])
    predicted["low"], predicted["high"] = predicted["value"] * 0.8, predicted["value"] * 1.2
    comparison = compare(predicted, facts).rename(
        columns={
            "reported": "published",
            "reported_low": "published_low",
            "reported_high": "published_high",
            "source_url": "source",
        }
    )
    comparison["label"] = comparison["drug"] + ", " + comparison["tumor"]
    return Findings(
        title="From the analysis",
        arms={"experimental": "fusion", "control": "cytotoxic"},
        patients=cut.reset_index(),
        measures=analyze(cut),
        survival=kaplan_meier(cut),
        medians=medians(cut),
        subgroups=subgroups(cut, ["resistance", "region"]),
        comparison=comparison,
    )


def test_analysis_fills_the_page(findings):
    text = render(findings)
    for section in ("results", "survival", "response", "published", "strata"):
        assert f'id="{section}"' in text
    assert "hazard ratio of OS" in text
    assert "nan" not in text.split("<main>")[1].replace("finance", "").lower().split("<svg")[0]


def test_p_value_is_said_as_one_and_makes_no_tile(findings):
    rows = {row[0]: row[-1] for row in main_table(findings).rows}
    assert rows["Log-rank p of PFS"] == "< 0.001" or float(rows["Log-rank p of PFS"]) < 1
    named = [name for name, _, _ in tiles(findings)]
    assert named[:3] == ["Hazard ratio of OS", "Hazard ratio of PFS", "ORR, difference"]
    assert not any(" p of " in name for name in named)


def test_verdict_of_the_comparison_is_kept(findings):
    ordered = misses_first(findings.comparison)
    assert ordered["missed"].tolist() == (ordered["verdict"] == "outside").tolist()
    assert ordered["missed"].tolist() == sorted(ordered["missed"], reverse=True)


def test_strata_show_their_interaction_and_all_patients_first(findings):
    table = subgroup_table(findings)
    assert table.rows[0][0] == "All patients"
    place = list(table.head).index("Interaction p of OS")
    by_stratum = {row[0]: row for row in table.rows}
    tests = findings.subgroups.query("quantity == 'Interaction p of OS'").set_index("stratum")["value"]
    assert by_stratum["Resistance"][place] == say_p(tests["resistance"])
    assert by_stratum["Resistance: primary"][place] == ""


def test_why_treatment_ended_is_drawn_with_its_hazard_ratios(findings, cut):
    reasons = ["toxicity", "progression", "death", "", "completed"]
    ends = treatment_ends(cut.assign(off_reason=[reasons[i % 5] for i in range(len(cut))]))
    told = findings._replace(
        ends=cumulative_incidence(ends, causes=CAUSES), ends_compared=compare_causes(ends)
    )
    text = render(told)
    assert 'id="toxicity"' in text
    assert "cause-specific hazard ratio" in text
    assert text.count("HR ") >= 3
    assert "cause-specific" not in render(findings)
