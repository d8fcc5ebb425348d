"""An invented trial with every table that figures and the report take. No number here means anything."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

ARMS = ("experimental", "control")
MONTH = 365.25 / 12


def patients(n: int = 300, seed: int = 5) -> pd.DataFrame:
    """Per-patient outcomes, ``n`` an arm."""
    rng = np.random.default_rng(seed)
    parts = []
    for arm, shift, pfs, os in (("experimental", -28.0, 5.5, 13.0), ("control", 2.0, 3.2, 8.0)):
        change = np.clip(rng.normal(shift, 42.0, n), -100, 190)
        bor = np.select([change <= -100, change <= -30, change < 20], ["CR", "PR", "SD"], default="PD")
        change = np.where(rng.random(n) < 0.06, np.nan, change)
        bor = np.where(np.isnan(change), "NE", bor)
        progression = np.maximum(rng.exponential(pfs / np.log(2), n) * MONTH, 20.0)
        progression = np.ceil(progression / 42) * 42
        death = rng.exponential(os / np.log(2), n) * MONTH
        cut = rng.uniform(6, 26, n) * MONTH
        pfs_day, os_day = np.minimum(np.minimum(progression, death), cut), np.minimum(death, cut)
        parts.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "resistance": rng.choice(["primary", "acquired"], n),
                    "region": rng.choice(["asia", "non_asia"], n),
                    "best_change": change,
                    "bor": bor,
                    "pfs_day": pfs_day,
                    "pfs_event": np.minimum(progression, death) <= cut,
                    "os_day": os_day,
                    "os_event": death <= cut,
                    "grade3": rng.random(n) < (0.18 if arm == "experimental" else 0.55),
                    "treatment_end": np.minimum(pfs_day, os_day) * rng.uniform(0.7, 1.0, n),
                    "last_day": os_day,
                    "response_day": np.where(np.isin(bor, ["CR", "PR"]), np.minimum(42.0, pfs_day), np.nan),
                    "progression_day": np.where(pfs_day < os_day, pfs_day, np.nan),
                    "death_day": np.where(death <= cut, death, np.nan),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table.index.name = "patient"
    return table.reset_index()


def survival_curves(table: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    """Product-limit rows of the synthetic patients."""
    day, event = f"{endpoint.lower()}_day", f"{endpoint.lower()}_event"
    rows = []
    for arm, part in table.groupby("arm", sort=False):
        n = len(part)
        survival, variance = 1.0, 0.0
        rows.append((arm, 0.0, 1.0, 1.0, 1.0, n, 0, 0))
        for when, at in part.groupby(day):
            died = int(at[event].sum())
            risk = int((part[day] >= when).sum())
            survival *= 1 - died / risk
            variance += died / (risk * (risk - died)) if risk > died else 0.0
            half = 1.96 * survival * np.sqrt(variance)
            band = max(survival - half, 0.0), min(survival + half, 1.0)
            rows.append((arm, float(when), survival, *band, risk, died, len(at) - died))
    columns = ["arm", "day", "survival", "low", "high", "at_risk", "events", "censored"]
    return pd.DataFrame(rows, columns=columns).assign(endpoint=endpoint)


def medians(curves: pd.DataFrame) -> pd.DataFrame:
    """Median days by arm, with a made-up interval."""
    rows = []
    for arm, part in curves.groupby("arm", sort=False):
        below = part.loc[part["survival"] <= 0.5, "day"]
        middle = float(below.iloc[0]) if len(below) else np.inf
        rows.append((arm, middle, middle * 0.87, middle * 1.16))
    return pd.DataFrame(rows, columns=["arm", "median", "low", "high"])


def changes(table: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """Change of the sum of diameters at six-weekly scans until progression."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in table.dropna(subset=["best_change"]).itertuples():
        days = np.arange(42.0, row.pfs_day + 1, 42.0)
        depth = max(row.best_change, -100.0)
        for day in days:
            late = max(day - 0.6 * row.pfs_day, 0.0) * (0.05 if depth < 0 else 0.0)
            change = max(depth * (1 - np.exp(-day / 50)) + late + rng.normal(0, 3), -100)
            rows.append((row.patient, row.arm, day, change, row.bor))
    return pd.DataFrame(rows, columns=["patient", "arm", "day", "change", "bor"])


