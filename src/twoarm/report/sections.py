"""A page of sections: a heading, words, tables and figures, for results that are no trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from twoarm.report.page import environment
from twoarm.report.tables import Table, number


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    title : str
        Heading.
    words : sequence of str
        A paragraph each.
    tables : mapping of str to DataFrame
        By caption; numbers are shortened.
    svg : str
        A figure, from `twoarm.figures.svg`; "" for none.
    caption : str
        Of the figure.
    """

    title: str
    words: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    svg: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes
    ----------
    title, question : str
        What was asked.
    sections : sequence of Section
        In order.
    provenance : mapping of str to str
        What ran.
    """

    title: str
    question: str
    sections: Sequence[Section]
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
    >>> text = render_sections(Page("A title", "A question?", [Section("Words", ["1 < 2"])]))
    >>> "1 &lt; 2" in text and "Not for clinical decisions" in text
    True
    """
    shown = [
        {
            "name": f"part-{place}",
            "section": section,
            "tables": [_table(caption, table) for caption, table in section.tables.items()],
        }
        for place, section in enumerate(page.sections)
    ]
    return environment().get_template("sections.html.jinja").render(outcome=page, sections=shown)


def _table(caption: str, table: pd.DataFrame) -> Table:
    rows = tuple(
        tuple(number(cell) if isinstance(cell, float) else str(cell) for cell in row)
        for row in table.itertuples(index=False)
    )
    numeric = all(table[name].dtype.kind in "fi" for name in list(table.columns)[1:])
    return Table(caption, tuple(str(name) for name in table.columns), rows, numeric=numeric)
