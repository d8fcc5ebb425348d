"""Data sets say what the trial was, in every format; a script without twoarm gets its results from them."""

from __future__ import annotations

import ast
import importlib.util
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.trial.stand_in import advance, biology, people
from typer.testing import CliRunner

from twoarm import catalog
from twoarm.cli import app
from twoarm.errors import (
    CardEntryError,
    ExportDrawError,
    ExportFormatError,
    ExportLibraryError,
    ExportNobodyError,
    NotARunError,
)
from twoarm.export import export_study, export_trial, files, write
from twoarm.export.adam import DATASETS
from twoarm.export.dictionary import codelists, variables
from twoarm.export.nonmem import compartments, nonmem
from twoarm.export.records import of_arm, records_of
from twoarm.export.samples import read_sampling, samples
from twoarm.regimen import Regimen
from twoarm.study import compose, run, run_study
from twoarm.trial.analyze import analyze, cut
from twoarm.trial.conduct import run_trial
from twoarm.trial.protocol import Course, read_protocol

SCRIPT = Path(__file__).parents[2] / "examples" / "rederive.py"
FACTORS = ["resistance", "sequence", "region"]
OPENED = date(2027, 3, 1)


def patients(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    more = {
        "age": rng.uniform(40, 80, n),
        "female": rng.integers(0, 2, n),
        "ecog": rng.integers(0, 2, n),
        "height": rng.normal(168, 8, n),
    }
    return people(n).assign(**more)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """A trial, cut before its end, and its files in every format."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("pyreadstat")
    protocol = read_protocol("marslight_11")
    follow_up = protocol.follow_up.model_copy(update={"horizon": 500.0})
    protocol = protocol.model_copy(update={"follow_up": follow_up})
    trial = run_trial(biology(), protocol, patients(120), seed=3, advance=advance)
    table = cut(trial, cutoff="12 months")
    place = tmp_path_factory.mktemp("export")
    steps: list[float] = []
    page = export_trial(
        trial, table, protocol, place, opened=OPENED, progress=lambda step, share: steps.append(share)
    )
    assert steps == sorted(steps)
    assert steps[-1] == 1.0
    assert page == place / "define.html"
    return SimpleNamespace(trial=trial, table=table, protocol=protocol, place=place)


def read(made: SimpleNamespace, name: str) -> pd.DataFrame:
    """A data set as CSV readers see it; empty texts are empty."""
    entries = variables(FACTORS)
    own = entries[entries["dataset"] == name]
    texts = own[own["type"] == "text"]["variable"].tolist()
    dates = own[own["type"] == "date"]["variable"].tolist()
    table = pd.read_csv(
        made.place / f"{name}.csv",
        dtype=dict.fromkeys(texts, str),
        parse_dates=dates,
        float_precision="round_trip",
    )
    return table.fillna(dict.fromkeys(texts, ""))


@pytest.mark.parametrize("name", DATASETS)
def test_every_file_has_the_dictionarys_columns_and_terms(made, name):
    table, entries = read(made, name), variables(FACTORS)
    own = entries[entries["dataset"] == name]
    assert table.columns.tolist() == own["variable"].tolist()
    assert len(table) > 0
    for entry in own.to_dict("records"):
        assert len(entry["variable"]) <= 8
        assert len(entry["label"]) <= 40
        assert entry["derivation"]
        if entry["codelist"]:
            known = set(codelists().query("codelist == @entry['codelist']")["term"]) | {""}
            assert set(table[entry["variable"]].dropna().astype(str)) <= known, entry["variable"]
    about = json.loads((made.place / "define.json").read_text())
    said = next(dataset for dataset in about["datasets"] if dataset["name"] == name.upper())
    assert not table.duplicated(said["keys"]).any()
    assert about["study"]["files"][f"{name}.csv"]["rows"] == len(table)


def test_no_codelist_is_left_over():
    used = set(variables(FACTORS)["codelist"]) - {""}
    assert used == set(codelists()["codelist"])


@pytest.mark.parametrize("name", DATASETS)
def test_the_three_formats_say_the_same(made, name):
    import pyarrow.parquet
    import pyreadstat

    table = read(made, name)
    parquet = pyarrow.parquet.read_table(made.place / f"{name}.parquet")
    entries = variables(FACTORS).query("dataset == @name").set_index("variable")
    labels = {field.name: field.metadata[b"label"].decode() for field in parquet.schema}
    assert labels == entries["label"].to_dict()
    other = parquet.to_pandas()
    sas = pd.read_sas(made.place / f"{name}.xpt", format="xport", encoding="utf-8")  # a reader of its own
    _, about = pyreadstat.read_xport(made.place / f"{name}.xpt")
    assert about.column_names_to_labels == entries["label"].to_dict()
    assert about.table_name == name.upper()
    for column, kind in entries["type"].items():
        if kind == "text":
            assert other[column].tolist() == table[column].tolist()
            assert sas[column].fillna("").tolist() == table[column].str[:200].tolist()
        elif kind == "date":
            days = (table[column] - pd.Timestamp("1960-01-01")).dt.days
            assert pd.to_datetime(other[column]).equals(table[column])
            np.testing.assert_array_equal(sas[column].to_numpy(float), days.to_numpy(float))
        else:
            np.testing.assert_array_equal(other[column].to_numpy(float), table[column].to_numpy(float))
            # pandas reads a zero of a transport file as 5.4e-79
            numbers = (part[column].to_numpy(float) for part in (sas, table))
            np.testing.assert_allclose(*numbers, rtol=1e-15, atol=1e-70)


def rederive():
    spec = importlib.util.spec_from_file_location("rederive", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_a_script_without_twoarm_gets_the_same_results(made):
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"__future__", "sys", "pathlib", "pandas", "lifelines"}
    found = rederive().derive(made.place)
    labels = {arm.label: name for name, arm in made.protocol.arms.items()} | {"": ""}
    ours = analyze(made.table).set_index(["quantity", "arm"])
    named = {*found["quantity"]}
    assert {"ORR", "Median PFS", "Median OS", "Hazard ratio of PFS", "Hazard ratio of OS"} <= named
    for row in found.to_dict("records"):
        own = ours.loc[(row["quantity"], labels[row["treatment"]])]
        assert row["value"] == pytest.approx(own["value"], rel=1e-7), row["quantity"]
        if np.isfinite(row["low"]) and np.isfinite(row["high"]):
            assert (row["low"], row["high"]) == pytest.approx((own["low"], own["high"]), rel=1e-6)


def test_subjects_are_those_of_the_cut(made):
    table, adsl = made.table, read(made, "adsl").set_index("SUBJID")
    adsl.index = adsl.index.astype(int)
    own = table.reindex(adsl.index)
    assert sorted(adsl.index) == sorted(table.index)
    assert ((adsl["DTHFL"] == "Y") == own["OS_event"]).all()
    randomized = pd.Timestamp(OPENED) + pd.to_timedelta(own["enrolled_on"], unit="D")
    assert (adsl["RANDDT"] == randomized).all()
    died = own["death_day"].notna()
    expected = randomized[died] + pd.to_timedelta(np.floor(own["death_day"][died]), unit="D")
    assert (adsl["DTHDT"][died] == expected).all()
    assert adsl["DTHDT"][~died].isna().all()
    assert ((adsl["EOTSTT"] == "ONGOING") == (own["off_reason"] == "")).all()
    stopped = own["off_reason"].isin(["toxicity", "delay"])
    assert ((adsl["DCTREAS"] == "ADVERSE EVENT") == stopped).all()
    assert ((adsl["TRT01PN"] == 1) == (own["arm"] == "experimental")).all()
    assert (adsl["STRAT1R"] == own["resistance"].str.upper()).all()
    drawn = made.trial.patients.reindex(adsl.index)
    assert (adsl["AGE"] == np.floor(drawn["age"])).all()
    assert ((adsl["SEX"] == "F") == (drawn["female"] == 1)).all()


def test_times_count_from_their_start_and_zero_is_an_event(made):
    adtte = read(made, "adtte")
    days = (adtte["ADT"] - adtte["STARTDT"]).dt.days
    assert (days == np.floor(adtte["AVAL"])).all()
    for code in ("OS", "PFS", "DOR"):
        own = adtte[adtte["PARAMCD"] == code]
        known = made.table[made.table[f"{code}_day"].notna()]
        assert len(own) == len(known)
        assert (own["CNSR"] == 0).sum() == known[f"{code}_event"].sum()
        assert own["AVAL"].sum() == pytest.approx(known[f"{code}_day"].sum())
    assert ((adtte["EVNTDESC"] == "CENSORED") == (adtte["CNSR"] == 1)).all()
    assert ((adtte["CNSDTDSC"] != "") == (adtte["CNSR"] == 1)).all()
    pfs = adtte[(adtte["PARAMCD"] == "PFS") & (adtte["CNSR"] == 0)]
    dead = made.table["PFS_event"] & made.table["progression_day"].isna()
    assert (pfs["EVNTDESC"] == "DEATH").sum() == dead.sum() > 0
    ended = adtte[(adtte["PARAMCD"] == "TRTEND") & (adtte["CNSR"] == 0)]["EVNTDESC"].value_counts()
    assert ended["PROGRESSIVE DISEASE"] == (made.table["off_reason"] == "progression").sum()


def test_sizes_add_up_and_change_as_the_cut_says(made):
    adtr = read(made, "adtr")
    key = ["USUBJID", "AVISITN"]
    sums = adtr[adtr["PARAMCD"] == "SUMDIAM"].set_index(key)["AVAL"]
    lesions = adtr[adtr["PARAMCD"] != "SUMDIAM"].groupby(key)["AVAL"].sum()
    np.testing.assert_allclose(sums.sort_index(), lesions.reindex(sums.sort_index().index))
    later = adtr[(adtr["PARAMCD"] == "SUMDIAM") & (adtr["ABLFL"] == "")]
    best = later.groupby("SUBJID")["PCHG"].min()
    expected = made.table["best_change"].dropna()
    np.testing.assert_allclose(best.sort_index(), expected.sort_index())
    assert (adtr["AVISIT"].eq("Baseline") == adtr["ABLFL"].eq("Y")).all()


def test_responses_are_scan_by_scan_and_best(made):
    adrs = read(made, "adrs")
    best = adrs[adrs["PARAMCD"] == "BOR"].set_index("SUBJID")["AVALC"]
    assert best.sort_index().tolist() == made.table["bor"].sort_index().tolist()
    response = adrs[adrs["PARAMCD"] == "RSP"]
    assert (response["AVALC"] == "Y").sum() == made.table["bor"].isin(["CR", "PR"]).sum()
    assert set(adrs[adrs["PARAMCD"] == "NTRGRESP"]["AVALC"]) >= {"NON-CR/NON-PD"}
    assert "none" not in set(adrs["AVALC"])


def test_nothing_comes_after_the_cut(made):
    adsl = read(made, "adsl").set_index("USUBJID")
    for name, column in {
        "adtr": "ADT",
        "adrs": "ADT",
        "adex": "ASTDT",
        "adpc": "ADT",
        "adae": "ASTDT",
    }.items():
        table = read(made, name).dropna(subset=[column])
        assert (table[column] <= adsl["LSTALVDT"].reindex(table["USUBJID"]).to_numpy()).all(), name
    assert (
        made.trial.exposures["day"].max() > made.table["last_day"].max() - 400
    )  # there was something to leave out
    assert len(read(made, "adex")) < len(made.trial.exposures)


def test_doses_are_in_the_words_of_the_protocol_and_in_milligrams(made):
    adex = read(made, "adex")
    by_weight = adex[adex["EXDOSU"] == "mg/kg"]
    weight = read(made, "adsl").set_index("USUBJID")["WEIGHTBL"]
    expected = by_weight["EXDOSE"] * weight.reindex(by_weight["USUBJID"]).to_numpy()
    np.testing.assert_allclose(by_weight["AVAL"], expected, rtol=1e-12)
    by_surface = adex[adex["EXDOSU"] == "mg/m2"]
    surface = read(made, "adsl").set_index("USUBJID")["BSABL"].reindex(by_surface["USUBJID"])
    np.testing.assert_allclose(by_surface["AVAL"], by_surface["EXDOSE"] * surface.to_numpy(), rtol=1e-12)
    assert len(by_weight) + len(by_surface) == len(adex)
    assert {"PRIMING", "FULL"} <= set(adex["DOSLVL"])
    assert (adex["ADURHR"] == 1.0).all()
    given = made.table["doses"].where(made.table["treatment_end"] < made.table["last_day"]).dropna()
    counted = adex.groupby("SUBJID").size()
    counted.index = counted.index.astype(int)
    assert (counted.reindex(given.index) == given).all()


def drawn(made: SimpleNamespace) -> pd.DataFrame:
    return samples(records_of(made.trial, made.table, made.protocol, opened=OPENED), read_sampling())


def test_concentrations_are_the_trials_with_the_error_of_the_assay(made):
    adpc, found = read(made, "adpc"), drawn(made)
    curve = made.trial.courses["drug_central_nM"]
    own = found[found["molecule"] == "ibi363"]
    for row in own.sample(50, random_state=1).to_dict("records"):
        assert row["level"] == pytest.approx(float(curve.sel(patient=row["patient"], day=row["day"])))
    assay = read_sampling().assays["drug"]
    error = (own["value"] - own["level"]) / np.hypot(assay.cv * own["level"], assay.floor * own["limit"])
    inside = error[own["value"] > 0]
    assert abs(inside[own["level"] > 10].mean()) < 0.2
    assert inside[own["level"] > 10].std() == pytest.approx(1.0, abs=0.15)
    assert len(adpc) == len(found)
    below = adpc["BLQFL"] == "Y"
    assert 0 < below.sum() < len(adpc)
    assert adpc["AVAL"].isna().equals(below)
    assert (adpc["AVAL"][~below] >= adpc["ALLOQ"][~below]).all()
    assert adpc["AVALC"][below].str.startswith("<").all()
    np.testing.assert_allclose(adpc["AVALC"][~below].astype(float), adpc["AVAL"][~below], rtol=6e-4)
    assert set(adpc["PARAMCD"]) == {"IBI363"}  # a cytotoxic is gone within a week and has no assay
    mass = records_of(made.trial, made.table, made.protocol, opened=OPENED).prescriptions["experimental"][0]
    limit = adpc["ALLOQ"][adpc["PARAMCD"] == "IBI363"].iloc[0]  # 0.1 ug/mL
    assert limit == pytest.approx(1e5 / (1000 * mass.card["mass"]), rel=1e-6)


def test_samples_are_drawn_when_the_plan_says(made):
    adpc = read(made, "adpc")
    own = adpc[adpc["PARAMCD"] == "IBI363"]
    times = own.drop_duplicates("ATPT").set_index("ATPT")
    week = 24.0 * 7
    # priming on day 0, full doses on day 7 and every 21 days from it
    planned = {
        "Before the first dose": 0, "Before full dose 1": 1, "Before full dose 2": 4,
        "7 days after full dose 1": 2, "14 days after full dose 1": 3,
    }  # fmt: skip
    for sample, weeks in planned.items():
        assert times.loc[sample, "NFRLT"] == weeks * week, sample
    assert times.loc["Before full dose 1", "NRRLT"] == week
    assert times.loc["Before full dose 2", "NRRLT"] == 3 * week
    assert times.loc["7 days after full dose 1", "NRRLT"] == week
    first = own[own["ATPT"] == "Before the first dose"]
    assert first["ARRLT"].isna().all()
    assert (first["AFRLT"] == 0).all()
    assert (first["BLQFL"] == "Y").mean() > 0.9
    later = own[own["ARRLT"].notna()]
    assert (later["ARRLT"] > 0).all()
    assert (own["AFRLT"] >= own["NFRLT"] - 1e-9).all()  # doses are held, never brought forward
    doses = made.trial.exposures[made.trial.exposures["arm"] == "experimental"]
    given = set(zip(doses["patient"], doses["day"], strict=True))
    troughs = own[own["ATPT"].str.startswith("Before")]
    pairs = zip(troughs["SUBJID"].astype(int), troughs["AFRLT"] / 24, strict=True)
    assert all(pair in given for pair in pairs)
    last = own[own["ATPT"].str.endswith("after the last dose")]
    assert len(last) > 0
    ended = made.table["off_reason"][last["SUBJID"].astype(int)]
    assert (ended != "").all()


def test_a_dose_that_came_late_moves_the_actual_time_and_not_the_nominal(made):
    records = records_of(made.trial, made.table, made.protocol, opened=OPENED)
    doses = records.doses.copy()
    counted = doses[doses["arm"] == "experimental"].groupby("patient").size()
    patient = counted[counted >= 5].index[0]
    late = (doses["patient"] == patient) & (doses["day"] >= 49)
    doses.loc[late, "day"] += 14
    found = samples(records._replace(doses=doses), read_sampling()).query("patient == @patient")
    by = found.set_index("sample")
    assert (by["day"] - by["first"] - by["planned"]).loc["Before full dose 2"] == 0
    assert (by["day"] - by["first"] - by["planned"]).loc["Before full dose 3"] == 14
    assert (by["day"] - by["last"]).loc["Before full dose 3"] == 21 + 14
    assert (by["planned"] - by["due"]).loc["Before full dose 3"] == 21


def test_single_doses_of_a_course_are_rows_and_planned_one_by_one(made):
    arm = made.protocol.arms["experimental"]
    weekly = {"course": Course(doses=3, apart="7 days"), "every": 42.0, "priming": None, "infusion": "1 h"}
    arm = arm.model_copy(update={"treatments": (arm.treatments[0].model_copy(update=weekly),)})
    protocol = made.protocol.model_copy(update={"arms": {**made.protocol.arms, "experimental": arm}})
    records = records_of(made.trial, made.table, protocol, opened=OPENED)
    longest = records.patients.query("arm == 'experimental'")["followed_until"].idxmax()
    given = [0.0, 7.0, 14.0, 42.0, 49.0]
    doses = pd.DataFrame({"patient": longest, "arm": "experimental", "treatment": 0, "day": given})
    records = records._replace(doses=doses.assign(level=0, dose="3 mg/kg"))
    assert DATASETS["adex"](records)["ASTDY"].tolist() == [1, 8, 15, 43, 50]
    assert nonmem(records).query("EVID == 1")["TIME"].tolist() == given
    by = samples(records, read_sampling()).set_index("sample")
    assert (
        by["planned"].loc[["Before full dose 3", "Before full dose 4", "Before full dose 5"]].tolist()
        == given[2:]
    )
    assert by["due"].loc["Before full dose 4"] == 14


def test_another_seed_is_another_laboratory_and_the_same_blood(made):
    records = records_of(made.trial, made.table, made.protocol, opened=OPENED)
    one, other = samples(records, read_sampling()), samples(records._replace(seed=99), read_sampling())
    pd.testing.assert_series_equal(one["level"], other["level"])
    assert (one["value"] != other["value"]).mean() > 0.9
    half = records._replace(patients=records.patients.iloc[::2])
    half = half._replace(doses=records.doses[records.doses["patient"].isin(half.patients.index)])
    same = one[one["patient"].isin(half.patients.index)].reset_index(drop=True)
    np.testing.assert_allclose(samples(half, read_sampling())["value"], same["value"])
    assert samples(of_arm(records, "docetaxel"), read_sampling()).empty


def test_times_off_the_weekly_grid_are_refused(tmp_path):
    text = (catalog.find("exports", "sampling")).read_text()
    path = tmp_path / "odd.toml"
    path.write_text(text.replace('["7 days", "14 days"]', '["36 h"]'))
    with pytest.raises(CardEntryError, match="Give whole weeks"):
        read_sampling(path)


def test_events_are_flagged_once_at_their_worst(made):
    adae = read(made, "adae")
    worst = adae[adae["AOCCPIFL"] == "Y"]
    assert not worst.duplicated(["USUBJID", "AEDECOD"]).any()
    grades = worst.groupby("SUBJID")["ATOXGRN"].max()
    grades.index = grades.index.astype(int)
    assert grades.reindex(made.table.index, fill_value=0).tolist() == made.table["grade"].tolist()


def test_nonmem_reads_doses_and_concentrations(made):
    table = pd.read_csv(made.place / "nonmem.csv", na_values=["."])
    front = ["ID", "TIME", "TAD", "AMT", "RATE", "DV", "EVID", "MDV", "BLQ", "LLOQ", "CMT", "TRT"]
    assert table.columns[:12].tolist() == front
    assert all(kind.kind in "fi" for kind in table.dtypes)
    doses, seen = table[table["EVID"] == 1], table[table["EVID"] == 0]
    assert len(doses) == len(read(made, "adex"))
    assert (doses["MDV"] == 1).all()
    assert (doses["BLQ"] == 0).all()
    assert doses[["DV", "LLOQ"]].isna().all(axis=None)
    assert seen[["AMT", "RATE"]].isna().all(axis=None)
    np.testing.assert_allclose(doses["AMT"] / doses["RATE"], 1 / 24)  # infusions of an hour
    adpc = read(made, "adpc")
    assert len(seen) == len(adpc)
    assert seen["BLQ"].sum() == (adpc["BLQFL"] == "Y").sum()
    assert (seen["DV"][seen["BLQ"] == 1] == seen["LLOQ"][seen["BLQ"] == 1]).all()
    assert (seen["MDV"] == ((seen["BLQ"] == 1) | seen["TAD"].isna()).astype(int)).all()
    np.testing.assert_allclose(np.sort(seen["DV"][seen["BLQ"] == 0]), np.sort(adpc["AVAL"].dropna()))
    for _, own in table.groupby("ID"):
        assert own.index.tolist() == list(
            range(own.index[0], own.index[-1] + 1)
        )  # all rows of a patient together
        assert own["TIME"].is_monotonic_increasing
    both = table.groupby(["ID", "TIME"])["EVID"].agg(["first", "size"])
    assert (both[both["size"] == 2]["first"] == 0).all()  # as simulated: before the dose
    records = records_of(made.trial, made.table, made.protocol, opened=OPENED)
    numbered = compartments(records)
    assert numbered["CMT"].tolist() == [1, 2]
    assert numbered["state"].tolist() == ["drug_central", "cytotoxic_central"]
    regimen: Regimen = records.prescriptions["experimental"][0]
    first = doses[doses["CMT"] == 1].iloc[0]
    weight = pd.DataFrame({"weight": [first["WT"]]})
    assert first["AMT"] == pytest.approx(regimen.amounts_of("0.1 mg/kg", weight)[0])
    assert len(nonmem(records)) == len(table)


def test_a_write_that_fails_leaves_no_half_file(made, tmp_path, monkeypatch):
    def broken(records):
        raise RuntimeError("in the middle")

    monkeypatch.setitem(write.DATASETS, "adrs", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        export_trial(made.trial, made.table, made.protocol, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{name}.{suffix}" for name in ("adsl", "adtr") for suffix in ("csv", "parquet", "xpt")}


def test_the_same_trial_gives_the_same_bytes(made, tmp_path):
    export_trial(made.trial, made.table, made.protocol, tmp_path, formats=["csv"], opened=OPENED)
    for name in (*DATASETS, "nonmem"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (made.place / f"{name}.csv").read_bytes()


def test_words_of_strangers_are_words_on_the_page(made, tmp_path):
    hostile = made.protocol.model_copy(update={"title": "<script>alert(1)</script>"})
    page = export_trial(made.trial, made.table, hostile, tmp_path, formats=["csv"]).read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    for name in DATASETS:
        assert f'id="{name.upper()}"' in page


def test_what_cannot_be_written_is_refused_before_the_work(made, tmp_path, monkeypatch):
    def go(**how):
        export_trial(made.trial, made.table, made.protocol, tmp_path / "new", **how)

    with pytest.raises(ExportFormatError, match="xlsx"):
        go(formats=["csv", "xlsx"])
    with pytest.raises(ExportFormatError, match="no format"):
        go(formats=[])
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(ExportLibraryError, match=r"twoarm\[export\]"):
        go(formats=["xpt"])
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study of two draws, on the stand-in."""
    place = tmp_path_factory.mktemp("study") / "run"
    model = biology()
    model.digest = "0" * 64

    def go_on(model, patients, doses, **how):
        growth = patients["growth_1"].clip(lower=0.002)
        return advance(model, patients.assign(growth=growth, shrinkage=2e-5), doses, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_model", lambda name: model)
        patch.setattr(compose, "write_report", lambda findings, path: path.write_text(""))
        run_study("marslight-11", place, seed=11, patients=60, draws=2, advance=go_on)
    return place


def test_a_finished_study_is_exported_from_the_command_line(study):
    answer = CliRunner().invoke(
        app, ["export", str(study), "--format", "csv", "--quiet", "--opened", "2027-03-01"]
    )
    assert answer.exit_code == 0, answer.output
    place = study / "export"
    assert answer.output.strip() == str(place / "define.html")
    shown = compose.shown_trial(study)
    table = pd.read_csv(shown / "patients.csv").set_index("patient")
    adsl = pd.read_csv(place / "adsl.csv")
    assert len(adsl) == len(table)
    assert adsl["RANDDT"].min() >= "2027-03-01"
    for column in ("AGE", "SEX", "WEIGHTBL", "ECOGBL", "SUMDIABL", "REGION1"):
        assert adsl[column].notna().all(), column
    found = rederive().derive(place).set_index(["quantity", "treatment"])
    measures = pd.read_csv(shown / "measures.csv").fillna({"arm": ""}).set_index(["quantity", "arm"])
    for name in ("Hazard ratio of OS", "Hazard ratio of PFS"):
        assert found.loc[(name, ""), "value"] == pytest.approx(measures.loc[(name, ""), "value"], rel=1e-7)


def test_a_draw_that_is_not_there_is_named_with_those_that_are(study, tmp_path):
    export_study(study, tmp_path, formats=["csv"], draw=1)
    about = json.loads((tmp_path / "define.json").read_text())["study"]
    assert about["draw"] == 1
    with pytest.raises(ExportDrawError, match=r"draw-000, draw-001"):
        export_study(study, tmp_path, formats=["csv"], draw=7)
    with pytest.raises(NotARunError):
        export_study(tmp_path, tmp_path / "out", formats=["csv"])


@pytest.mark.parametrize("day", [40.0, 100.0])
def test_an_early_cut_with_next_to_nothing_is_exported(made, tmp_path, day):
    table = cut(made.trial, cutoff=day)
    assert 0 < len(table) < 20
    export_trial(made.trial, table, made.protocol, tmp_path)
    assert len(pd.read_csv(tmp_path / "adsl.csv")) == len(table)
    for name in DATASETS:
        entries = variables(FACTORS).query("dataset == @name")["variable"].tolist()
        assert pd.read_csv(tmp_path / f"{name}.csv").columns.tolist() == entries
        assert pd.read_parquet(tmp_path / f"{name}.parquet").columns.tolist() == entries


def test_a_cut_before_anybody_is_refused_in_words(made, tmp_path):
    nobody = cut(made.trial, cutoff=0.0)
    assert nobody.empty
    with pytest.raises(ExportNobodyError, match="marslight_11"):
        export_trial(made.trial, nobody, made.protocol, tmp_path)


def test_one_arm_is_exported_and_rederived_without_a_comparison(made, tmp_path):
    arms = {"experimental": made.protocol.arms["experimental"]}
    protocol = made.protocol.model_copy(update={"arms": arms})
    trial = run_trial(biology(), protocol, patients(30), seed=3, advance=advance)
    table = cut(trial)
    export_trial(trial, table, protocol, tmp_path, formats=["csv"])
    adsl = pd.read_csv(tmp_path / "adsl.csv")
    assert adsl["TRT01PN"].eq(1).all()
    assert len(adsl) == len(table)
    rates = analyze(table).set_index("quantity")["value"]
    adrs = pd.read_csv(tmp_path / "adrs.csv", keep_default_na=False)
    responses = adrs[(adrs["PARAMCD"] == "RSP") & (adrs["AVALC"] == "Y")]
    assert 100 * len(responses) / len(adsl) == pytest.approx(rates["ORR"])
    found = rederive().derive(tmp_path).set_index("quantity")["value"]
    assert not [name for name in found.index if name.startswith("Hazard ratio")]
    for name in ("ORR", "Median PFS", "Median OS"):
        assert found[name] == pytest.approx(rates[name])
