"""A file and those it extends, whatever kind it is: beside it or in the library, and never in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest

from twoarm import catalog
from twoarm.cells.read import read_cells
from twoarm.errors import CardEntryError, NotInLibraryError
from twoarm.experiment.plan import read_experiment
from twoarm.lineage import DEEPEST, digest_of, line_of
from twoarm.trial.outcomes import read_outcomes


def write(folder: Path, name: str, parent: str | None) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\n' + (f'extends = "{parent}"\n' if parent is not None else ""), encoding="utf-8"
    )
    return path


def test_the_nearest_comes_first_and_what_lies_beside_before_the_library(tmp_path: Path) -> None:
    for name, parent in (("a", "b"), ("b", "human"), ("human", None)):
        write(tmp_path, name, parent)
    line = line_of("cells", tmp_path / "a.toml")
    assert line == [tmp_path / f"{name}.toml" for name in ("a", "b", "human")]
    (tmp_path / "human.toml").unlink()
    assert line_of("cells", tmp_path / "a.toml")[-1] == catalog.find("cells", "human")


def test_every_file_of_a_line_counts_for_its_digest(tmp_path: Path) -> None:
    child, parent = write(tmp_path, "a", "b"), write(tmp_path, "b", None)
    before = digest_of(line_of("cells", child))
    assert digest_of([parent]) == catalog.digest(parent)
    parent.write_text('name = "b"\nmore = 1\n', encoding="utf-8")
    assert digest_of(line_of("cells", child)) != before


def test_a_line_as_long_as_allowed_and_no_longer(tmp_path: Path) -> None:
    for place in range(DEEPEST):
        write(tmp_path, f"f{place}", f"f{place + 1}" if place + 1 < DEEPEST else None)
    assert len(line_of("cells", tmp_path / "f0.toml")) == DEEPEST
    write(tmp_path, "longer", "f0")
    with pytest.raises(CardEntryError, match=f"longer.toml, f0.toml.*{DEEPEST} files at most"):
        line_of("cells", tmp_path / "longer.toml")


@pytest.mark.parametrize("read", [read_cells, read_experiment, read_outcomes])
def test_a_circle_is_refused_whoever_reads_it(tmp_path: Path, read) -> None:
    write(tmp_path, "a", "b")
    write(tmp_path, "b", "a")
    with pytest.raises(CardEntryError, match=r"a\.toml: extends: .*files at most stand in one line"):
        read(tmp_path / "a.toml")


@pytest.mark.parametrize("read", [read_cells, read_experiment, read_outcomes])
@pytest.mark.parametrize("parent", ["../human", "/etc/passwd", "a b", ""])
def test_a_parent_is_a_name_and_no_path(tmp_path: Path, read, parent: str) -> None:
    with pytest.raises(CardEntryError, match="is not the name of a file"):
        read(write(tmp_path, "a", parent))


def test_a_parent_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotInLibraryError, match="nobody"):
        line_of("cells", write(tmp_path, "a", "nobody"))
