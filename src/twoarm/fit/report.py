"""The report of a fit, beside what it froze: tables, two figures, and a page of text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from twoarm.fit.run import Fitted
from twoarm.study.folder import write_table, write_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_TITLES = {
    "demands": "Largest differences in sample, percentage points",
    "contraction": "From prior to posterior (medians and central 95 %)",
    "mixtures": "Members left if they were weighed to keep a demand (0: no weights keep it)",
    "conflicts": "Targets and what stands in their way",
    "convergence": "Misfit and spread of each ensemble",
    "sampling": "Chains as ArviZ judges them",
    "coverage": "Simulation-based calibration on an emulator",
}


def write_report(fitted: Fitted, tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write tables, figures and text.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.
    tables : mapping of str to DataFrame
        From `twoarm.fit.told.write_told`.
    folder : Path
        Where to.
    """
    from twoarm.figures import contraction, fitted_curves

    for old in folder.glob("*.csv") if folder.is_dir() else ():
        if old.stem not in tables:
            old.unlink()  # of an earlier fit
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv", index=False)
    _save(fitted_curves(tables["in_sample"]), folder / "curves.png")
    _save(contraction(tables["contraction"]), folder / "contraction.png")
    text = "\n".join(_lines(fitted, tables)) + "\n"
    write_whole(folder / "report.md", lambda path: path.write_text(text, encoding="utf-8"))


def _save(figure: Figure, path: Path) -> None:
    write_whole(path, lambda place: figure.savefig(place, dpi=110, format="png"))


def _lines(fitted: Fitted, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Write the page."""
    facts, calibration = fitted.facts, fitted.calibration
    kept = int(tables["demands"]["kept"].sum())
    same = tables["contraction"].query('verdict == "as the prior"')["parameter"].tolist()
    lines = [f"# {calibration.title}", "", calibration.description + ".", ""]
    lines += [
        f"{facts['members']} members, {len(facts['steps'])} steps, {facts['rounds']} rounds, "
        f"{facts['patients']} patients a cohort, seed {facts['seed']}: {facts['cohorts']} cohorts. "
        f"{_again(fitted)}",
        "",
        _weighed(fitted),
        "",
        f"{kept} of {len(tables['demands'])} demands are kept. The posterior is the prior, as far "
        f"as this fit can tell, in: {', '.join(name.replace('_', ' ') for name in same) or 'no parameter'}.",
        "",
        "![curves](curves.png)",
        "",
        "![contraction](contraction.png)",
    ]
    for name, title in _TITLES.items():
        if name in tables:
            lines += ["", f"## {title}", "", *_table(tables[name])]
    return lines


def _again(fitted: Fitted) -> str:
    """Say how to run it once more."""
    facts = fitted.facts
    return (
        f"Again: `twoarm calibrate {fitted.calibration.name} --members {facts['members']} "
        f"--iterations {len(facts['steps'])} --rounds {facts['rounds']} --patients {facts['patients']} "
        f"--seed {facts['seed']}`."
    )


def _weighed(fitted: Fitted) -> str:
    """Say how members were weighed, and on whom they are judged."""
    if not fitted.facts.get("weighed"):
        return "No weights of the members keep all demands; they are weighed by the emulator alone."
    return (
        "Members are weighed as evenly as the demands allow, on three cohorts of each; "
        f"{fitted.facts['effective']:g} equal ones would say as much. What follows is read off two more "
        "cohorts of each, whose patients no weight has seen."
    )


def _table(table: pd.DataFrame) -> list[str]:
    """Rows of a Markdown table, four digits."""
    short = table.apply(lambda column: column.map("{:.4g}".format) if column.dtype.kind == "f" else column)
    rows = [list(map(str, row)) for row in short.itertuples(index=False)]
    return [
        f"| {' | '.join(row)} |"
        for row in [list(map(str, table.columns)), ["---"] * len(table.columns), *rows]
    ]
