"""Survival data that every text on R analyzes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from lifelines.datasets import load_gbsg2, load_leukemia, load_lung, load_rossi

from printed.beside import Row
from twoarm.trial.analyses.curves import (
    median_of,
    medians,
    product_limit,
    restricted_mean,
    restricted_mean_difference,
    survival_of,
)
from twoarm.trial.analyses.hazards import cox, hazard_ratio, log_rank, proportionality

Z95 = 1.959963984540054
LOG_LOG, STRATA = "interval on the log(-log) scale", "stratified"
R_HELP = "R survival, its help and vignettes"
FOX = "Fox 2002, Cox regression appendix"
HSAUR = "Everitt and Hothorn, HSAUR, ch. 9"
AML = pd.DataFrame(  # survival::aml; Miller 1981
    {
        "day": [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45],
        "event": [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1],
        "maintained": [1] * 11 + [0] * 12,
    }
)


def lung() -> Iterator[Row]:
    """North Central Cancer Treatment Group, 228 patients."""
    data = load_lung()
    day, died = data["time"].to_numpy(float), data["status"].to_numpy(bool)
    female = (data["sex"] == 2).to_numpy()
    call = f"{R_HELP}: lung"
    yield "log-rank", "lung, sex: chi-square", log_rank(day, died, female)[0], "10.3", call
    early = log_rank(day, died, female, weights=(1.0, 0.0))
    yield "Fleming-Harrington (1, 0)", "lung, sex: chi-square", early[0], "12.7", f"{call}, rho = 1"
    yield "Fleming-Harrington (1, 0)", "lung, sex: p", early[1], "0.0004", f"{call}, rho = 1"
    two = cox(day, died, data[["age", "sex"]])
    printed = {"age": ("0.017045", "0.009223"), "sex": ("-0.513219", "0.167458")}
    yield from _cox("lung, age + sex", two, printed, call)
    known = data.dropna(subset=["ph.ecog"])
    three = cox(known["time"], known["status"], known[["age", "sex", "ph.ecog"]])
    printed = {
        "age": ("0.011067", "0.009267"),
        "sex": ("-0.552612", "0.167739"),
        "ph.ecog": ("0.463728", "0.113577"),
    }
    yield from _cox("lung, age + sex + ph.ecog", three, printed, call)
    known = data.dropna(subset=["wt.loss"])
    test = proportionality(known["time"], known["status"], known[["age", "sex", "wt.loss"]])
    for name, statistic in {"age": "0.378", "sex": "2.349", "wt.loss": "0.024"}.items():
        basis = "R survival 2, cox.zph as in the STHDA tutorial"
        yield "Grambsch-Therneau", f"lung, {name}: chi-square", test.loc[name, "statistic"], statistic, basis
    men = data[~female]
    mean, error = restricted_mean(men["time"], men["status"] == 1, 1022.0)
    yield "restricted mean", "lung, men, to 1022 days", mean, "326.0841", f"{call}, summary(survfit)$table"
    yield "restricted mean", "lung, men: standard error", error, "22.91156", f"{call}, summary(survfit)$table"
    fit = product_limit(data["time"], data["status"] == 1)
    at, *ends = survival_of(fit, 12)
    yield "Kaplan-Meier", "lung, one year", at, "0.409", "Zabor, Survival analysis in R"
    for name, end in zip(("low", "high"), ends, strict=True):
        yield "Kaplan-Meier", f"lung, one year: {name}", end, "", LOG_LOG
    table = pd.DataFrame({"arm": np.where(female, "f", "m"), "OS_day": day, "OS_event": died})
    middle = medians(table, endpoints=["OS"]).set_index("arm")["median"]
    yield "Kaplan-Meier", "lung, median of men", middle["m"], "270", call
    yield "Kaplan-Meier", "lung, median of women", middle["f"], "426", call
    for who, group in (("men", ~female), ("women", female)):
        ends = median_of(product_limit(data["time"][group], died[group]))[1:]
        for name, end in zip(("low", "high"), ends, strict=True):
            yield "Kaplan-Meier", f"lung, median of {who}: {name}", end, "", LOG_LOG
    rated = data[data["ph.ecog"] < 3]
    how = (rated["time"].to_numpy(float), rated["status"].to_numpy(bool))
    strata = rated["ph.ecog"].to_numpy()
    statistic = log_rank(*how, (rated["sex"] == 2).to_numpy(), strata)[0]
    yield "log-rank", "lung, sex by ph.ecog: chi-square", statistic, "", STRATA
    yield from _cox("lung, by ph.ecog", cox(*how, rated[["sex"]], strata), {"sex": ("", "")}, STRATA)


def leukemia() -> Iterator[Row]:
    """Maintained remission of Miller, and 6-mercaptopurine of Freireich."""
    day, event, kept = AML["day"], AML["event"] == 1, AML["maintained"] == 1
    call = f"{R_HELP}: aml"
    statistic, p = log_rank(day, event, kept)
    yield "log-rank", "aml: chi-square", statistic, "3.4", call
    yield "log-rank", "aml: p", p, "0.07", call
    yield "Cox", "aml: hazard ratio", hazard_ratio(day, event, ~kept)[0], "2.498", call
    for who, name, mean, error in ((kept, "maintained", "52.6", "19.83"), (~kept, "not", "22.7", "4.18")):
        found = restricted_mean(day[who].astype(float), event[who], 161.0)
        yield "restricted mean", f"aml, {name}, to 161 weeks", found[0], mean, f"{call}, print(survfit)"
        yield "restricted mean", f"aml, {name}: standard error", found[1], error, f"{call}, print(survfit)"
    data = load_leukemia()
    placebo = (data["Rx"] == 1).to_numpy()
    statistic = log_rank(data["t"], data["status"] == 1, placebo)[0]
    basis = "R, MASS::gehan"
    yield "log-rank", "6-MP: chi-square", statistic, "16.8", basis
    found = hazard_ratio(data["t"], data["status"] == 1, placebo)
    for name, ours, printed in zip(("ratio", "low", "high"), found, ("4.817", "2.147", "10.81"), strict=True):
        yield "Cox", f"6-MP: hazard {name}", ours, printed, f"{basis}, coxph"


def arrests() -> Iterator[Row]:
    """Arrests of Rossi."""
    data = load_rossi()
    full = cox(data["week"], data["arrest"], data.drop(columns=["week", "arrest"]))
    printed = {
        "fin": ("-0.3794", "0.1914"),
        "age": ("-0.0574", "0.0220"),
        "race": ("0.3139", "0.3080"),
        "wexp": ("-0.1498", "0.2122"),
        "mar": ("-0.4337", "0.3819"),
        "paro": ("-0.0849", "0.1958"),
        "prio": ("0.0915", "0.0286"),
    }
    yield from _cox("Rossi", full, printed, FOX)
    test = proportionality(data["week"], data["arrest"], data[["fin", "age", "prio"]])
    for name, statistic in {"fin": "0.00507", "age": "6.54147", "prio": "0.77288"}.items():
        yield "Grambsch-Therneau", f"Rossi, {name}: chi-square", test.loc[name, "statistic"], statistic, FOX


def breast() -> Iterator[Row]:
    """German breast cancer study, 686 patients."""
    people, strata, day, event = gbsg2()
    printed = {
        "horTh": ("-0.3462784", "0.1290747"),
        "age": ("-0.0094592", "0.0093006"),
        "menostat": ("0.2584448", "0.1834765"),
        "tsize": ("0.0077961", "0.0039390"),
        "tgrade.L": ("0.5512988", "0.1898441"),
        "tgrade.Q": ("-0.2010905", "0.1219654"),
        "pnodes": ("0.0487886", "0.0074471"),
        "progrec": ("-0.0022172", "0.0005735"),
        "estrec": ("0.0001973", "0.0004504"),
    }
    yield from _cox("GBSG2", cox(day, event, people), printed, HSAUR)
    treated = (people["horTh"] == 1).to_numpy()
    statistic = log_rank(day, event, treated, strata)[0]
    yield "log-rank", "GBSG2, horTh by tgrade: chi-square", statistic, "", STRATA
    found = cox(day, event, people[["horTh"]], strata)
    yield from _cox("GBSG2, by tgrade", found, {"horTh": ("", "")}, STRATA)
    more, low, high, _ = restricted_mean_difference(day, event, treated, 1500.0, strata)
    what, basis = "GBSG2, horTh by tgrade", "each stratum by R, put together there"
    yield "restricted mean", f"{what}, difference to 1500 days", more, "", basis
    yield "restricted mean", f"{what}: standard error", (high - low) / (2 * Z95), "", basis
    fit = product_limit(pd.Series(day), pd.Series(event))
    yield "Kaplan-Meier", "GBSG2, median", median_of(fit)[0], "", "all patients"


def gbsg2() -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Covariates, coded as R codes them, grade, days and events."""
    data = load_gbsg2()
    grade = data["tgrade"].map({"I": 0, "II": 1, "III": 2}).to_numpy()
    people = pd.DataFrame(
        {
            "horTh": (data["horTh"] == "yes").astype(float),
            "age": data["age"],
            "menostat": (data["menostat"] == "Post").astype(float),
            "tsize": data["tsize"],
            "tgrade.L": np.array([-1, 0, 1])[grade] / np.sqrt(2),
            "tgrade.Q": np.array([1, -2, 1])[grade] / np.sqrt(6),
            "pnodes": data["pnodes"],
            "progrec": data["progrec"],
            "estrec": data["estrec"],
        }
    )
    return people, grade, data["time"].to_numpy(float), data["cens"].to_numpy(bool)


def data_sets() -> Mapping[str, pd.DataFrame]:
    """What R gets, by name."""
    people, grade, day, event = gbsg2()
    return {
        "lung": load_lung(),
        "aml": AML,
        "gehan": load_leukemia(),
        "rossi": load_rossi(),
        "gbsg2": people.assign(tgrade=grade, time=day, cens=event.astype(int)),
    }


def _cox(what: str, found: pd.DataFrame, printed: dict[str, tuple[str, str]], basis: str) -> Iterator[Row]:
    for name, (effect, error) in printed.items():
        yield "Cox", f"{what}; {name}", found.loc[name, "log_ratio"], effect, basis
        yield "Cox", f"{what}; {name}: standard error", found.loc[name, "error"], error, basis
