"""From the tables of a plan without a comparison to its page: response rates, baskets, escalations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm import figures
from twoarm.design.card import Rates
from twoarm.plan.rates import ALL, window_of
from twoarm.plan.run import Asked
from twoarm.plan.words import percent, provenance_of
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, render_sections
from twoarm.report.tables import Table

RULES = {"three_plus_three": "3+3", "boin": "BOIN", "crm": "CRM"}

_CONTROL = {
    "none": "Each basket is tested at the whole error: nothing is done about their number.",
    "bonferroni": "Each basket is tested at its part of the error (Bonferroni).",
    "holm": "The baskets share the error by Holm's steps: the smallest p-value is laid beside its part of the error, "
    "the next beside a larger one, as long as each succeeds. Each basket has the size that the strictest step needs.",
}


def rates_page(asked: Asked, summary: pd.DataFrame) -> str:
    """Write the page of a design on response rates.

    Parameters
    ----------
    asked : Asked
        What was planned.
    summary : DataFrame
        From `summary_of`.

    Returns
    -------
    str
        HTML.
    """
    wide = summary.pivot(index="scenario", columns="quantity", values="value")
    wide = wide.reindex(list(dict.fromkeys(summary["scenario"])))
    whole = wide.index.str.startswith(ALL)
    alone, together = wide[~whole], wide[whole]
    rates = asked.planned.design.rates
    assert rates is not None
    first = alone.iloc[0]
    best = alone["power"].idxmax()
    answer = (
        f"The design accepts the treatment with a probability of {percent(alone.loc[best, 'power'])} in {best}."
        if len(together)
        else f"The design accepts the treatment with a probability of {percent(first['power'])}, after "
        f"{first['months']:.0f} months on average."
    )
    shown = alone.head(4)
    return render_sections(
        Page(
            kicker="Plan of a trial",
            title=f"{asked.planned.design.title}: {asked.planned.protocol.arms[asked.planned.experimental].label}",
            question=f"Is the response rate above {100 * rates.null:g} %, and worth {100 * rates.target:g} %?",
            answer=answer,
            tiles=[
                (str(name), percent(row["power"]), f"at a response rate of {100 * row['rate']:.1f} %")
                for name, row in shown.iterrows()
            ],
            sections=(
                _stages(alone, asked),
                _operating(alone, summary, asked),
                *([_families(together, rates)] if len(together) else []),
            ),
            provenance=provenance_of(asked),
        )
    )


def _stages(alone: pd.DataFrame, asked: Asked) -> Section:
    """How the design decides, in words."""
    first, wait = alone.iloc[0], window_of(asked.planned)
    decides = (
        f"Stop at {first['r1']:.0f} or fewer responses among {first['n1']:.0f} patients; reject the treatment at "
        f"{first['r']:.0f} or fewer among {first['n']:.0f}."
        if "r1" in alone
        else f"Reject the treatment at {first['r']:.0f} or fewer responses among {first['n']:.0f} patients."
    )
    waits = (
        f"A response counts within {wait / 7:.0f} weeks of a patient's entry, and the answer is there so long after the "
        "last entry. " + ("Enrollment waits for the answer of the first stage. " if "r1" in alone else "")
    ) + "Months count from the opening of the trial, by the expected entries of the protocol's speed."
    return Section("design", "Design", words=(decides, waits))


def _operating(alone: pd.DataFrame, summary: pd.DataFrame, asked: Asked) -> Section:
    """Say what the design does in each basket or scenario."""
    ends = summary.set_index(["scenario", "quantity"])
    stages, first = "r1" in alone, alone.iloc[0]
    rows = []
    for name, row in alone.iterrows():
        low, high = (100 * ends.loc[(name, "rate"), end] for end in ("low", "high"))
        said = f"{row['r1']:.0f}/{row['n1']:.0f}, " if stages else ""
        rows.append(
            (
                str(name),
                f"{100 * row['rate']:.1f} % ({low:.1f} to {high:.1f})",
                f"{said}{row['r']:.0f}/{row['n']:.0f}",
                percent(row["power"]),
                percent(row["type_one"], 1),
                f"{percent(row['power_at_target'])} at {percent(row['target'])}",
                f"{row['patients']:.1f}",
                f"{row['months']:.1f}",
                percent(row["early"]) if stages else "–",
            )
        )
    head = (
        "",
        "Response rate, 90 % of draws",
        "Rejects at",
        "Accepts",
        "Type I error",
        "Power at target",
        "Expected patients",
        "Expected months",
        "Stops early",
    )
    spread = 100 * np.sqrt(first["rate"] * (1 - first["rate"]) / asked.size)
    return Section(
        "operating",
        "What it does",
        words=(
            "Virtual patients are simulated once. Drawn from the pool they are alike by chance, so that the number of "
            "responses is binomial with the pool's rate: these numbers are exact for the pool, without Monte Carlo error. "
            f"The pool itself is a sample; its share is known to about {spread:.1f} percentage points.",
        ),
        tables=(Table("Operating characteristics", head, rows),),
    )


def _families(together: pd.DataFrame, rates: Rates) -> Section:
    """Say what the baskets do together."""
    rows = [
        (
            str(name),
            percent(row["any"]),
            f"{row['accepted']:.2f}",
            percent(row["any_false"], 1),
            percent(row["any_false_null"], 1),
            f"{row['patients']:.1f}",
            f"{row['months']:.1f}",
        )
        for name, row in together.iterrows()
    ]
    head = (
        "",
        "At least one accepted",
        "Accepted, mean",
        "A useless one accepted",
        "The same, if all are useless",
        "Expected patients",
        "Months to the last answer",
    )
    return Section(
        "together",
        "The baskets together",
        words=(
            _CONTROL[rates.control]
            + f" Useless is a basket whose rate in the pool is {100 * rates.null:g} % or less. Baskets are independent "
            "given the draw of the card; no basket borrows from another.",
        ),
        tables=(Table("All baskets", head, rows),),
    )


def escalation_page(asked: Asked, doses: pd.DataFrame) -> str:
    """Write the page of an escalation.

    Parameters
    ----------
    asked : Asked
        What was planned.
    doses : DataFrame
        From `plan_escalation`.

    Returns
    -------
    str
        HTML.
    """
    card = asked.planned.design.escalation
    assert card is not None
    moved = doses[doses["setting"] != ""]
    groups = doses[doses["setting"] == ""].groupby(["scenario", "dose"], sort=False)
    table = groups[["picked", "toxicity", "patients", "limited"]].mean().reset_index()
    table["toxicity_low"] = groups["toxicity"].quantile(0.05).to_numpy()
    table["toxicity_high"] = groups["toxicity"].quantile(0.95).to_numpy()
    table = table.rename(columns={"scenario": "rule"})
    names = {arm: asked.planned.protocol.arms[arm].treatments[0].dose for arm in card.arms}
    best = table.loc[table["picked"].idxmax()]
    rows = [
        (
            names.get(dose, "none"),
            *(percent(float(part[part["rule"] == rule]["picked"].iloc[0])) for rule in card.rules),
            percent(float(part["toxicity"].iloc[0]), 1) if dose else "–",
            *(
                f"{float(part[part['rule'] == rule]['patients'].iloc[0]):.1f}" if dose else "–"
                for rule in card.rules
            ),
        )
        for dose, part in table.groupby("dose", sort=False)
    ]
    head = (
        "Dose",
        *(f"{RULES[rule]} picks it" for rule in card.rules),
        "Dose-limiting events",
        *(f"Patients, {RULES[rule]}" for rule in card.rules),
    )
    picture = Picture(
        figures.svg(
            figures.picked_doses(table, names=names, rules={rule: RULES[rule] for rule in card.rules}),
            name="doses",
            alt="Toxicity by dose, and how often each rule recommends each dose",
        ),
        "Left, patients with a dose-limiting event in the pool; bars span 90 % of the draws of the card. Right, the dose "
        "recommended at the end, over all trials and draws.",
    )
    return render_sections(
        Page(
            kicker="Plan of a trial",
            title=asked.planned.design.title,
            question="Which dose does phase 1 pick?",
            answer=f"{RULES[str(best['rule'])]} recommends {names.get(str(best['dose']), 'no dose')} in "
            f"{percent(float(best['picked']))} of the trials.",
            tiles=(),
            sections=(
                Section("doses", "Doses", pictures=(picture,), tables=(Table("Escalation", head, rows),)),
                *([_settings(moved, names)] if len(moved) else []),
                Section(
                    "how",
                    "How",
                    points=(
                        f"A dose-limiting event is a related event of grade {card.limiting.grade} or above within "
                        f"{card.limiting.window:g} days"
                        + "".join(
                            f"; {kind.replace('_', ' ')} from grade {grade}"
                            for kind, grade in card.limiting.kinds.items()
                        )
                        + ". It comes from the toxicity layer, which knows no dose.",
                        f"BOIN and CRM aim at {100 * card.target:g} %, {card.cohort} patients at a time, {card.most} at "
                        "most; 3+3 recommends the highest dose with at most 1 event in 6 patients.",
                        "Patients of a trial are drawn from a pool that was simulated once, each dose in the same "
                        "patients. That is exact: what happens to one patient changes no other patient.",
                        "Patients who leave within the window without an event count as patients without one.",
                    ),
                ),
            ),
            provenance=provenance_of(asked),
        )
    )


def _settings(doses: pd.DataFrame, names: dict[str, str]) -> Section:
    """Which dose each rule picks as a number of the design is varied."""
    means = doses.groupby(["setting", "scenario", "dose"], sort=False)[
        ["picked", "patients", "limited"]
    ].mean()
    rows = []
    for (setting, rule), part in means.groupby(level=[0, 1], sort=False):
        best = part["picked"].idxmax()
        rows.append(
            (
                str(setting),
                RULES[str(rule)],
                names.get(str(best[-1]), "none"),
                percent(float(part["picked"].max())),
                f"{part['patients'].sum():.1f}",
                f"{part['limited'].sum():.1f}",
            )
        )
    head = ("", "Rule", "Picks most often", "In so many trials", "Patients", "Dose-limiting events")
    return Section("settings", "Other settings", tables=(Table("Settings", head, rows),))
