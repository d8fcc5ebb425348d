"""A page of sections: a heading, words, figures and tables, for whatever is not one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from twoarm.report.page import environment
from twoarm.report.pictures import Picture
from twoarm.report.tables import Table, number


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes
    ----------
    key, title : str
        Its place in the page, and its heading.
    words : sequence of str
        Paragraphs.
    pictures : sequence of Picture
        Figures.
    tables : sequence of Table
        Tables; `as_tables` makes them of frames.
    points : sequence of str
        A list.
    """

    key: str
    title: str
    words: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    points: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes
    ----------
    title, question : str
        What was asked.
    sections : sequence of Section
        In order.
    warning : str
        What nobody may overlook.
    kicker, answer : str
        What kind of page it is, and the answer in a sentence; "" for none.
    tiles : sequence of (name, value, interval)
        The few numbers that matter.
    provenance : mapping of str to str
        What ran.
    """

    title: str
    question: str
    sections: Sequence[Section]
    warning: str = "Simulated from a model. Not for clinical decisions."
    kicker: str = ""
    answer: str = ""
    tiles: Sequence[tuple[str, str, str]] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def render_sections(page: Page) -> str:
    """Write a page as one HTML text that needs no other.

    Parameters
    ----------
    page : Page
        What to show; text in it is escaped.

    Returns
    -------
    str
        The page.

    Examples
    --------
    >>> text = render_sections(Page("A <title>", "A question?", [Section("words", "Words", ["1 < 2"])]))
    >>> "<h1>A &lt;title&gt;</h1>" in text and "1 &lt; 2" in text and "Not for clinical decisions" in text
    True
    """
    return environment().get_template("sections.html.jinja").render(page=page)


def as_tables(frames: Mapping[str, pd.DataFrame]) -> list[Table]:
    """Make tables of frames.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By caption; numbers are shortened.

    Returns
    -------
    list of Table
        In that order.
    """
    return [_table(caption, frame) for caption, frame in frames.items()]


def _table(caption: str, table: pd.DataFrame) -> Table:
    rows = tuple(
        tuple(number(cell) if isinstance(cell, float) else str(cell) for cell in row)
        for row in table.itertuples(index=False)
    )
    numeric = all(table[name].dtype.kind in "fi" for name in list(table.columns)[1:])
    return Table(caption, tuple(str(name) for name in table.columns), rows, numeric=numeric)
