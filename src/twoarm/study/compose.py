"""From the folder of a run to what its report shows; reads files only, so a page can be written again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from twoarm import catalog
from twoarm.bibliography import ASSUMED, sources_in
from twoarm.entries import read_entries
from twoarm.errors import NotARunError
from twoarm.evidence.compare import compare
from twoarm.evidence.read import read_curves, read_evidence
from twoarm.figures.style import level_words
from twoarm.report import Findings, write_report
from twoarm.study import folder as files
from twoarm.study.card import Study
from twoarm.study.pool import pool, shares
from twoarm.study.whom import files_of, in_words
from twoarm.trial.protocol import Protocol, read_protocol
from twoarm.units import factor

_LEFT = 0.05  # share of patients at risk below which a curve says little
_CHARACTERISTICS = {
    "age": "Age, years",
    "female": "Female",
    "ecog": "ECOG performance status",
    "region": "Region",
    "resistance": "Resistance to immunotherapy",
    "sequence": "Immunotherapy and chemotherapy",
    "weight": "Weight, kg",
    "albumin": "Albumin, g/L",
    "lesions": "Target lesions",
    "sld_baseline": "Sum of diameters, mm",
    "phenotype": "Immune phenotype",
    "days_since_anti_pd1": "Days since the last anti-PD-1",
}
_LEVELS = ("female", "ecog")  # numbers that name levels
_RATIOS = ("Hazard ratio of OS", "Hazard ratio of PFS")


def write_findings(folder: Path) -> Findings:
    """Gather what a run has written, and write its record and page.

    Parameters
    ----------
    folder : Path
        Of a run whose trials are done.

    Returns
    -------
    Findings
        What the page shows.

    Raises
    ------
    NotARunError
        If the folder is not that of a finished run.
    """
    findings = gather(folder)
    record = {
        "measures": findings.measures.to_dict("records"),
        "comparison": [] if findings.comparison is None else findings.comparison.to_dict("records"),
        "shares": [] if findings.shares is None else findings.shares.to_dict("records"),
        "sources": sorted(findings.sources),
        "provenance": dict(findings.provenance),
    }
    files.write_record(_without_nan(record), folder / files.RECORD)
    write_report(findings, folder / files.PAGE)
    return findings


def gather(folder: Path) -> Findings:
    """Read a run's files as what a report shows.

    Parameters
    ----------
    folder : Path
        Of a run whose trials are done.

    Returns
    -------
    Findings
        Curves and outcomes of the trial in the middle of the draws; measures over all draws.

    Raises
    ------
    NotARunError
        If the folder is not that of a finished run.
    """
    plan = files.read_record(folder / files.PLAN)
    study = Study.model_validate(plan["study"])
    protocol = read_protocol(study.protocol)
    places = sorted(path.parent for path in (folder / "draws").glob(f"*/{files.RECORD}"))
    if not places:
        raise NotARunError(folder=folder, missing="finished trial")
    measures = pd.concat([files.read_table(place / "measures.csv") for place in places], ignore_index=True)
    measures = measures.fillna({"arm": "", "unit": ""})
    first = measures[measures["replicate"] == 0]
    pooled = pool(first)
    middle = shown_trial(folder)
    draws = _draws(first)
    record = files.read_record(middle / files.RECORD)
    return Findings(
        title=protocol.title or protocol.name,
        arms={name: arm.label for name, arm in protocol.arms.items()},
        patients=files.read_table(middle / files.OUTCOMES),
        measures=pooled,
        question=study.question,
        primary=study.primary,
        covers=_covers(plan, len(draws)),
        setting=_setting(plan, study, protocol, record, middle),
        molecules=_molecules(plan),
        flow=_optional(middle / "flow.csv", "arm", "detail"),
        baseline=_baseline(population_of(folder, middle), middle / files.OUTCOMES),
        toxicity=_toxicity(protocol, [place for place in places if "chance" not in place.name]),
        survival=_optional(middle / "survival.csv"),
        survival_draws=_survival_draws([place for place in places if "chance" not in place.name]),
        medians=_optional(middle / "medians.csv"),
        published_survival=_published_curves(study),
        changes=_optional(middle / "changes.csv"),
        courses=_courses(middle / files.COURSES),
        subgroups=_optional(middle / "subgroups.csv", "level"),
        ends=_optional(middle / "ends.csv"),
        ends_compared=_optional(middle / "ends_compared.csv"),
        comparison=_comparison(study, pooled),
        draws=draws if len(draws) > 1 else None,
        shares=shares(measures, quantities=_RATIOS, drawn=_drawn(plan)),
        tuned=_tuned(protocol, plan),
        limits=study.limits,
        sources=sorted(_sources(study, protocol, plan)),
        provenance=_provenance(plan, record),
    )


def population_of(folder: Path, trial: Path) -> Path:
    """Find the patients of a trial.

    Parameters
    ----------
    folder : Path
        Of the run.
    trial : Path
        Folder of one of its trials.

    Returns
    -------
    Path
        Beside the trial where each has patients of its own, else the run's.
    """
    own = trial / "population.csv"
    return own if own.is_file() else folder / "population.csv"


def _drawn(plan: Mapping[str, Any]) -> str:
    """Name what differs between draws."""
    return "card and population" if plan.get("populations", {}).get("of", 1) > 1 else "card"


def shown_trial(folder: Path) -> Path:
    """Find the trial whose curves the page shows: the middle one of the draws.

    Parameters
    ----------
    folder : Path
        Of a run.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    NotARunError
        If no trial is finished.
    """
    places = sorted(path.parent for path in (folder / "draws").glob(f"*/{files.RECORD}"))
    if not places:
        raise NotARunError(folder=folder, missing="finished trial")
    tables = [files.read_table(place / "measures.csv") for place in places if "chance" not in place.name]
    measures = pd.concat(tables, ignore_index=True)
    return folder / "draws" / _middle_draw(measures)


def _middle_draw(measures: pd.DataFrame) -> str:
    """Folder of the draw whose hazard ratio of OS is the middle one; of the first where there is none."""
    ratios = measures[(measures["quantity"] == _RATIOS[0]) & measures["value"].notna()].sort_values(
        ["value", "draw"]
    )
    draw = int(ratios["draw"].iloc[(len(ratios) - 1) // 2]) if len(ratios) else 0
    return f"draw-{draw:03d}"


def _draws(measures: pd.DataFrame) -> pd.DataFrame:
    """Hazard ratios, a row a draw."""
    ratios = measures[measures["quantity"].isin(_RATIOS)]
    wide = ratios.pivot(index="draw", columns="quantity", values="value")
    names = {quantity: f"hazard_ratio_{quantity.split()[-1].lower()}" for quantity in _RATIOS}
    return wide.rename(columns=names).rename_axis(columns=None).reset_index()


def _survival_draws(places: list[Path]) -> pd.DataFrame | None:
    """Median, least and greatest survival over the draws, to where one in 20 is left in each of them."""
    tables = [table for place in places if (table := _optional(place / "survival.csv")) is not None]
    if len(tables) < 2:
        return None
    rows = []
    for (endpoint, arm), _ in tables[0].groupby(["endpoint", "arm"], sort=False):
        own = [t[(t["endpoint"] == endpoint) & (t["arm"] == arm)].sort_values("day") for t in tables]
        last = min(float(t["day"][t["at_risk"] >= _LEFT * t["at_risk"].max()].max()) for t in own)
        day = np.arange(0.0, last + 1.0)
        steps = [np.searchsorted(t["day"].to_numpy(float), day, side="right") - 1 for t in own]
        curves = [t["survival"].to_numpy(float)[step] for t, step in zip(own, steps, strict=True)]
        low, middle, high = np.quantile(np.array(curves), [0.0, 0.5, 1.0], axis=0)
        rows.append(
            pd.DataFrame({"day": day, "survival": middle, "low": low, "high": high}).assign(
                endpoint=endpoint, arm=arm, draws=len(own)
            )
        )
    return pd.concat(rows, ignore_index=True)


def _toxicity(protocol: Protocol, places: list[Path]) -> pd.DataFrame | None:
    """Share of patients with each kind of event up to the cut: median, least and greatest over the draws."""
    named = catalog.read_toml(catalog.find("outcomes", str(protocol.outcomes))).get("toxicity", {})
    labels = {str(kind["name"]): str(kind.get("label", kind["name"])) for kind in named.get("kinds", [])}
    parts = []
    for place in places:
        events = _optional(place / "toxicity.csv")
        if events is None:
            return None
        people = files.read_table(place / files.OUTCOMES).set_index("patient")
        seen = events.join(people[["arm", "last_day"]], on="patient")
        seen = seen[seen["day"] <= seen["last_day"]]
        sizes = people.groupby("arm").size()
        for grade in (1, 3):
            counts = seen[seen["grade"] >= grade].groupby(["toxicity", "arm"])["patient"].nunique()
            index = pd.MultiIndex.from_product([labels, sizes.index], names=["toxicity", "arm"])
            share = 100 * counts.reindex(index, fill_value=0) / sizes.reindex(index, level="arm")
            parts.append(share.rename("value").reset_index().assign(grade=grade))
    if not parts or not labels:
        return None
    spread = pd.concat(parts).groupby(["toxicity", "arm", "grade"], sort=False)["value"]
    table = spread.agg(value="median", low="min", high="max").reset_index()
    return table.assign(kind=table["toxicity"].map(labels))[["kind", "arm", "grade", "value", "low", "high"]]


def _baseline(population: Path, outcomes: Path) -> pd.DataFrame | None:
    """Who was randomized, by arm: median (quartiles) of numbers, count (share) of levels."""
    people = _optional(population)
    if people is None:
        return None
    arms = files.read_table(outcomes).set_index("patient")["arm"]
    people = people.set_index("patient").reindex(arms.index)
    rows = []
    for column, label in _CHARACTERISTICS.items():
        if column not in people:
            continue
        values = people[column]
        if column in _LEVELS or values.dtype == object:
            for level in sorted(values.dropna().unique(), key=str):
                words = label if column == "female" else f"{label}: {level_words(level)}"
                if column == "female" and not level:
                    continue
                own = (values == level).groupby(arms, sort=False)
                said = {arm: f"{part.sum():.0f} ({100 * part.mean():.0f} %)" for arm, part in own}
                rows.append({"characteristic": words, **said})
        else:
            quartiles = values.astype(float).groupby(arms, sort=False).quantile([0.25, 0.5, 0.75]).unstack()
            form = "{:g} ({:g} to {:g})" if (values.dropna() % 1 == 0).all() else "{:.1f} ({:.1f} to {:.1f})"
            said = {arm: form.format(q[0.5], q[0.25], q[0.75]) for arm, q in quartiles.iterrows()}
            rows.append({"characteristic": f"{label}, median (quartiles)", **said})
    return pd.DataFrame(rows) if rows else None


def _covers(plan: Mapping[str, Any], draws: int) -> str:
    trial = f"the patients and chance of a trial of {plan['patients']} patients"
    if draws < 2:
        return f"{trial}; not the molecules' cards"
    weighed = " as reports weigh them" if plan.get("weights") else ""
    fitted = ", each with a member of the frozen population" if _drawn(plan) != "card" else ""
    return f"{draws} draws of the molecules' cards{weighed}{fitted}, {trial}"


def _setting(
    plan: Mapping[str, Any], study: Study, protocol: Protocol, record: Mapping[str, Any], middle: Path
) -> dict[str, str]:
    digests = plan["digests"]
    several = plan["draws"] > 1
    return {
        "Protocol": " ".join(part for part in (protocol.title or protocol.name, protocol.registry) if part),
        **{f"Arm {name}": arm.label for name, arm in protocol.arms.items()},
        "Patients": f"{plan['patients']} virtual patients of {protocol.population}",
        **{name: words for name, words in _whose(plan).items() if words},
        "Biology": f"{study.model}, digest {digests['model'][:12]}",
        "Data cut": str(record["cut"]),
        "Simulation failed": f"{record['failed']} of {plan['patients']} patients of the trial shown",
        "Trials": f"{plan['draws']} draws of the cards, {plan['replicates']} further replicates of chance",
        **(
            {"Curves and figures": f"of {middle.name}, the middle one by hazard ratio of OS"}
            if several
            else {}
        ),
        "Seed": str(plan["seed"]),
    }


def _whose(plan: Mapping[str, Any]) -> dict[str, str]:
    """Say whose patients they are, and whether reports have weighed the card."""
    weights = plan.get("weights") or {}
    told = (
        f"{plan['draws']} draws resampled from {weights['draws']} that reports have weighed "
        f"({weights['effective']:g} in effect): a posterior on the molecule, not the untouched prediction"
        if weights
        else ""
    )
    words = {"Population": in_words(plan.get("populations", {})), f"Card of {weights.get('molecule')}": told}
    return words


def _provenance(plan: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{f"engine {name}": str(value) for name, value in record["engine"].items()},
        **{f"version of {name}": str(value) for name, value in plan["versions"].items()},
        **{f"digest of {name}": str(value)[:16] for name, value in plan["digests"].items()},
        **{f"weights: {name}": str(value) for name, value in (plan.get("weights") or {}).items()},
    }


def _molecules(plan: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Cards of the molecules, as far as they are the library's."""
    cards = {}
    for name in _molecule_names(plan):
        rows = read_entries(catalog.find("molecules", name))
        cards[name] = rows[rows["source"] != ""][["entry", "value", "source", "note"]]
    return cards