_SHAPES = {  # label, unit, level untreated, fold while on the fusion
    "drug_central_nM": ("fusion in blood", "nM", 0.0, 0.0),
    "cytotoxic_central_nM": ("cytotoxic in blood", "nM", 0.0, 0.0),
    "occupancy_pd1_blood": ("PD-1 occupied, blood T cells", "dimensionless", 0.0, 0.0),
    "occupancy_pd1_tumor": ("PD-1 occupied, tumor T cells", "dimensionless", 0.0, 0.0),
    "nk_blood": ("NK cells in blood", "cell/uL", 200.0, 1.25),
    "cd8_blood": ("CD8 T cells in blood", "cell/uL", 400.0, 1.8),
    "treg_blood": ("regulatory T cells in blood", "cell/uL", 40.0, 1.6),
    "eosinophils": ("eosinophils in blood", "1e9/L", 0.15, 3.0),
    "il6": ("interleukin-6", "pg/mL", 3.0, 4.0),
    "effector_tumor": ("effector cells in tumor", "cell", 1e7, 12.0),
}
_PSTAT5 = {"precursor": 0.55, "effector": 0.7, "exhausted": 0.45, "bystander": 0.06, "treg": 0.35, "nk": 0.04}


def courses(table: pd.DataFrame, days: float = 365.0, seed: int = 9) -> xr.Dataset:
    """Weekly curves of each patient, NaN after the last day."""
    rng = np.random.default_rng(seed)
    day = np.arange(0.0, days + 1, 7.0)
    n = len(table)
    on = (table["arm"] == "experimental").to_numpy()
    left = day[None, :] <= table["last_day"].to_numpy()[:, None]
    spread = np.exp(rng.normal(0, 0.35, n))[:, None]
    level = np.where(on[:, None], 250 * spread * (0.35 + 0.65 * np.exp(-((day - 7) % 21) / 8))[None, :], 0.0)
    level[:, 0] *= 0.03
    values = {"drug_central_nM": level}
    values["cytotoxic_central_nM"] = np.where(
        on[:, None], 0.0, 900 * spread * np.exp(-(day % 21) / 1.2)[None]
    )
    values["occupancy_pd1_blood"] = level / (level + 3)
    values["occupancy_pd1_tumor"] = level / (level + 40)
    rise = 1 - np.exp(-day / 25)
    for name, (_, _, base, fold) in _SHAPES.items():
        if base:
            own = base * np.exp(rng.normal(0, 0.4, n))[:, None]
            values[name] = own * np.where(on[:, None], 1 + (fold - 1) * rise[None], 1 + 0 * rise[None])
    for cell, peak in _PSTAT5.items():
        noise = np.clip(peak * np.exp(rng.normal(0, 0.3, n)), 0, 1)[:, None]
        values[f"pstat5_{cell}"] = np.where(on[:, None], noise * rise[None] + 0.01, 0.01 + 0 * rise[None])
    data = {}
    for name, array in values.items():
        label, unit, *_ = _SHAPES.get(name, (f"pSTAT5 {name[7:]}", "dimensionless"))
        attrs = {"label": label, "units": unit}
        data[name] = (("patient", "day"), np.where(left, array, np.nan), attrs)
    return xr.Dataset(data, coords={"patient": table["patient"].to_numpy(), "day": day})


