"""Pages of the manual: listed, linked to what exists, and with code that runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = {"reference.md"}  # written from the docstrings by `make docs`
PAGES = sorted(DOCS.glob("*.md"))
PAPERS = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "decisions").glob("*.md")]


def test_every_page_is_in_the_navigation_and_back():
    listed = set(
        re.findall(r"^  - [\w ]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    )
    assert listed - MADE == {page.name for page in PAGES} - MADE


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if link not in MADE and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", ["tutorial.md", "how-to.md"])
def test_every_line_of_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.S | re.M)
    assert blocks
    names = {"__name__": page}
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", sorted((ROOT / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_says_what_why_and_what_would_change_our_mind(page):
    text = page.read_text(encoding="utf-8")
    for part in ("**What.**", "**Why.**", "**What was given up.**", "**What would change our mind.**"):
        assert part in text
    assert re.match(r"# \d+\. \S", text)
    assert int(page.name[:4]) == int(re.match(r"# (\d+)\.", text)[1])


def test_commands_in_the_manual_exist():
    from twoarm import cli

    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    for page in PAPERS:
        used = set(re.findall(r"(?:^|`)twoarm ([a-z]+)\b(?! a )", page.read_text(encoding="utf-8"), re.M))
        assert used <= known, page.name
