"""The page: everything in one file, everything escaped, every section there when its data is."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from twoarm.errors import MissingColumnError, UnnamedArmError
from twoarm.report import Findings, pictures, write_report
from twoarm.report.page import render
from twoarm.report.tables import failures, headline, main_table, misses, misses_first, tiles

from . import synthetic

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }} ${7*7} 数"
VOID = {"meta", "br", "img", "link", "input", "hr", "path", "use"}


class Page(HTMLParser):
    """Tags, attributes and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def findings() -> Findings:
    return synthetic.findings()


@pytest.fixture(scope="module")
def html(findings) -> str:
    return render(findings)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def least() -> Findings:
    """The smallest thing that may be reported."""
    patients = pd.DataFrame({"patient": [0, 1], "arm": ["experimental", "control"]})
    measures = pd.DataFrame({"quantity": "ORR", "arm": patients["arm"], "value": [36.0, 10.0]})
    return Findings("T", {"experimental": "fusion", "control": "cytotoxic"}, patients, measures)


def test_says_what_it_is_not_for_first_and_last(page):
    warning = "Not for clinical decisions."
    text = page.text()
    assert text.count(warning) >= 2
    assert text.index(warning) < text.index("Main results")


def test_answer_stands_before_the_sections(page):
    text = page.text()
    assert (
        "Fusion 3 mg/kg against Cytotoxic 75 mg/m²: predicted hazard ratio of OS 0.68, 95 % interval 0.56 to "
        "0.82, in favor of Fusion 3 mg/kg. The model misses 1 of 1 published results of Experimental" in text
    )
    assert "The interval covers chance in one trial of 600 patients" in text


def test_every_section_is_there(page):
    ids = {attributes.get("id") for tag, attributes in page.tags if tag == "section"}
    assert ids == {
        "results", "survival", "response", "published", "uncertainty", "mechanism", "strata", "patients",
        "simulated", "tuned", "limits", "sources", "provenance",
    }  # fmt: skip
    links = {a["href"][1:] for tag, a in page.tags if tag == "a" and (a.get("href") or "").startswith("#")}
    everything = {a.get("id") for _, a in page.tags}
    assert links <= everything


def test_every_figure_is_there_and_described(page):
    pictures = [a for tag, a in page.tags if tag == "svg"]
    assert len(pictures) == 14
    assert all(len(a["aria-label"] or "") > 20 for a in pictures)
    assert sum(tag == "figcaption" for tag, _ in page.tags) == len(pictures)


def test_tables_have_headers_that_say_their_direction(page):
    scopes = [a.get("scope") for tag, a in page.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}
    assert sum(tag == "caption" for tag, _ in page.tags) == sum(tag == "table" for tag, _ in page.tags)


def test_page_needs_no_other_file(html, page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img"}
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag == "use":
            assert (attributes.get("xlink:href") or "").startswith("#")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_ids_are_unique(page):
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))


def test_fitted_and_predicted_stand_in_two_tables(page):
    text = page.text()
    predicted, fitted = (
        text.index("Predicted: these rows tuned nothing"),
        text.index("Fitted: rows of cohorts"),
    )
    assert predicted < fitted
    assert "os_intercept" in text[fitted - 600 : fitted]
    assert text.count("OAK took no squamous after PD-1") == 1


def test_misses_come_first():
    ordered = misses_first(synthetic.comparison())
    assert ordered["missed"].tolist() == sorted(ordered["missed"], reverse=True)
    assert ordered["label"].iloc[0] == "Experimental 3 mg/kg, phase 1"  # 5.6 outside 6.1 to 11.7
    assert (
        ordered["label"].iloc[1] == "Control, squamous, second line, another trial"
    )  # 2.8 outside 3.0 to 3.9
    assert ordered["missed"].sum() == 2


def test_sources_open_where_they_lead(page):
    links = {a["href"] for tag, a in page.tags if tag == "a"}
    assert "https://doi.org/10.1016/j.ejca.2008.10.026" in links
    assert "#source-eisenhauer2009" in links


def test_source_with_a_place_leads_to_its_line():
    card = pd.DataFrame({"entry": ["kd"], "value": ["3 nM"], "source": ["eisenhauer2009 (Table 1); assumed"]})
    card.loc[1] = ["koff", "1 1/day", "eisenhauer2009 (Table 2)"]
    page = Page(render(least()._replace(molecules={"m": card})))
    links = [a["href"] for tag, a in page.tags if tag == "a" and "source-" in (a.get("href") or "")]
    assert links == ["#source-eisenhauer2009"]
    assert "eisenhauer2009 (Table 2)" in page.text()


def test_main_table_puts_arms_in_columns(findings):
    table = main_table(findings)
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(table.head) == ["", "Fusion 3 mg/kg", "Cytotoxic 75 mg/m²", "comparison"]
    assert rows["Median OS, months"] == ["11.8 (10.3 to 13.7)", "7.4 (6.4 to 8.6)", ""]
    assert rows["Hazard ratio of OS"] == ["", "", "0.68 (0.56 to 0.82)"]


