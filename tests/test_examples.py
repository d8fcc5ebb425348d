"""Examples run, and the README's lines are one of them."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# rederive reads exported files: tests/export runs it on some
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "rederive")


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.S | re.M)


def test_the_readme_shows_the_first_example_word_for_word():
    [block] = python_blocks(ROOT / "README.md")
    code = (ROOT / "examples" / "first_trial.py").read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    assert block == code


def test_the_readme_keeps_to_its_lines():
    [block] = python_blocks(ROOT / "README.md")
    assert len([line for line in block.splitlines() if line.strip()]) <= 20


def marked(path):
    """Tuning takes minutes even for a few patients."""
    return pytest.param(path, marks=pytest.mark.slow if path.stem.startswith("tune") else (), id=path.stem)


@pytest.mark.parametrize("path", [marked(path) for path in EXAMPLES])
def test_every_example_runs_and_says_something(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [path.name, "--patients", "20"])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()
