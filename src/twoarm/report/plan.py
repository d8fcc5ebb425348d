"""The page of a plan: the answer, the design, what it does, and what moves it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from twoarm.report.page import environment
from twoarm.report.pictures import Picture
from twoarm.report.tables import Table


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes
    ----------
    key, title : str
        Its place in the page, and its heading.
    words : sequence of str
        Paragraphs.
    pictures : sequence of Picture
        Figures.
    tables : sequence of Table
        Tables.
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
class PlanPage:
    """What the page of a plan shows.

    Attributes
    ----------
    title, question, answer : str
        Head of the page.
    tiles : sequence of (name, value, interval)
        The few numbers that matter.
    sections : sequence of Section
        The rest.
    provenance : mapping of str to str
        What ran.
    """

    title: str
    question: str
    answer: str
    tiles: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    provenance: Mapping[str, str] = field(default_factory=dict)


def render_plan(page: PlanPage) -> str:
    """Write the page of a plan as one HTML text that needs no other.

    Parameters
    ----------
    page : PlanPage
        What to show; text in it is escaped.

    Returns
    -------
    str
        The page.

    Examples
    --------
    >>> "<h1>A &lt;plan&gt;</h1>" in render_plan(PlanPage("A <plan>", "Why?", "So.", (), ()))
    True
    """
    return environment().get_template("plan.html.jinja").render(page=page)
