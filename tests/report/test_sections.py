"""Pages of sections: what is given is shown, escaped and once; what is not given leaves no empty place."""

from __future__ import annotations

import pandas as pd

from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections

FRAME = pd.DataFrame({"arm": ["a", "b"], "value": [0.123456, 2.0]})


def test_a_page_shows_every_part_under_its_key() -> None:
    picture = Picture("<svg><title>x</title></svg>", "A < caption")
    sections = [
        Section("one", "First", ["Some words"], [picture], as_tables({"A table": FRAME}), ["A point"]),
        Section("two", "Second"),
    ]
    text = render_sections(Page("T", "Q?", sections, kicker="K", answer="So.", tiles=[("n", "1", "0 to 2")]))
    for shown in (
        'id="one"',
        'href="#two"',
        "Some words",
        "A point",
        "A &lt; caption",
        "A table",
        "So.",
        "0 to 2",
    ):
        assert shown in text
    assert text.count("<svg") == 1
    assert text.count("<figure>") == 1


def test_what_is_not_given_leaves_no_empty_place() -> None:
    text = render_sections(Page("T", "Q?", [Section("one", "First")]))
    for empty in (
        "<figure>",
        "<table",
        'class="tiles"',
        'class="answer"',
        'class="kicker"',
        'class="limits"',
    ):
        assert empty not in text


def test_numbers_of_a_frame_are_shortened_and_words_stay() -> None:
    (table,) = as_tables({"A table": FRAME})
    assert (table.head, table.numeric) == (("arm", "value"), True)
    assert table.rows[0] == ("a", "0.12")
