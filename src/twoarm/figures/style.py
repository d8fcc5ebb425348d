"""One look for every figure: colors, type, grid, and the way from a figure to inline SVG.

The two arms are teal and burnt orange: they differ in hue and in lightness, so they stay apart for readers
with any common color blindness and on a gray print. In SVG every color of the palette becomes a CSS
variable, so a page may redraw all figures for a dark background without a second copy.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1e2930"
MUTED = "#5a6771"
RULE = "#b4bdc3"
GRID = "#e4e8ea"
PAPER = "#fffffe"
EXPERIMENTAL = "#00707f"
CONTROL = "#bd5b1c"
THIRD = "#6a4c93"
FOURTH = "#3f7d3a"
FIFTH = "#8a6d1f"

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    GRID: "grid",
    PAPER: "paper",
    EXPERIMENTAL: "experimental",
    CONTROL: "control",
    THIRD: "third",
    FOURTH: "fourth",
    FIFTH: "fifth",
}

DAYS_PER_MONTH = 365.25 / 12
FULL_WIDTH = 8.0  # inch; a page of the report shows it at 1.6 times

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in somebody's arm name is a dollar sign
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.labelpad": 5,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "xtick.labelsize": 8,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "ytick.labelsize": 8,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "svg.fonttype": "none",
}

_FONTS = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_IDENTITY = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(href="#|url\(#)([^")]+)')
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this block and the figure wears the house style."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that belongs to nobody's window. Sizes in inch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(wspace=0.05)  # type: ignore[call-arg]
    return figure


def arm_colors(arms: Iterable[object]) -> dict[str, str]:
    """Colors of the arms; the names "experimental" and "control" keep theirs in any order.

    Parameters
    ----------
    arms : iterable of str
        Names in the order of the protocol; repeats are ignored.

    Returns
    -------
    dict of str to str
        A hexadecimal color for each arm.

    Examples
    --------
    >>> arm_colors(["control", "experimental"])["control"] == arm_colors(["experimental", "control"])[
    ...     "control"
    ... ]
    True
    """
    names = list(dict.fromkeys(str(arm) for arm in arms))
    fixed = {"experimental": EXPERIMENTAL, "control": CONTROL}
    chosen = {name: fixed[name] for name in names if name in fixed}
    free = [c for c in (EXPERIMENTAL, CONTROL, THIRD, FOURTH, FIFTH) if c not in chosen.values()]
    for index, name in enumerate(name for name in names if name not in chosen):
        chosen[name] = free[index % len(free)]
    return {name: chosen[name] for name in names}


def tint(color: str, share: float) -> tuple[str, float]:
    """``color`` with an opacity: it pales toward the page, be the page light or dark."""
    return (color, share)


def title_case(name: object) -> str:
    """First letter up, underscores to spaces: how an arm or column is shown to a reader."""
    text = str(name).replace("_", " ").strip()
    if text[1:2].isupper():  # mPFS, pH
        return text
    return text[:1].upper() + text[1:]


def by_arm(table: pd.DataFrame, names: Mapping[str, str] | None) -> pd.DataFrame:
    """Sort rows by the order of the arms in ``names``, then as arms come; ``arm`` becomes text."""
    arms = table["arm"].astype(str)
    order = {arm: rank for rank, arm in enumerate(dict.fromkeys([*(names or ()), *arms]))}
    return table.assign(arm=arms).iloc[np.argsort(arms.map(order).to_numpy(), kind="stable")]


def arm_title(names: Mapping[str, str] | None, arm: str, letters: int = 48) -> str:
    """Say what to call an arm, in lines short enough for its panel, two at most."""
    lines = wrap((names or {}).get(arm, title_case(arm)), letters, break_long_words=True)
    return "\n".join([*lines[:1], *(shorten(" ".join(lines[1:]), letters) for _ in lines[1:2])])


def short_names(names: Mapping[str, str]) -> dict[str, str]:
    """Each arm's name up to its first number, as long as no two arms then read the same.

    Examples
    --------
    >>> short_names({"a": "IBI363 3 mg/kg every 3 weeks", "b": "Docetaxel 75 mg/m2"})
    {'a': 'IBI363', 'b': 'Docetaxel'}
    >>> short_names({"a": "IBI363 1 mg/kg", "b": "IBI363 3 mg/kg"})["a"]
    'IBI363 1 mg/kg'
    """
    short = {arm: re.split(r"\s(?=\d)", str(name).strip(), maxsplit=1)[0] for arm, name in names.items()}
    return short if len(set(short.values())) == len(short) else {a: str(n) for a, n in names.items()}


def level_words(level: object) -> str:
    """Say a level of a stratum as a reader writes it.

    Examples
    --------
    >>> level_words("non_asia"), level_words("asia"), level_words("acquired")
    ('outside Asia', 'Asia', 'acquired')
    """
    words = {"asia": "Asia", "non_asia": "outside Asia"}
    return words.get(str(level), str(level).replace("_", " "))


def unit_words(unit: object) -> str:
    """Say a unit as a reader writes it.

    Examples
    --------
    >>> unit_words("1/uL"), unit_words("giga/L"), unit_words("dimensionless"), unit_words("nM")
    ('cells/µL', '10⁹/L', 'fraction', 'nM')
    """
    text = "" if unit is None else str(unit)
    words = {"1": "fraction", "dimensionless": "fraction", "1/uL": "cells/µL", "cell/uL": "cells/µL"}
    return words.get(text, text.replace("giga/", "10⁹/").replace("1e9/", "10⁹/").replace("uL", "µL"))


def shorten(text: object, letters: int) -> str:
    """``text`` with at most so many letters, the rest an ellipsis."""
    words = " ".join(str(text).split())
    return words if len(words) <= letters else words[: letters - 1].rstrip() + "…"


def month_ticks(axes: Axes, months: float) -> list[float]:
    """Put whole months on the x axis, nine at most; return their places."""
    step = next(s for s in (1, 3, 6, 12, 24, 48, 96, 1200) if months / s <= 9)
    ticks = [float(step * i) for i in range(int((months + 0.05) / step) + 1)]
    axes.set_xticks(ticks)
    axes.set_xlim(0, months)
    return ticks


def power_of_ten(value: float, _position: object = None) -> str:
    """Say a tick of a logarithmic axis: plain from 0.01 to 9999, else with an exponent.

    Examples
    --------
    >>> power_of_ten(100.0), power_of_ten(1e8), power_of_ten(0.001)
    ('100', '10⁸', '10⁻³')
    """
    if 0.009 < value < 10_000:
        return f"{value:g}"
    digits = str(round(math.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}"


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Push places apart until neighbors are at least ``gap`` away, keeping their order and middle.

    Examples
    --------
    >>> spread([0.0, 0.1, 5.0], gap=1.0)
    [-0.45, 0.55, 5.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[tuple[list[int], float]] = []
    for index in order:
        groups.append(([index], places[index]))
        while len(groups) > 1:
            (left, a), (right, b) = groups[-2], groups[-1]
            if b - a >= gap * (len(left) + len(right)) / 2 - 1e-12:
                break
            both = left + right
            groups[-2:] = [(both, (a * len(left) + b * len(right)) / len(both))]
    answer = [0.0] * len(places)
    for members, middle in groups:
        for rank, index in enumerate(members):
            answer[index] = round(middle + gap * (rank - (len(members) - 1) / 2), 9)
    return answer


def svg(figure: Figure, *, name: str, alt: str) -> str:
    """Turn the figure into an ``<svg>`` element that may stand in an HTML page beside others.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to draw.
    name : str
        Unique in the page; it goes before every id inside, so that two figures never share one.
    alt : str
        What a reader who cannot see the figure is told.

    Returns
    -------
    str
        One element, no XML header, no script, no outside reference; the same bytes for the same figure.

    Examples
    --------
    >>> text = svg(new_figure(2, 1), name="empty", alt="Nothing <yet>")
    >>> text.startswith("<svg") and "Nothing &lt;yet&gt;" in text
    True
    """
    import matplotlib as mpl

    name = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    buffer = StringIO()
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        # The reader's browser picks the font: a glyph that ours lacks is no defect.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for color, variable in VARIABLES.items():
        text = text.replace(f": {color}", f": var(--{variable}, {color})")
    text = text.replace("'DejaVu Sans'", _FONTS)
    # matplotlib's ids hang on where objects lie in memory: number them as they come instead.
    numbers = {old: f"{name}-{i}" for i, old in enumerate(dict.fromkeys(_IDENTITY.findall(text)))}
    text = _IDENTITY.sub(lambda found: f' id="{numbers[found[1]]}"', text)
    text = _REFERENCE.sub(lambda found: found[1] + numbers[found[2]], text)
    head = f'<svg role="img" aria-label="{escape(alt)}" preserveAspectRatio="xMidYMid meet"'
    text = re.sub(r'^<svg\b([^>]*?)\swidth="[^"]*"', r"<svg\1", text, count=1)
    text = re.sub(r'^<svg\b([^>]*?)\sheight="[^"]*"', r"<svg\1", text, count=1)
    return _CONTROL_CHARACTERS.sub("", text.replace("<svg", head, 1)).strip()