def comparison() -> pd.DataFrame:
    """Predicted against published, invented."""
    n = np.nan
    rows = [
        ("Control, squamous, after immunotherapy", "median PFS", "month", 3.0, 2.7, 3.9, 3.4, 3.0, 3.9),
        ("Control, squamous, second line, another trial", "median PFS", "month", 2.8, n, n, 3.4, 3.0, 3.9),
        ("Experimental 3 mg/kg, phase 1", "median PFS", "month", 9.3, 6.1, 11.7, 5.6, 4.4, 7.5),
        ("Control, squamous", "median OS", "month", 7.7, 6.3, 8.9, 8.1, 7.0, 9.5),
        ("Experimental 3 mg/kg, phase 1, last cut", "ORR", "%", 36.7, 19.9, 56.1, 31.0, 22.0, 41.0),
        ("Control, squamous", "ORR", "%", 8.2, 3.8, 15.0, 10.1, 7.0, 14.0),
    ]
    columns = ["label", "endpoint", "unit", "published", "published_low", "published_high"]
    columns += ["predicted", "predicted_low", "predicted_high"]
    table = pd.DataFrame(rows, columns=columns)
    table["use"] = ["validate", "none", "validate", "calibrate", "validate", "calibrate"]
    table["n"] = [110, 137, 28, 110, 30, 110]
    table["source"] = "eisenhauer2009"
    table["differences"] = ["same line, OAK took no squamous after PD-1", "", "single arm; China", "", "", ""]
    return table


