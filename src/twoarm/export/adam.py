"""The data sets, each from the records of a trial: ADSL, ADTR, ADRS, ADTTE, ADEX, ADPC, ADAE.

The only place where an event is 0: CDISC's CNSR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from twoarm.export.dictionary import book
from twoarm.export.records import Records, by_treatment
from twoarm.export.samples import read_sampling, samples
from twoarm.trial.dosing import PRIMING
from twoarm.trial.recist import small_lesion_rule
from twoarm.units import quantity, unit_of

_HOURS = 24.0
_ORDER = {"CR": 1, "PR": 2, "SD": 3, "NON-CR/NON-PD": 3, "PD": 4, "NE": 5, "Y": 1, "N": 0}
_RESPONDED = ("CR", "PR")


def adsl(records: Records) -> pd.DataFrame:
    """Make the subjects: who, which treatment, when, and how it ended."""
    people, terms = records.patients, book()["terms"]
    arms = list(records.protocol.arms)
    labels = people["arm"].map({name: arm.label for name, arm in records.protocol.arms.items()})
    table = _identity(records, people.index)
    given = records.doses.groupby("patient")["day"].agg(["min", "max", "size"]).reindex(people.index)
    treated = given["size"].notna()
    randomized = _dates(records, people.index, 0.0)
    table["AGE"], table["AGEU"] = np.floor(_drawn(people, "age")), "YEARS"
    table["SEX"] = _drawn(people, "female").map({0: "M", 1: "F"})
    table["ARM"] = table["TRT01P"] = labels
    table["ARMCD"] = people["arm"].str[:20]
    table["TRT01PN"] = people["arm"].map({name: place + 1 for place, name in enumerate(arms)})
    table["TRT01A"] = labels.where(treated, "")
    table["ITTFL"], table["SAFFL"] = "Y", np.where(treated, "Y", "N")
    table["RANDDT"], table["STRATAR"] = randomized, people["stratum"]
    table["TRTSDT"] = _dates(records, people.index, given["min"])
    table["TRTEDT"] = _dates(records, people.index, given["max"])
    table["TRTDURD"] = (table["TRTEDT"] - table["TRTSDT"]).dt.days + 1
    table["NDOSE"] = given["size"].fillna(0)
    reason, died, lost = people["off_reason"], people["death_day"].notna(), people["lost_day"].notna()
    ended = {"": "ONGOING", "completed": "COMPLETED"}
    table["EOTSTT"] = reason.map(ended).fillna("DISCONTINUED")
    why = reason.map(terms["off_reason"]).fillna("OTHER")
    table["DCTREAS"] = why.where(table["EOTSTT"] == "DISCONTINUED", "")
    table["EOSSTT"] = np.where(died | lost, "DISCONTINUED", "ONGOING")
    table["DCSREAS"] = np.select([died, lost], ["DEATH", "LOST TO FOLLOW-UP"], default="")
    table["LSTALVDT"] = _dates(records, people.index, people["last_day"])
    table["DTHFL"] = np.where(died, "Y", "")
    table["DTHDT"] = _dates(records, people.index, people["death_day"])
    table["DTHCAUS"] = people["death_cause"].map(terms["death_cause"])
    table["REGION1"] = _drawn(people, "region", "").astype(str).str.upper()
    for name, column in _BASELINE.items():
        table[name] = _drawn(people, column)
    table["SUMDIABL"] = records.scans[records.scans["visit"] == 0].set_index("patient")["total"]
    for number, factor in enumerate(records.protocol.randomization.factors, start=1):
        table[f"STRAT{number}D"] = factor.upper()
        table[f"STRAT{number}R"] = people[factor].astype(str).str.upper()
    return table


_BASELINE = {
    "ECOGBL": "ecog",
    "WEIGHTBL": "weight",
    "HEIGHTBL": "height",
    "BSABL": "body_surface",
    "ALBBL": "albumin",
}


def adtr(records: Records) -> pd.DataFrame:
    """Make the tumor sizes: the sum at every scan that took place, and each lesion."""
    held = records.scans[records.scans["held"].astype(bool) & records.scans["total"].notna()]
    sums = held.assign(PARAMCD="SUMDIAM", TRLNKID="", AVAL=held["total"], NADIR=held["nadir"], TOOSMFL="")
    read = records.readings.merge(held[["patient", "visit", "planned"]], on=["patient", "visit"])
    lesion = read["lesion"].astype(int).astype(str)
    small = read["too_small"].astype(bool)
    lesions = read.assign(
        PARAMCD="DIAM" + lesion,
        TRLNKID="T0" + lesion,
        AVAL=small_lesion_rule(read["diameter"].to_numpy(float), small.to_numpy()),
        NADIR=np.nan,
        TOOSMFL=np.where(small, "Y", ""),
    )
    columns = ["patient", "visit", "day", "planned", "PARAMCD", "TRLNKID", "AVAL", "NADIR", "TOOSMFL"]
    table = pd.concat([sums[columns], lesions[columns]], ignore_index=True)
    table = table.sort_values(["patient", "PARAMCD", "visit"], kind="stable", ignore_index=True)
    table["AVALU"], table["ABLFL"] = "mm", np.where(table["visit"] == 0, "Y", "")
    start = table[table["visit"] == 0].set_index(["patient", "PARAMCD"])["AVAL"]
    keys = pd.MultiIndex.from_frame(table[["patient", "PARAMCD"]])
    table["BASE"] = start.reindex(keys).to_numpy(float)
    table["CHG"] = table["AVAL"] - table["BASE"]
    table["PCHG"] = 100 * table["CHG"] / table["BASE"]
    return _at_visits(records, _named(table, "PARAMCD_ADTR"))


def adrs(records: Records) -> pd.DataFrame:
    """Make the responses scan by scan, the best of them, and whether it counts as a response."""
    later = records.scans[records.scans["visit"] > 0]
    words = book()["terms"]["non_target"]
    said = {
        "OVRLRESP": later["overall"],
        "TRGRESP": later["target"].where(later["target"] != "none"),
        "NTRGRESP": later["non_target"].map(words),
        "NEWLIND": later["new_lesion"].astype(bool).map({True: "Y", False: "N"}),
    }
    parts = [later.assign(PARAMCD=code, AVALC=values) for code, values in said.items()]
    people = records.patients
    best = pd.DataFrame({"patient": people.index, "visit": np.nan, "planned": np.nan, "PARAMCD": "BOR"})
    best["day"], best["AVALC"] = people["response_day"].to_numpy(float), people["bor"].to_numpy(str)
    responded = np.where(np.isin(best["AVALC"], _RESPONDED), "Y", "N")
    parts += [best, best.assign(PARAMCD="RSP", AVALC=responded)]
    table = pd.concat([part[["patient", "visit", "day", "planned", "PARAMCD", "AVALC"]] for part in parts])
    table = table[table["AVALC"].notna() & (table["AVALC"] != "")]
    table = table.sort_values(["patient", "PARAMCD", "visit"], kind="stable", ignore_index=True)
    table["AVAL"] = table["AVALC"].map(_ORDER)
    return _at_visits(records, _named(table, "PARAMCD_ADRS"))


def adtte(records: Records) -> pd.DataFrame:
    """Make times to events, with 0 for an event."""
    people = records.patients
    progressed = people["PFS_event"] & (people["progression_day"] <= people["PFS_day"])
    scanned = np.where(people["PFS_after"] > 0, "LAST EVALUABLE TUMOR ASSESSMENT", "RANDOMIZATION")
    worse = np.where(progressed, "DISEASE PROGRESSION", "DEATH")
    reasons = people["off_reason"].map({**book()["terms"]["off_reason"], "completed": "COMPLETED"})
    reasons = reasons.fillna("OTHER")
    over, responded = people["off_reason"] != "", people["DOR_day"].notna()
    parts: dict[str, tuple[Any, ...]] = {
        "OS": (people["OS_day"], people["OS_event"], "DEATH", "LAST DATE KNOWN ALIVE", None),
        "PFS": (people["PFS_day"], people["PFS_event"], worse, scanned, None),
        "DOR": (people["DOR_day"], people["DOR_event"], worse, scanned, responded),
        "TTRSP": (people["response_day"], responded, "RESPONSE", "", responded),
        "TRTEND": (people["treatment_end"], over, reasons, "DATA CUTOFF", None),
    }
    tables = []
    for code, (day, event, what, date_of, who) in parts.items():
        happened = event.astype(bool)
        start = people["response_day"] if code == "DOR" else pd.Series(0.0, people.index)
        part = pd.DataFrame({"patient": people.index, "AVAL": day.to_numpy(float), "PARAMCD": code})
        part["CNSR"] = np.where(happened, 0, 1)
        part["EVNTDESC"] = np.where(happened, what, "CENSORED")
        part["CNSDTDSC"] = np.where(happened, "", date_of)
        part["STARTDT"] = _dates(records, people.index, start).to_numpy()
        part["ADT"] = _dates(records, people.index, start + day).to_numpy()
        tables.append(part if who is None else part[who.to_numpy(bool)])
    table = pd.concat(tables, ignore_index=True)
    table["AVALU"], table["STRATAR"] = "DAYS", people["stratum"].reindex(table["patient"]).to_numpy()
    return _with_patients(records, _named(table, "PARAMCD_ADTTE"))


def adex(records: Records) -> pd.DataFrame:
    """Make the doses: as prescribed, and in milligrams."""
    parts = []
    for place, regimen, rows in by_treatment(records):
        own = records.patients.loc[rows["patient"]]
        arm = str(rows["arm"].iloc[0])
        treatment = records.protocol.arms[arm].treatments[place]
        part = rows.assign(EXTRT=regimen.molecule.name.upper(), EXROUTE=str(regimen.route).upper())
        for words in rows["dose"].unique():
            here = (rows["dose"] == words).to_numpy()
            unit = unit_of(words)
            part.loc[here, "EXDOSE"], part.loc[here, "EXDOSU"] = quantity(words, unit, what="dose"), unit
            nmol = regimen.amounts_of(words, own[here])
            part.loc[here, "AVAL"] = nmol * quantity("1 nmol", "mg", mass=regimen.card["mass"])
        reduced = "REDUCED " + part["level"].astype(int).astype(str)
        named = part["level"].map({PRIMING: "PRIMING", 0: "FULL"})
        infusion = quantity(treatment.infusion, "hour") if treatment.infusion else 0.0
        parts.append(part.assign(DOSLVL=named.fillna(reduced), ADURHR=infusion))
    columns = ["patient", "day", "EXTRT", "EXROUTE", "EXDOSE", "EXDOSU", "AVAL", "DOSLVL", "ADURHR"]
    table = _stacked(parts, columns).assign(AVALU="mg", PARAMCD="DOSE")
    table["ASTDT"] = _dates(records, table["patient"], table["day"]).to_numpy()
    table["ASTDY"] = _study_day(table["day"])
    return _with_patients(records, _named(table, "PARAMCD_ADEX"))


def adpc(records: Records) -> pd.DataFrame:
    """Make the concentrations in plasma, sample by sample, as a laboratory reports them."""
    table = samples(records, read_sampling())
    name = table["molecule"].astype(str).str.upper()
    table["PARAMCD"] = name.str.replace("[^A-Z0-9]", "", regex=True).str[:8]
    table["PARAM"] = name + " Concentration in Plasma (nmol/L)"
    below = table["below"].astype(bool)
    table["AVAL"], table["AVALU"] = table["value"].where(~below), "nmol/L"
    shown = zip(table["value"], table["limit"], below, strict=True)
    table["AVALC"] = [f"<{limit:.4g}" if low else f"{value:.4g}" for value, limit, low in shown]
    table["ALLOQ"], table["BLQFL"] = table["limit"], np.where(below, "Y", "")
    table["ATPT"], table["ATPTN"] = table["sample"], table["number"]
    table["ADT"] = _dates(records, table["patient"], table["day"]).to_numpy()
    table["ADY"] = _study_day(table["day"].astype(float))
    since = {
        "AFRLT": table["day"] - table["first"],
        "NFRLT": table["planned"],
        "ARRLT": table["day"] - table["last"],
        "NRRLT": table["planned"] - table["due"],
    }
    hours = {name: _HOURS * days.astype(float) for name, days in since.items()}
    return _with_patients(records, table.assign(**hours, FRLTU="HOURS", RRLTU="HOURS"))


def adae(records: Records) -> pd.DataFrame:
    """Make the adverse events: each grade when first reached."""
    table = records.toxicity.copy()
    table["AETERM"] = table["toxicity"].map(records.events)
    table["AEDECOD"] = table["toxicity"].astype(str).str.replace("_", " ").str.upper()
    table["ASTDT"] = _dates(records, table["patient"], table["day"]).to_numpy()
    table["ASTDY"] = _study_day(table["day"].astype(float))
    table["ATOXGRN"] = table["grade"].astype(float)
    table["ATOXGR"] = table["grade"].astype(int).astype(str)
    table["AEREL"], table["TRTEMFL"] = "RELATED", "Y"
    worst = table.groupby(["patient", "toxicity"])["grade"].transform("max")
    table["AOCCPIFL"] = np.where(table["grade"] == worst, "Y", "")
    return _with_patients(records, table)


DATASETS: Mapping[str, Callable[[Records], pd.DataFrame]] = {
    "adsl": adsl,
    "adtr": adtr,
    "adrs": adrs,
    "adtte": adtte,
    "adex": adex,
    "adpc": adpc,
    "adae": adae,
}


def study_id(records: Records) -> str:
    """Name the study as its identifiers have it.

    Parameters
    ----------
    records : Records
        Of a trial.

    Returns
    -------
    str
        Capital letters, hyphens for other signs.
    """
    return records.protocol.name.upper().replace("_", "-")


def _identity(records: Records, patients: Any) -> pd.DataFrame:
    """Make the identifiers of some patients."""
    who = np.asarray(patients)
    number = pd.Series([f"{int(patient):06d}" for patient in who], index=who, dtype=object)
    study = study_id(records)
    return pd.DataFrame({"STUDYID": study, "USUBJID": study + "-" + number, "SUBJID": number})


def _dates(records: Records, patients: Any, day: Any) -> pd.Series:
    """Dates of patients' days, day 0 the day of randomization; part of a day is left out."""
    people = np.asarray(patients)
    enrolled = records.patients["enrolled_on"].reindex(people).to_numpy(float)
    days = np.floor(enrolled) + np.floor(np.broadcast_to(np.asarray(day, float), enrolled.shape))
    known = np.isfinite(days)  # pandas multiplies what stands behind a missing value, and warns of overflow
    whole = np.where(known, days, 0.0).astype(np.int64).astype("timedelta64[D]")
    dates = np.where(known, np.datetime64(records.opened, "D") + whole, np.datetime64("NaT"))
    return pd.Series(dates.astype("datetime64[ns]"), index=people)


