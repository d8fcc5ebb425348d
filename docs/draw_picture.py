"""Draw the README's picture from the files of a run: `python docs/draw_picture.py [results/marslight-11]`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from twoarm.report import Findings, pictures
from twoarm.report.tables import misses_first, shown_unit, with_interval
from twoarm.study import folder
from twoarm.study.compose import gather

ROOT = Path(__file__).resolve().parent.parent
MARGIN = 18  # points of paper around the drawing
DARK = {
    "ink": "#e6eaec", "muted": "#a3afb7", "rule": "#55626b", "grid": "#2b353b", "paper": "#14191d",
    "experimental": "#48b9c7", "control": "#ec9a5f",
}  # fmt: skip


def notes(findings: Findings) -> list[str]:
    """Say below the picture what it is of, and what the same model misses."""
    draws = 1 if findings.draws is None else len(findings.draws)
    said = [
        f"Lines: median of {draws} draws of card and population, a trial of {len(findings.patients)} "
        "virtual patients each; bands: all of them.",
        *missed_responses(findings),
        "Every patient is simulated. Not for clinical decisions.",
    ]
    return said


def missed_responses(findings: Findings) -> list[str]:
    """Say where the response to the first arm is published and missed."""
    if findings.comparison is None or findings.comparison.empty:
        return []
    rows = misses_first(findings.comparison)
    rows = rows[rows["missed"] & (rows["arm"] == next(iter(findings.arms))) & (rows["endpoint"] == "ORR")]
    said = []
    for _, row in rows[rows["use"] != "calibrate"].iterrows():
        published, predicted = (
            with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], shown_unit(row["unit"]))
            for name in ("published", "predicted")
        )
        said.append(f"The model misses {row['label']}: ORR {published} published, {predicted} predicted.")
    return said


def on_paper(svg: str) -> str:
    """Put a drawing on a sheet of its own, so that it reads on a light and on a dark page."""
    box = re.search(r'viewBox="([^"]*)"', svg)
    if box is None:
        return svg
    left, top, width, height = (float(x) for x in box[1].split())
    left, top, width, height = left - MARGIN, top - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN
    dark = " ".join(f"--{name}: {color};" for name, color in DARK.items())
    sheet = (
        f"<style>@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}</style>"
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="10" '
        'style="fill: var(--paper, #fffffe)"/>'
    )
    svg = svg.replace(box[0], f'viewBox="{left:g} {top:g} {width:g} {height:g}"', 1)
    return re.sub(r"(<svg[^>]*>)", lambda head: head[1] + sheet, svg, count=1)


def draw(run: Path, out: Path) -> None:
    """Write overall survival over all draws of a run as one SVG."""
    findings = gather(run)
    title = f"Simulated overall survival. {findings.title}"
    drawn = pictures.survival_draws(findings, "OS", title=title, below=notes(findings))
    text = on_paper((drawn or pictures.survival(findings))[0].svg)
    folder.write_whole(out, lambda place: place.write_text(text + "\n", encoding="utf-8"))


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    run, out = [
        *given,
        *[ROOT / "results" / "marslight-11", ROOT / "docs" / "first-light.svg"][len(given) :],
    ][:2]
    draw(run, out)
