"""Response rate, PFS, OS and hazard ratios from exported data sets alone: pandas and lifelines, no twoarm.

    twoarm export results/marslight-11 --format csv
    python examples/rederive.py results/marslight-11/export

Writes one line a result to the screen; `derive` gives the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import median_survival_times

MONTH = 365.25 / 12


def derive(folder: Path) -> pd.DataFrame:
    """Results by treatment and between treatments, with the names of `twoarm.analyze`."""
    adsl = pd.read_csv(folder / "adsl.csv", keep_default_na=False, na_values={"TRT01PN": [""]})
    adtte = pd.read_csv(folder / "adtte.csv")
    adrs = pd.read_csv(folder / "adrs.csv", keep_default_na=False)
    everybody = adsl[adsl["ITTFL"] == "Y"]
    treatments = everybody.sort_values("TRT01PN")["TRT01P"].drop_duplicates().tolist()
    rows = []
    for treatment in treatments:
        own = everybody[everybody["TRT01P"] == treatment]
        best = adrs[(adrs["PARAMCD"] == "BOR") & adrs["USUBJID"].isin(own["USUBJID"])]
        rows.append(("ORR", treatment, 100 * best["AVALC"].isin(["CR", "PR"]).sum() / len(own)))
        for endpoint, months in (("PFS", (6, 12)), ("OS", (12, 18))):
            times = adtte[(adtte["PARAMCD"] == endpoint) & (adtte["TRTP"] == treatment)]
            fit = KaplanMeierFitter().fit(times["AVAL"], times["CNSR"] == 0)  # CDISC: 0 is an event
            low, high = median_survival_times(fit.confidence_interval_survival_function_).to_numpy()[0]
            rows.append(
                (
                    f"Median {endpoint}",
                    treatment,
                    fit.median_survival_time_ / MONTH,
                    low / MONTH,
                    high / MONTH,
                )
            )
            for month in months:
                if month * MONTH <= times["AVAL"].max():
                    share = fit.survival_function_at_times(month * MONTH).iloc[0]
                    rows.append((f"{endpoint} at {month} months", treatment, 100 * share))
    for endpoint in ("PFS", "OS") if len(treatments) > 1 else ():
        pair = adtte[(adtte["PARAMCD"] == endpoint) & adtte["TRTP"].isin([treatments[0], treatments[-1]])]
        table = pd.DataFrame(
            {
                "day": pair["AVAL"],
                "event": pair["CNSR"] == 0,
                "treated": (pair["TRTP"] == treatments[0]).astype(float),
                "stratum": pair["STRATAR"],
            }
        )
        several = table["stratum"].nunique() > 1
        fit = CoxPHFitter().fit(
            table if several else table.drop(columns="stratum"),
            "day",
            "event",
            strata="stratum" if several else None,
            fit_options={"precision": 1e-12},
        )
        found = fit.summary.loc["treated"]
        ends = (found["exp(coef) lower 95%"], found["exp(coef) upper 95%"])
        rows.append((f"Hazard ratio of {endpoint}", "", found["exp(coef)"], *ends))
    return pd.DataFrame(rows, columns=["quantity", "treatment", "value", "low", "high"])


if __name__ == "__main__":
    print(derive(Path(sys.argv[1])).round(3).to_string(index=False))