def _drawn(people: pd.DataFrame, name: str, absent: object = np.nan) -> pd.Series:
    """Take a covariate, or nothing where the population has none of the name."""
    return people[name] if name in people else pd.Series(absent, people.index)


def _named(table: pd.DataFrame, codelist: str) -> pd.DataFrame:
    """Say each parameter in words."""
    return table.assign(PARAM=table["PARAMCD"].map(book()["codelists"][codelist]))


def _with_patients(records: Records, table: pd.DataFrame) -> pd.DataFrame:
    """Put identifiers and planned treatment before the rows of patients."""
    who = table["patient"].to_numpy()
    arms = {name: place + 1 for place, name in enumerate(records.protocol.arms)}
    labels = {name: arm.label for name, arm in records.protocol.arms.items()}
    arm = records.patients["arm"].reindex(who)
    front = _identity(records, who).reset_index(drop=True)
    front["TRTP"], front["TRTPN"] = arm.map(labels).to_numpy(), arm.map(arms).to_numpy()
    return pd.concat([front, table.reset_index(drop=True)], axis=1)


def _at_visits(records: Records, table: pd.DataFrame) -> pd.DataFrame:
    """Date the rows of scans and name their visits."""
    table["ADT"] = _dates(records, table["patient"], table["day"]).to_numpy()
    table["ADY"] = _study_day(table["day"].astype(float))
    week = (table["planned"].astype(float) / 7).round()
    named = week.map(lambda number: f"Week {number:.0f}" if number > 0 else "Baseline", na_action="ignore")
    return _with_patients(records, table.assign(AVISIT=named, AVISITN=table["visit"]))


def _study_day(day: pd.Series) -> np.ndarray:
    """Days as a study counts them: the first is 1, the one before it is -1, and there is no day 0."""
    whole = np.floor(day.to_numpy(float))
    return np.asarray(whole + (whole >= 0))


def _stacked(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Put tables under each other, patient by patient; none where there are none."""
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    table = pd.concat([part[columns] for part in parts], ignore_index=True)
    return table.sort_values(["patient", "day"], kind="stable", ignore_index=True)