def test_difference_of_a_rate_is_called_so(findings):
    assert tiles(findings)[2] == ("ORR, difference", "25 %", "17 to 32")


def test_least_report_has_no_empty_section():
    page = Page(render(least()))
    assert [a["id"] for tag, a in page.tags if tag == "section"] == ["results"]
    assert headline(least()) == ("", "")


def test_no_estimate_is_said_in_words(findings):
    measures = findings.measures.assign(value=np.nan, low=np.nan, high=np.nan)
    answer, covers = headline(findings._replace(measures=measures))
    assert answer.endswith("hazard ratio of OS could not be estimated.")
    assert covers == ""
    assert tiles(findings._replace(measures=measures)) == []


def test_patients_that_could_not_be_simulated_are_said_on_top(findings):
    assert failures(findings) == ""
    rows = [
        ("randomized", "experimental", 30),
        ("randomized", "control", 30),
        ("simulation failed", "control", 2),
    ]
    flow = pd.DataFrame(rows, columns=["step", "arm", "count"])
    text = Page(render(findings._replace(flow=flow, courses=None))).text()
    said = "The simulation of 2 of 60 patients stopped before its end."
    assert text.index(said) < text.index("Main results with")


def test_figures_keep_the_order_of_the_arms(findings):
    turned = findings._replace(
        patients=findings.patients.iloc[::-1],
        survival=findings.survival.iloc[::-1],
        changes=None,
        courses=None,
    )
    first = re.findall(r">(Fusion 3 mg/kg|Cytotoxic 75 mg/m²)[^<]*</text>", render(turned))
    assert first[::2] == ["Fusion 3 mg/kg"] * len(first[::2])


def hostile() -> Findings:
    good = synthetic.findings()
    arms = {HOSTILE: HOSTILE, "control": HOSTILE}
    swap = {"experimental": HOSTILE}
    survival = good.survival.assign(arm=good.survival["arm"].replace(swap))
    return good._replace(
        title=HOSTILE,
        arms=arms,
        question=HOSTILE,
        covers=HOSTILE,
        patients=good.patients.assign(arm=good.patients["arm"].replace(swap)),
        measures=good.measures.assign(arm=good.measures["arm"].replace(swap)),
        survival=survival,
        medians=good.medians.assign(arm=good.medians["arm"].replace(swap)),
        published_survival=good.published_survival.assign(label=HOSTILE),
        setting={HOSTILE: HOSTILE},
        molecules={HOSTILE: pd.DataFrame({c: [HOSTILE] for c in ("entry", "value", "source", "note")})},
        flow=good.flow.assign(arm=good.flow["arm"].replace(swap), detail=HOSTILE),
        comparison=good.comparison.assign(
            label=HOSTILE, endpoint=HOSTILE, unit=HOSTILE, source="javascript:alert(3)"
        ),
        subgroups=good.subgroups.assign(stratum=HOSTILE),
        tuned=good.tuned.assign(name=HOSTILE, fitted_to=HOSTILE),
        shares=good.shares.assign(quantity=HOSTILE),
        changes=None,
        courses=None,
        limits=[HOSTILE],
        sources=[HOSTILE, "javascript:alert(4)", "https://example.org/a"],
        provenance={HOSTILE: HOSTILE},
    )