def _molecule_names(plan: Mapping[str, Any]) -> list[str]:
    known = catalog.names("molecules")
    return [name for name in plan["digests"] if name in known]


def _optional(path: Path, *texts: str) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    return files.read_table(path).fillna(dict.fromkeys(texts, ""))


def _courses(path: Path) -> xr.Dataset | None:
    if not path.is_file():
        return None
    with xr.open_dataset(path, engine="h5netcdf") as found:
        courses = found.load()
    for values in courses.values():
        values.attrs.setdefault("label", values.attrs.get("long_name", values.name))
    return courses


def _published_curves(study: Study) -> pd.DataFrame | None:
    overlay = study.curves
    if overlay is None:
        return None
    rows = read_curves(overlay.evidence)
    own = rows[rows["drug"] == overlay.drug]
    month = factor("month", "day")
    curves = [
        pd.DataFrame({"endpoint": endpoint, "day": own["month"] * month, "survival": own[endpoint]})
        for endpoint in ("PFS", "OS")
    ]
    return pd.concat(curves, ignore_index=True).assign(arm=overlay.arm, label=overlay.label)


def quantity_of(endpoint: str) -> str:
    """Name of our measure for an endpoint of the evidence.

    Parameters
    ----------
    endpoint : str
        As in the evidence tables.

    Returns
    -------
    str
        As in the measures; the endpoint itself where there is no other name.

    Examples
    --------
    >>> quantity_of("mPFS"), quantity_of("OS_12m"), quantity_of("TRAE_G3plus"), quantity_of("HR_OS")
    ('Median PFS', 'OS at 12 months', 'Grade >= 3 events', 'Hazard ratio of OS')
    """
    if endpoint == "TRAE_G3plus":
        return "Grade >= 3 events"
    named = re.sub(r"^m(PFS|OS)$", r"Median \1", endpoint)
    named = re.sub(r"^HR_(PFS|OS)$", r"Hazard ratio of \1", named)
    return re.sub(r"^(PFS|OS)_(\d+)m$", r"\1 at \2 months", named)


