"""What matters, in tables of text, two figures and a page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.learn.matter import Matters
from twoarm.learn.runs import ENDPOINTS
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections
from twoarm.study.folder import PLAN, read_record, write_table, write_whole

PAGE, TORNADO, WORTH = "matter.html", "tornado.svg", "worth.svg"
_SHOWN = 10  # rows of a table for a reader; files have all
_NARROWED = ("log_hr_os", "log_hr_pfs", "orr", "severe")


def matter_tables(found: Matters) -> dict[str, pd.DataFrame]:
    """Say what matters in tables of text.

    Parameters
    ----------
    found : Matters
        From `what_matters`.

    Returns
    -------
    dict of str to DataFrame
        By title: how far the emulator can be believed; the largest parameters of each endpoint; measurements.
    """
    tables = {"How well the emulator predicts runs it has not seen": _quality(found)}
    tables["Share of the variance by group (Sobol, alone)"] = _groups(found)
    for endpoint in found.quality["endpoint"]:
        tables[f"What moves it: {ENDPOINTS[endpoint]}"] = _movers(found, endpoint)
    if len(found.worth):
        tables["Share of the variance that a measurement is expected to take away"] = _worth(found)
    return tables


def write_matter(found: Matters, folder: str | Path) -> Path:
    """Write tables, figures and page into the folder of the runs.

    Parameters
    ----------
    found : Matters
        From `what_matters`.
    folder : str or Path
        The same that held its runs.

    Returns
    -------
    Path
        The page.
    """
    from twoarm import figures

    place = Path(folder)
    for name in ("unknowns", "screening", "shares", "tornado", "worth", "quality"):
        write_table(getattr(found, name), place / f"{name}.csv", index=False)
    labels = _labels(found)
    bars = found.tornado[found.tornado["endpoint"].isin(["log_hr_os", "orr", "severe", "depth"])]
    bars = bars.assign(name=bars["name"].map(labels), endpoint=bars["endpoint"].map(ENDPOINTS))
    told = found.worth[found.worth["endpoint"].isin(_NARROWED)]
    told = told.assign(endpoint=told["endpoint"].map(ENDPOINTS))
    drawings = {}
    for name, figure, alt in (
        (TORNADO, figures.tornado(bars), "How far each parameter moves each endpoint"),
        (WORTH, figures.worth(told), "What measurements are expected to take away from the variance"),
    ):
        drawings[name] = figures.svg(figure, name=name.split(".")[0], alt=alt)
        write_whole(place / name, partial(_write_text, text=drawings[name]))
    page = render_sections(_page(found, drawings, read_record(place / PLAN)))
    write_whole(place / PAGE, partial(_write_text, text=page))
    return place / PAGE


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def notes_of(found: Matters, patients: int) -> list[str]:
    """Say what a reader must know beside the tables.

    Parameters
    ----------
    found : Matters
        From `what_matters`.
    patients : int
        Twins of each run.

    Returns
    -------
    list of str
        Sentences.
    """
    fitted = int((found.unknowns["scale"] == "posterior").sum())
    return [
        f"Each run is a small trial: {patients} twins in both arms, the same ranks and the same chance in "
        "every run. Differences are those of the parameters; the level of an endpoint is a small cohort's.",
        f"{len(found.unknowns)} numbers vary over the ranges their files state"
        + (f", {fitted} of them over their posterior from the fit" if fitted else "")
        + ", all at once in the runs that "
        "the emulator goes through. Those it has no argument for are its noise; shares are of all variance.",
        "A measurement's share is what knowing it, with its error, is expected to take away from the "
        "variance of the prediction, with a 95 % interval of the regression.",
    ]


def _quality(found: Matters) -> pd.DataFrame:
    table = found.quality
    return pd.DataFrame(
        {
            "endpoint": table["endpoint"].map(ENDPOINTS),
            "runs": table["runs"].astype(str),
            "failed": table["failed"].astype(str),
            "with the library's own values": table["nominal"].map("{:.3g}".format),
            "mean over runs": table["mean"].map("{:.3g}".format),
            "sd over runs": table["sd"].map("{:.3g}".format),
            "variance predicted, left out one by one": [
                f"{100 * max(x, 0):.0f} %" for x in table["explained"]
            ],
        }
    )


def _groups(found: Matters) -> pd.DataFrame:
    """Sum up shares by where the numbers stand; what is left is noise of unnamed numbers and of chance."""
    groups = found.unknowns.set_index("name")["group"]
    table = found.shares.assign(
        group=found.shares["name"].map(groups), first=found.shares["first"].clip(lower=0)
    )
    wide = table.pivot_table(index="endpoint", columns="group", values="first", aggfunc="sum", sort=False)
    wide = wide.reindex(found.quality["endpoint"]).fillna(0.0)
    told = {"endpoint": [ENDPOINTS[name] for name in wide.index]}
    told |= {str(group): [_percent(share) for share in wide[group]] for group in wide.columns}
    told["together, or not predicted"] = [_percent(1 - share) for share in wide.sum(axis=1)]
    return pd.DataFrame(told)


def _labels(found: Matters) -> dict[str, str]:
    """Short names for a reader: what stands where, and its range."""
    return {
        row["name"]: f"{row['place']} ({row['low']:.3g} to {row['high']:.3g} {_unit(row)})".replace(" )", ")")
        for row in found.unknowns.to_dict("records")
    }


def _unit(row: Mapping[object, object]) -> str:
    return "sd" if row["scale"] == "shift" else "" if row["unit"] in ("-", "") else str(row["unit"])


def _movers(found: Matters, endpoint: str) -> pd.DataFrame:
    """List the largest parameters by screening, beside what the emulator says of them."""
    screening = found.screening[found.screening["endpoint"] == endpoint].set_index("name")
    shares = found.shares[found.shares["endpoint"] == endpoint].set_index("name")
    groups = found.unknowns.set_index("name")["group"]
    labels = _labels(found)
    largest = screening["effect"].sort_values(ascending=False).index[:_SHOWN]
    by_share = shares["total"].sort_values(ascending=False).index[: _SHOWN // 2]
    rows = []
    for name in dict.fromkeys([*by_share, *largest]):
        effect, error = screening.loc[name, "effect"], screening.loc[name, "error"]
        known = name in shares.index
        rows.append(
            {
                "parameter": labels[name],
                "group": groups[name],
                "change over its range (Morris)": f"{effect:.3g}"
                + (f" ± {error:.2g}" if np.isfinite(error) else ""),
                "share alone (Sobol)": _percent(shares.loc[name, "first"]) if known else "",
                "with interactions": _percent(shares.loc[name, "total"]) if known else "",
            }
        )
    return pd.DataFrame(rows)


def _percent(share: float) -> str:
    return f"{100 * max(share, 0.0):.0f} %"


def _worth(found: Matters) -> pd.DataFrame:
    worth = found.worth[found.worth["endpoint"].isin(_NARROWED)]
    rows = []
    for name, part in worth.groupby("measurement", sort=False):
        told = {"measurement": f"{name}: {part['label'].iloc[0]}"}
        for row in part.to_dict("records"):
            span = f"{100 * row['low']:.0f} to {100 * row['high']:.0f}"
            told[ENDPOINTS[row["endpoint"]]] = f"{100 * row['share']:.0f} % ({span})"
        largest = float(part["share"].max())
        rows.append((largest, told))
    return pd.DataFrame([told for _, told in sorted(rows, key=lambda row: -row[0])])


def _page(found: Matters, drawings: Mapping[str, str], plan: Mapping[str, object]) -> Page:
    tables = matter_tables(found)
    names = list(tables)
    groups = {names[1]: tables[names[1]]}
    movers = {name: tables[name] for name in names if name.startswith("What moves")}
    shares = {name: tables[name] for name in names if name.startswith("Share of the variance")}
    tornado = Picture(
        drawings[TORNADO],
        "The endpoint with one parameter near the low and the high end of its range and all others "
        "as they come; from the emulator.",
    )
    worth = Picture(
        drawings[WORTH],
        "Share of the variance of each endpoint that a measurement is expected to take away, "
        "with 95 % intervals.",
    )
    patients = int(str(plan["patients"]))
    return Page(
        title=f"What matters to {plan['matter']}",
        question="Which numbers does the prediction hang on, and what would narrow it most?",
        sections=[
            Section(
                "belief",
                "How far to believe it",
                [*notes_of(found, patients), f"Patients: {plan.get('whose', '')}."],
                tables=as_tables({names[0]: tables[names[0]]}),
            ),
            Section("parameters", "Parameters", pictures=[tornado], tables=as_tables(groups | movers)),
            Section("measurements", "Measurements", pictures=[worth], tables=as_tables(shares)),
        ],
        provenance={key: str(value) for key, value in plan.items()},
    )
