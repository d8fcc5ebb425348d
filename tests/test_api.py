"""The public names: exact, documented, shown by an example, and cheap to import."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twoarm

ROOT = Path(__file__).parent.parent


def test_all_is_exact():
    listed = [name for names in twoarm.STEPS.values() for name in names]
    assert sorted(twoarm.__all__) == sorted({*listed, "__version__"})
    assert len(set(listed)) == len(listed)
    assert set(twoarm.__all__) <= set(dir(twoarm))


@pytest.mark.parametrize("name", [name for names in twoarm.STEPS.values() for name in names])
def test_every_public_name_is_there_and_explained(name):
    thing = getattr(twoarm, name)
    docstring = inspect.getdoc(thing)
    assert docstring
    if inspect.isfunction(thing):
        assert ">>> " in docstring, "a public verb shows an example that runs"
        said = any(part in docstring for part in ("Returns\n-------", "Yields\n------"))
        assert said or inspect.signature(thing).return_annotation in ("None", None)


@pytest.mark.parametrize("name", [name for names in twoarm.STEPS.values() for name in names])
def test_every_parameter_of_a_verb_is_explained(name):
    thing = getattr(twoarm, name)
    if not inspect.isfunction(thing):
        return
    docstring = inspect.getdoc(thing)
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n\w[\w ]*\n-{3,}|\Z)", docstring, re.S)
    said = section[1] if section else ""
    named = {
        word.strip(" *")
        for line in re.findall(r"^(\S[^:\n]*)(?: : |$)", said, re.M)
        for word in line.split(",")
    }
    assert not set(inspect.signature(thing).parameters) - named


def test_an_unknown_name_says_so():
    with pytest.raises(AttributeError, match="run_tril"):
        twoarm.run_tril  # noqa: B018


def test_importing_is_cheap():
    """Nobody who asks for help, or for the version, waits for numpy."""
    code = "import sys, twoarm; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {
        "numpy",
        "pandas",
        "xarray",
        "scipy",
        "matplotlib",
        "lifelines",
        "libsbml",
        "numba",
        "pint",
        "pydantic",
    }
    assert not heavy & set(loaded.stdout.split())


def test_every_name_the_readme_uses_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\bta\.(\w+)", text))
    assert used
    assert used <= set(twoarm.__all__)