def _comparison(study: Study, measures: pd.DataFrame) -> pd.DataFrame | None:
    """Predicted beside published, for the facts the study names."""
    if not study.compare:
        return None
    evidence = read_evidence(list(study.evidence))
    endpoints = evidence.set_index("id")["endpoint"]
    by_measure = measures.set_index(["arm", "quantity"])
    rows, about = {}, {}
    for beside in study.compare:
        for fact in beside.facts:
            key = (beside.arm, quantity_of(str(endpoints.get(fact, fact))))
            if key in by_measure.index and np.isfinite(by_measure["value"].loc[key]):
                rows[fact] = by_measure.loc[key, ["value", "low", "high"]].astype(float)
                about[fact] = beside
    if not rows:
        return None
    table = compare(pd.DataFrame(rows).T, evidence)
    names = {"reported": "published", "reported_low": "published_low", "reported_high": "published_high"}
    table = table.rename(columns=names).rename(columns={"source_url": "source"})
    table["label"] = [
        f"{about[fact].label}: {quantity_of(table['endpoint'].iloc[i])}" for i, fact in enumerate(table["id"])
    ]
    table["differences"] = [about[fact].differences for fact in table["id"]]
    table["arm"] = [about[fact].arm for fact in table["id"]]
    return table


def _tuned(protocol: Protocol, plan: Mapping[str, Any]) -> pd.DataFrame:
    """Every number that was tuned, of all the files that a run rests on."""
    tables = []
    for path in _files(protocol, plan):
        rows = read_entries(path)
        own = rows[rows["tuned"]].rename(columns={"entry": "name", "note": "fitted_to"})
        kinds = catalog.read_toml(path).get("toxicity", {}).get("kinds", [])
        called = {f"kinds.{i}.": f"{kind['name']}." for i, kind in enumerate(kinds, start=1)}
        words = [_called(name, called) for name in own["name"]]
        tables.append(own.assign(name=[f"{path.stem}: {name}" for name in words]))
    return pd.concat(tables, ignore_index=True)[["name", "value", "unit", "fitted_to", "source"]]


def _called(entry: str, names: Mapping[str, str]) -> str:
    """Say a place in a file with the name of a kind of event in place of its number."""
    for number, name in names.items():
        entry = entry.replace(number, name)
    return entry


def _files(protocol: Protocol, plan: Mapping[str, Any]) -> list[Path]:
    own = files_of(plan.get("populations", {}), protocol)
    return own + [catalog.find("molecules", name) for name in _molecule_names(plan)]


def _sources(study: Study, protocol: Protocol, plan: Mapping[str, Any]) -> set[str]:
    found = set().union(*(sources_in(path) for path in _files(protocol, plan)))
    found |= sources_in(catalog.find("protocols", study.protocol))
    return (found | sources_in(catalog.find("biology", study.model))) - {ASSUMED}


def _without_nan(node: Any) -> Any:
    """Return the same content with None for NaN and a word for infinity, as JSON wants it."""
    if isinstance(node, dict):
        return {key: _without_nan(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_nan(value) for value in node]
    if isinstance(node, float) and not np.isfinite(node):
        return "infinite" if np.isinf(node) else None
    if isinstance(node, np.generic):
        return _without_nan(node.item())
    return None if node is pd.NA else node