def draws(k: int = 64, seed: int = 1) -> pd.DataFrame:
    """Outcomes over draws of the molecule card."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 1, k)
    return pd.DataFrame(
        {
            "draw": range(k),
            "hazard_ratio_os": np.exp(-0.33 + 0.16 * strength + rng.normal(0, 0.07, k)),
            "hazard_ratio_pfs": np.exp(-0.5 + 0.2 * strength + rng.normal(0, 0.07, k)),
            "orr_experimental": 0.3 - 0.06 * strength,
        }
    )


def shares() -> pd.DataFrame:
    """Where the width comes from."""
    table = {
        "Hazard ratio of OS": (0.46, 0.14, 0.40),
        "Hazard ratio of PFS": (0.62, 0.12, 0.26),
        "ORR, experimental": (0.78, 0.05, 0.17),
        "Median OS, control": (0.0, 0.55, 0.45),
    }
    return pd.DataFrame(
        [
            (quantity, part, share)
            for quantity, row in table.items()
            for part, share in zip(("card", "patients", "chance"), row, strict=True)
        ],
        columns=["quantity", "part", "share"],
    )


def flow() -> pd.DataFrame:
    """CONSORT-style counts."""
    rows = [
        ("drawn", "", 655, "virtual patients from the population file"),
        ("excluded", "", 55, "implausible baseline 41; untreated growth out of range 14"),
        ("randomized", "", 600, "1:1, permuted blocks, stratified by resistance and region"),
        ("allocated", "experimental", 300, "treated 297; never treated 3"),
        ("allocated", "control", 300, "treated 289; never treated 11"),
        ("stopped treatment", "experimental", 251, "progression 180; toxicity 22; death 31; withdrew 18"),
        ("stopped treatment", "control", 288, "progression 204; toxicity 39; death 27; withdrew 18"),
        ("analyzed", "experimental", 300, "on treatment at cut-off 46"),
        ("analyzed", "control", 300, "on treatment at cut-off 1"),
    ]
    return pd.DataFrame(rows, columns=["step", "arm", "count", "detail"])


def findings(n: int = 60, **changed: object):
    """Everything a report may show, of ``n`` patients an arm."""
    from twoarm.report import Findings

    table = patients(n)
    curves = pd.concat([survival_curves(table, e) for e in ("PFS", "OS")], ignore_index=True)
    middle = pd.concat(
        [medians(curves[curves["endpoint"] == e]).assign(endpoint=e) for e in ("PFS", "OS")],
        ignore_index=True,
    )
    t = np.arange(0.0, 16.0) * MONTH
    published = pd.DataFrame(
        {"endpoint": "OS", "arm": "control", "label": "Published: cytotoxic, squamous (n = 110)", "day": t}
    ).assign(survival=0.5 ** (t / (7.7 * MONTH)))
    rows = [
        ("Hazard ratio of OS", "", 0.68, 0.56, 0.82, ""),
        ("Hazard ratio of PFS", "", 0.61, 0.52, 0.73, ""),
        ("ORR", "experimental", 47.7, 41.9, 53.5, "%"),
        ("ORR", "control", 23.0, 18.4, 28.2, "%"),
        ("ORR", "", 24.7, 17.1, 32.0, "%"),
        ("DCR", "experimental", 82.7, 77.9, 86.8, "%"),
        ("DCR", "control", 58.7, 52.9, 64.3, "%"),
        ("Median PFS", "experimental", 5.5, 4.6, 6.9, "month"),
        ("Median PFS", "control", 3.0, 2.8, 3.9, "month"),
        ("Median OS", "experimental", 11.8, 10.3, 13.7, "month"),
        ("Median OS", "control", 7.4, 6.4, 8.6, "month"),
        ("Grade 3 or worse, related", "experimental", 18.0, 13.8, 22.8, "%"),
        ("Grade 3 or worse, related", "control", 55.3, 49.5, 61.0, "%"),
    ]
    card = pd.DataFrame(
        {
            "entry": ["pd1_arm.kd", "il2_arm.kd_il2ra", "il2_arm.weakening_il2rb", "disposition.cl"],
            "value": [
                "0.1 to 2 nM (log)",
                "10 to 30 nM (log)",
                "30 to 1000 (log)",
                "0.25 to 0.6 L/day (log)",
            ],
            "source": ["assumed", "assumed", "assumed", "eisenhauer2009"],
            "note": ["no public value", "kept near the wild type", "no public fold", "class of molecules"],
        }
    )
    all_parts: dict[str, object] = {
        "title": "A fusion against a cytotoxic in resistant squamous lung cancer",
        "arms": {"experimental": "Fusion 3 mg/kg", "control": "Cytotoxic 75 mg/m²"},
        "patients": table,
        "measures": pd.DataFrame(rows, columns=["quantity", "arm", "value", "low", "high", "unit"]),
        "question": "Does the fusion prolong life against the cytotoxic after immunotherapy and platinum?",
        "covers": "chance in one trial of 600 patients with the card at its middle, and nothing else",
        "setting": {
            "Experimental": "0.1 mg/kg on day 1, then 3 mg/kg every 3 weeks from day 8, up to 24 months",
            "Control": "75 mg/m² every 3 weeks",
            "Population": "squamous, after PD-1 and platinum (population file v1)",
            "Biology": "pd1_il2, digest 9f3c1a…",
            "Engine": "cpu, rtol 1e-6",
            "Seed": "11",
        },
        "molecules": {"Fusion": card},
        "flow": flow(),
        "survival": curves,
        "medians": middle,
        "published_survival": published,
        "changes": changes(table),
        "courses": courses(table),
        "subgroups": pd.DataFrame(
            {
                "stratum": ["resistance", "resistance", "region", "region"],
                "level": ["primary", "acquired", "asia", "non_asia"],
                "quantity": "Hazard ratio of OS",
                "n": [290, 310, 305, 295],
                "value": [0.75, 0.62, 0.7, 0.66],
                "low": [0.57, 0.47, 0.54, 0.5],
                "high": [0.98, 0.81, 0.92, 0.87],
            }
        ),
        "comparison": comparison(),
        "draws": draws(),
        "shares": shares(),
        "tuned": pd.DataFrame(
            {
                "name": ["os_intercept", "cytotoxic_emax"],
                "value": [5.71, 0.031],
                "unit": ["log day", "1/day"],
                "fitted_to": ["median OS, control arm", "median PFS, control arm"],
            }
        ),
        "limits": [
            "Affinities are not public: the card is a range.",
            "No new lesion is linked to its parent.",
        ],
        "provenance": {"twoarm": "0.1.0", "model digest": "9f3c1a77", "seed": "11"},
    }
    return Findings(**(all_parts | changed))  # type: ignore[arg-type]
