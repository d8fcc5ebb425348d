"""From the tables of a plan to its page: sentences, figures and small tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from twoarm import figures
from twoarm.design.events import schoenfeld_events
from twoarm.figures.style import short_names
from twoarm.plan.compare import PLANNED, Compared
from twoarm.plan.run import Asked
from twoarm.plan.words import percent, provenance_of
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, render_sections
from twoarm.report.tables import Table, between, number

_TESTS = {
    "power": "as designed, with its looks",
    "power_log_rank": "log-rank at the final analysis alone",
    "power_late": "log-rank weighted to late differences (0, 1)",
    "power_mean": "restricted mean time",
}


def plan_page(asked: Asked, found: Compared, summary: pd.DataFrame) -> str:
    """Write the page of a comparison of two arms.

    Parameters
    ----------
    asked : Asked
        What was planned.
    found : Compared
        Tables.
    summary : DataFrame
        From `summary_of`.

    Returns
    -------
    str
        HTML.
    """
    own = summary[summary["scenario"] == PLANNED.label].set_index("quantity")
    planned, protocol = asked.planned, asked.planned.protocol
    labels = {arm: protocol.arms[arm].label for arm in (planned.experimental, planned.control)}
    said = short_names(labels)
    pair = f"{said[planned.experimental]} against {said[planned.control]}"
    power, months = own.loc["power"], own.loc["months"]
    answer = (
        f"With {planned.patients} patients and {planned.events[-1]} events of {planned.endpoint}, this trial shows a "
        f"benefit of {pair} with a probability of {percent(power['value'])}, and decides after "
        f"{months['value']:.0f} months."
    )
    return render_sections(
        Page(
            kicker="Plan of a trial",
            title=protocol.title or protocol.name,
            question=f"{planned.design.title}. What is the chance of success, how long does it take, and what moves it?",
            answer=answer,
            tiles=_tiles(own, found),
            sections=(
                _power_section(own, summary, found, asked),
                _design_section(own, found),
                _null_section(found, asked),
                _time_section(own, found, asked, labels),
                _inputs_section(own, found),
                _resampling_section(found, asked),
            ),
            provenance=provenance_of(asked),
        )
    )


def _tiles(own: pd.DataFrame, found: Compared) -> list[tuple[str, str, str]]:
    several = found.facts["draws"] > 1

    def over(name: str, say: object) -> str:
        low, high = own.loc[name, ["low", "high"]]
        return f"{say(low)} to {say(high)} over draws" if several else ""  # type: ignore[operator]

    ratio, middle = own.loc["hazard_ratio"], middle_power(found.operating)
    whole = found.null[found.null["look"] == 0].iloc[0]
    return [
        ("Assurance" if several else "Power", percent(own.loc["power", "value"]), over("power", percent)),
        *(
            [("Power of the middle draw", percent(middle[0]), f"whose hazard ratio is {middle[1]:.2f}")]
            if several
            else []
        ),
        (
            "Hazard ratio",
            f"{ratio['value']:.2f}",
            f"median of trials; {own.loc['hazard_ratio_low', 'value']:.2f} to {own.loc['hazard_ratio_high', 'value']:.2f} within a draw",
        ),
        ("Months to the decision", f"{own.loc['months', 'value']:.0f}", over("months", lambda x: f"{x:.0f}")),
        (
            "Patients enrolled by then",
            f"{own.loc['patients', 'value']:.0f}",
            f"{own.loc['events', 'value']:.0f} events",
        ),
        (
            "Type I error, one-sided",
            percent(whole["rejected"], 2),
            f"{percent(whole['low'], 2)} to {percent(whole['high'], 2)}",
        ),
    ]


def middle_power(operating: pd.DataFrame) -> tuple[float, float]:
    """Find power and hazard ratio of the draw that lies in the middle, as a plan that assumed one truth would.

    Examples
    --------
    >>> rows = [(draw, name, 0.1 * draw) for draw in range(3) for name in ("power", "hazard_ratio")]
    >>> table = pd.DataFrame(rows, columns=["draw", "quantity", "value"]).assign(scenario="as planned")
    >>> middle_power(table)
    (0.1, 0.1)
    """
    own = operating[operating["scenario"] == PLANNED.label]
    wide = own.pivot(index="draw", columns="quantity", values="value").sort_values("hazard_ratio")
    middle = wide.iloc[(len(wide) - 1) // 2]
    return float(middle["power"]), float(middle["hazard_ratio"])


def _power_section(own: pd.DataFrame, summary: pd.DataFrame, found: Compared, asked: Asked) -> Section:
    several = found.facts["draws"] > 1
    words = [
        "Assurance is power averaged over the draws of the molecules' cards"
        + (" and of the population's posterior" if len(asked.members) > 1 else "")
        + f": {found.facts['draws']} draws, {found.facts['replicates']} trials each. A plan that takes the middle draw "
        f"for the truth has a power of {percent(middle_power(found.operating)[0])}; assurance differs from it as far as the "
        "draws differ from each other."
        if several
        else "Power, from one pool: neither card nor population has a range here."
    ]
    rows = [
        (
            said,
            percent(own.loc[name, "value"]),
            between(100 * own.loc[name, "low"], 100 * own.loc[name, "high"], "%"),
        )
        for name, said in _TESTS.items()
    ]
    tables = [Table("Power by test, one-sided, same error", ("Test", "Power", "90 % of draws"), rows)]
    pictures = []
    operating = found.operating
    for axis, words_of in (
        ("n", "Patients; events in proportion"),
        ("events", "Events at the final analysis"),
        ("rate", "Patients a month"),
        ("ramp", "Months until all sites are open"),
        ("dropout", "Dropout a year"),
    ):
        points = _points(operating, axis, asked)
        if points is None:
            continue
        planned = {
            "n": float(asked.planned.patients),
            "events": float(asked.planned.events[-1]),
            "rate": asked.planned.protocol.enrollment.rate * 365.25 / 12,
        }.get(axis)
        drawn = figures.power_curve(points, words_of, planned=planned)
        pictures.append(
            Picture(
                figures.svg(drawn, name=f"power-{axis}", alt=f"Power against {words_of.lower()}"),
                "Gray: power in each draw; teal: their mean, the assurance. Dotted: the plan.",
            )
        )
    others = [name for name in dict.fromkeys(summary["scenario"]) if name != PLANNED.label]
    if others:
        wide = summary.pivot(index="scenario", columns="quantity", values="value").loc[
            [PLANNED.label, *others]
        ]
        tables.append(
            Table(
                "Scenarios",
                ("Scenario", "Assurance", "Months", "Patients", "Events", "Hazard ratio"),
                [
                    (
                        str(name),
                        percent(row["power"]),
                        f"{row['months']:.1f}",
                        f"{row['patients']:.0f}",
                        f"{row['events']:.0f}",
                        f"{row['hazard_ratio']:.2f}",
                    )
                    for name, row in wide.iterrows()
                ],
            )
        )
    return Section("power", "Chance of success", words=words, pictures=pictures, tables=tables)


def _points(operating: pd.DataFrame, axis: str, asked: Asked) -> pd.DataFrame | None:
    """Power over one input, the plan itself among the points."""
    wide = operating.pivot_table(index=["scenario", "draw"], columns="quantity", values="value").reset_index()
    if axis not in wide:
        return None
    varied = asked_names(operating)
    if axis not in varied or len(varied) > 1:
        return None  # not varied, or several are crossed: the table shows them
    at = {"n": asked.planned.patients, "events": asked.planned.events[-1]}
    wide.loc[wide["scenario"] == PLANNED.label, axis] = at.get(axis, np.nan)
    points = wide[wide[axis].notna()].drop_duplicates([axis, "draw"], keep="last")
    if points[axis].nunique() < 2:
        return None
    return points.rename(columns={axis: "x"})[["x", "draw", "power", "months"]]


def asked_names(operating: pd.DataFrame) -> set[str]:
    """Names that scenarios of a table vary."""
    labels = [str(name) for name in operating["scenario"].unique()]
    return {part.partition(" =")[0].strip() for label in labels for part in label.split(",") if "=" in part}


def _design_section(own: pd.DataFrame, found: Compared) -> Section:
    looks = found.boundaries
    stops = pd.DataFrame(
        {
            "look": looks["look"],
            "efficacy": [own.loc[f"efficacy_{look}", "value"] for look in looks["look"]],
            "futility": [own.loc[f"futility_{look}", "value"] for look in looks["look"]],
        }
    )
    rows = [
        (
            f"Look {row.look}",
            f"{row.events}",
            percent(row.information),
            f"{row.efficacy:.4f}",
            f"{row.p:.5f}",
            f"{row.hazard_ratio:.3f}",
            "–" if np.isinf(row.futility) or row.look == len(looks) else f"{row.futility:.4f}",
            f"{own.loc[f'months_{row.look}', 'value']:.1f}",
            percent(own.loc[f"efficacy_{row.look}", "value"]),
            percent(own.loc[f"futility_{row.look}", "value"]),
        )
        for row in looks.itertuples()
    ]
    head = (
        "",
        "Events",
        "Information",
        "z",
        "p, one-sided",
        "Hazard ratio",
        "Futility z",
        "Month",
        "Stops, efficacy",
        "Stops, futility",
    )
    pictures = []
    if len(looks) > 1:
        drawing = figures.boundaries(looks, stops)
        pictures = [
            Picture(
                figures.svg(
                    drawing, name="boundaries", alt="Boundaries by number of events, and stops at each look"
                ),
                "Left, the hazard ratio that an interim analysis must show to stop. Right, how often it does, over all "
                "draws.",
            )
        ]
    return Section("design", "Boundaries and stops", pictures=pictures, tables=(Table("Looks", head, rows),))


def _null_section(found: Compared, asked: Asked) -> Section:
    whole = found.null[found.null["look"] == 0].iloc[0]
    alpha = asked.planned.design.test.alpha if asked.planned.design.test else np.nan
    return Section(
        "null",
        "Type I error under an honest null",
        words=(
            f"In {found.facts['null_trials']} trials both arms were patients of the control arm, with their own curves, "
            "strata, dropout and looks; stops for futility were overruled. "
            f"{percent(whole['rejected'], 2)} of them claimed a benefit ({percent(whole['low'], 2)} to "
            f"{percent(whole['high'], 2)}; {percent(alpha, 1)} is allowed).",
        ),
    )


def _time_section(own: pd.DataFrame, found: Compared, asked: Asked, labels: Mapping[str, str]) -> Section:
    endpoint = asked.planned.endpoint
    ratio = figures.ratio_over_time(found.ratios, endpoint=endpoint)
    months = max(6.0, float(np.ceil(own.loc["final_months", "value"])))
    curves = figures.pool_survival(found.curves, endpoint=endpoint, months=months, names=labels)
    until = found.facts["until_months"]
    gain = own.loc["mean_gain"]
    periods = found.ratios[found.ratios["kind"] == "period"].sort_values("start")
    early, late = periods.iloc[0], periods.iloc[-1]
    hazard = own.loc["hazard_ratio", "value"]
    formula = (
        f"A formula that takes the final {hazard:.2f} as constant asks for {schoenfeld_events(hazard, power=0.9):.0f} "
        "events for 90 % power."
        if hazard < 0.995
        else f"The final {hazard:.2f} shows no benefit: no number of events makes this trial succeed."
    )
    return Section(
        "time",
        "The hazard ratio is not one number",
        words=(
            f"Where hazards are not proportional, the hazard ratio depends on when one looks: {early['middle']:.2f} in the first "
            f"{early['month']:.0f} months, {late['middle']:.2f} between months {late['start']:.0f} and {late['month']:.0f}. "
            + formula,
            f"Restricted to {until:.0f} months, the experimental arm's mean differs by {number(gain['value'])} months "
            f"({number(gain['low'])} to {number(gain['high'])} over draws). Medians of {endpoint}: "
            f"{number(own.loc['median_experimental', 'value'])} against {number(own.loc['median_control', 'value'])} months.",
        ),
        pictures=(
            Picture(
                figures.svg(ratio, name="ratio", alt="Hazard ratio at data cuts and in periods of follow-up"),
                "Median of trials and draws, with the 90 % between them. Periods with events in fewer than half of the "
                "trials are left out.",
            ),
            Picture(
                figures.svg(curves, name="survival", alt=f"{endpoint} of the pool in both arms"),
                "All virtual patients of the pool, in both arms; bands hold 90 % of the draws.",
            ),
        ),
    )


def _inputs_section(own: pd.DataFrame, found: Compared) -> Section:
    power = float(own.loc["power", "value"])
    names = ranked_inputs(found.inputs)
    parts = {str(name): part.sort_values("power") for name, part in found.inputs.groupby("input", sort=False)}
    points = []
    for name in names[:3]:
        low, high = parts[name].iloc[0], parts[name].iloc[-1]
        points.append(
            f"{name[0].upper()}{name[1:]}: {percent(low['power'])} at {low['setting']}, {percent(high['power'])} at "
            f"{high['setting']} ({low['months']:.0f} and {high['months']:.0f} months)."
        )
    widest = found.inputs.groupby("input")["power"].agg(lambda each: each.max() - each.min()).max()
    none = (
        (
            "None of them moves the answer by a percentage point: within these ranges the design is not what decides.",
        )
        if widest < 0.01
        else ()
    )
    drawing = figures.moved_inputs(found.inputs, planned=power)
    return Section(
        "inputs",
        "The three things that most change the answer",
        words=(
            "Each input is moved alone, to the ends of the range its file gives, or by a quarter where it gives none; the "
            "card to the draws at the tenth and ninetieth of a hundred. The same trials are run again.",
            *none,
        ),
        points=points,
        pictures=(
            Picture(
                figures.svg(drawing, name="inputs", alt="Assurance when one input is moved at a time"),
                "Assurance at both ends of each input.",
            ),
        ),
    )


def ranked_inputs(inputs: pd.DataFrame) -> list[str]:
    """Order the inputs by how much they move the assurance, the widest first.

    Examples
    --------
    >>> rows = pd.DataFrame({"input": ["a", "a", "b", "b"], "power": [0.5, 0.6, 0.2, 0.9]})
    >>> ranked_inputs(rows)
    ['b', 'a']
    """
    groups = inputs.groupby("input", sort=False)["power"]
    return [
        str(name) for name in (groups.max() - groups.min()).sort_values(ascending=False, kind="stable").index
    ]


def _resampling_section(found: Compared, asked: Asked) -> Section:
    error, trial = found.facts["pool_error"], found.facts["trial_error"]
    points = [
        "Exact: virtual patients do not influence each other, so a trial of patients drawn with replacement from the pool "
        "has the distribution of a trial of the pool's population. Entry, randomization, calendar time, dropout and "
        "interim analyses are drawn anew in each trial.",
        f"The pool is finite: {asked.size} patients in each arm. What it holds by chance is in every trial: the standard "
        f"error of its own log hazard ratio is {error:.3f}, beside {trial:.3f} of one trial. A larger pool narrows it.",
        "Not redrawn: the investigator's readings, because a call of progression ends treatment and so belongs to the "
        "patient's course. Independent review is redrawn, from a few versions of its readers.",
        "Not exact where patients depend on each other or on the calendar: adaptive randomization, treatment that changes "
        "while the trial runs, a population that drifts. None of these is offered.",
        "A dose, an interval or a visit schedule that is varied makes other patients: they are simulated anew.",
    ]
    return Section("resampling", "How the trials were made", points=points)


def plan_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Say a plan in a small table of text, one row a scenario.

    Parameters
    ----------
    summary : DataFrame
        From `plan_trial`.

    Returns
    -------
    DataFrame of str
        For a terminal.
    """
    wide = summary.pivot(index="scenario", columns="quantity", values="value")
    wide = wide.reindex(list(dict.fromkeys(summary["scenario"])))
    shown = {
        "power": ("assurance", percent),
        "months": ("months", lambda x: f"{x:.1f}"),
        "patients": ("patients", lambda x: f"{x:.0f}"),
        "events": ("events", lambda x: f"{x:.0f}"),
        "hazard_ratio": ("hazard ratio", lambda x: f"{x:.2f}"),
        "rate": ("response", lambda x: percent(x, 1)),
    }
    columns: dict[str, Sequence[str]] = {"scenario": [str(name) for name in wide.index]}
    for name, (title, say) in shown.items():
        if name in wide and not (name == "rate" and "months" in wide):
            columns[title] = [say(value) for value in wide[name]]
    for name in (str(name) for name in wide if str(name).startswith("picks ")):
        columns[name] = [percent(value) for value in wide[name]]
    return pd.DataFrame(columns)