def test_hostile_words_stay_words():
    text = render(hostile())
    page = Page(text)
    assert not {"script", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    links = [a.get("href") or "" for tag, a in page.tags if tag == "a"]
    assert all(link.startswith(("#", "https://")) for link in links)
    assert "https://example.org/a" in links
    assert "{{ 7*7 }}" in page.text()
    assert "49" not in re.findall(r"\{\{ (\d+)", text)
    assert "<script>alert(1)</script>" in page.text()  # readable, harmless


def test_page_appears_whole_or_not_at_all(tmp_path, findings, monkeypatch):
    path = tmp_path / "report.html"
    assert write_report(least(), path) == path
    before = path.read_bytes()

    def fail(_source, _target):
        raise OSError("disk")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk"):
        write_report(least()._replace(title="Another"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_same_findings_same_bytes():
    few = [synthetic.findings(courses=None, changes=None, draws=None, comparison=None) for _ in range(2)]
    assert render(few[0]) == render(few[1])


def test_bad_tables_say_what_to_do(tmp_path):
    good = least()
    with pytest.raises(MissingColumnError, match="value"):
        write_report(good._replace(measures=good.measures.drop(columns="value")), tmp_path / "a.html")
    with pytest.raises(UnnamedArmError, match="third"):
        write_report(good._replace(patients=good.patients.assign(arm="third")), tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def test_nothing_known_reads_as_a_dash(tmp_path):
    good = least()
    measures = good.measures.assign(value=np.nan, low=np.nan, high=np.nan, unit="%")
    assert main_table(good._replace(measures=measures)).rows[0][1] == "–"


def test_page_is_small_enough_to_mail(html):
    assert len(html) < 2_000_000


def test_misses_stand_on_top_cohort_by_cohort(findings):
    said = misses(findings)
    assert said is not None
    assert said.summary == "Of 4 published results that tuned nothing, the same model misses 2."
    first, words = said.cohorts[0]
    assert first == "Experimental 3 mg/kg, phase 1"
    assert (
        words.replace("\N{NO-BREAK SPACE}", " ")
        == "median PFS 9.3 (6.1 to 11.7) months published, 5.6 (4.4 to 7.5) months predicted."
    )
    text = Page(render(findings._replace(courses=None, changes=None))).text()
    assert text.index(said.summary) < text.index("Main results with")
    assert misses(findings._replace(comparison=None)) is None
    shifted = findings.comparison.assign(predicted=30.0)
    tuned = misses(findings._replace(comparison=shifted))
    assert tuned is not None
    assert "Of 2 that it was tuned to, it misses 2: " in tuned.summary


def test_miss_of_the_arm_that_is_asked_about_goes_into_the_answer(findings):
    arms = ["control", "control", "experimental", "control", "experimental", "control"]
    answer, _ = headline(findings._replace(comparison=findings.comparison.assign(arm=arms)))
    assert "misses 1 of 1 published results of Experimental 3 mg/kg, phase 1." in answer


def test_a_published_hazard_ratio_is_said_in_words(findings):
    ratio = findings.comparison.head(1).assign(
        endpoint="HR_OS", unit="ratio", label="A trial: Hazard ratio of OS"
    )
    ordered = misses_first(ratio)
    assert ordered[["label", "endpoint"]].iloc[0].tolist() == ["A trial", "Hazard ratio of OS"]


def test_interval_with_no_difference_in_it_is_said_to_have_it(findings):
    answer, _ = headline(findings._replace(measures=findings.measures.assign(high=1.2), comparison=None))
    assert answer.endswith("95 % interval 0.56 to 1.20, which includes no difference.")


def test_primary_endpoint_leads_the_main_table(findings):
    names = [row[0] for row in main_table(findings).rows]
    assert names[:4] == [
        "Hazard ratio of OS",
        "Median OS, months",
        "Hazard ratio of PFS",
        "Median PFS, months",
    ]


def test_toxicity_and_baseline_have_a_column_an_arm(findings):
    rows = [
        ("fever", a, g, v, v - 1, v + 1) for a, g, v in (("experimental", 1, 40), ("experimental", 3, 12))
    ]
    rows += [("rash", a, 3, 20.0, 18.0, 22.0) for a in ("experimental", "control")]
    toxicity = pd.DataFrame(rows, columns=["kind", "arm", "grade", "value", "low", "high"])
    baseline = pd.DataFrame({"characteristic": ["Age"], "experimental": ["64"], "control": ["63"]})
    own = least()._replace(toxicity=toxicity, baseline=baseline)
    assert "Rash 20 % 20 % Fever 40 % 12 %" in Page(render(own)).text()
    own = own._replace(draws=findings.draws)
    text = Page(render(own)).text().replace("\N{NO-BREAK SPACE}", " ")
    assert "Rash 20 % (18 to 22) 20 % (18 to 22) Fever 40 % (39 to 41) 12 % (11 to 13)" in text
    assert "fusion, grade ≥ 3" in text
    assert "fusion, n = 1 cytotoxic, n = 1 Age 64 63" in text


def test_all_draws_stand_beside_one(findings):
    day = np.arange(300.0)
    table = pd.concat(
        pd.DataFrame({"endpoint": "OS", "arm": arm, "day": day, "survival": 0.99**day, "draws": 64})
        for arm in findings.arms
    )
    table = table.assign(low=table["survival"] * 0.9, high=table["survival"].clip(upper=0.9) * 1.1)
    own = pictures.survival(findings._replace(survival_draws=table))
    assert len(own) == 3
    assert "median of 64 draws" in own[0].caption
    assert "0.68 (95 % interval 0.56 to 0.82 over 64 draws, patients and chance)" in own[0].svg
    assert "in one trial" in own[1].caption


def test_deaths_are_no_step_on_the_way_to_the_analysis(findings):
    steps = ["randomized", "treated", "treatment ended", "died", "simulation failed", "analyzed"]
    rows = [
        (step, arm, n) for arm in findings.arms for step, n in zip(steps, (9, 9, 7, 5, 1, 9), strict=True)
    ]
    flow = pd.DataFrame(rows, columns=["step", "arm", "count"]).assign(detail="")
    drawn = pictures.flow(findings._replace(flow=flow))[0].svg
    assert "Died (n" not in drawn
    assert drawn.count("still on treatment 2") == drawn.count("died 5, alive or lost 4") == 2
    assert "simulation failed 1" in drawn


def test_pulses_that_weekly_points_miss_are_named_and_not_drawn(findings):
    said = [picture.caption for picture in pictures.mechanism(findings)]
    assert "Not shown: cytotoxic in blood" in said[0]
    assert "Not shown: interleukin-6" in said[2]
