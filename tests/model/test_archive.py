"""What is kept on disk is what was read, is read again fast, and can at worst be refused."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from twoarm.kept import read_kept, write_kept
from twoarm.model import sbml
from twoarm.model.archive import from_bytes, place, to_bytes
from twoarm.model.sbml import read_model

TEXT = """
model m
  compartment v = 2; species s in v = 3; k = 0.1; n = 1/0;
  leave: s -> ; v*k*s; total := s + time;
  e: at 2 after (s < 1), priority = s: s = 5;
  s has mole; s is "what leaves";
end
"""


def test_a_model_survives_to_the_last_bit() -> None:
    model = read_model(TEXT)
    again = from_bytes(to_bytes(model))
    assert again == model
    assert again is not None
    assert again.events == model.events
    assert dict(again.labels) == dict(model.labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["nodes"].append(["exec", [0], 0.0]),
        lambda said: said["nodes"].__setitem__(-1, ["add", [len(said["nodes"]), 0], 0.0]),
        lambda said: said["nodes"].__setitem__(0, ["state", [], 99.0]),
        lambda said: said["rates"].__setitem__(0, 10**6),
        lambda said: said.pop("states"),
        lambda said: said.__setitem__("nodes", 3),
        lambda said: said.__setitem__("values", [9.0] * len(said["values"])),
    ],
)
def test_a_changed_archive_is_no_model(change) -> None:
    said = json.loads(zlib.decompress(to_bytes(read_model(TEXT))))
    change(said)
    assert from_bytes(zlib.compress(json.dumps(said).encode())) is None


@pytest.mark.parametrize("content", [b"", b"noise", zlib.compress(b"[]"), zlib.compress(b"[" * 100_000)])
def test_noise_is_no_model(content: bytes) -> None:
    assert from_bytes(content) is None


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_kept(path, b"content")
    assert read_kept(path) == b"content"
    path.write_bytes(path.read_bytes()[:-1])
    assert read_kept(path) is None
    (tmp_path / "file").write_text("")
    write_kept(tmp_path / "file" / "below", b"content")  # cannot be: no error
    assert read_kept(tmp_path / "file" / "below") is None


def test_a_second_read_takes_the_kept_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOARM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sbml, "_WORTH_KEEPING", 0.0)
    sbml._read.cache_clear()
    model = read_model(TEXT)
    (kept,) = (tmp_path / "models").glob("*.model")
    sbml._read.cache_clear()
    monkeypatch.setattr("twoarm.model.document.read_flat", None)  # whoever calls it fails
    assert read_model(TEXT) == model
    kept.write_bytes(b"damaged")
    sbml._read.cache_clear()
    with pytest.raises(TypeError):
        read_model(TEXT)
    sbml._read.cache_clear()


def test_another_text_or_part_is_another_place() -> None:
    assert place("a", "model") != place("b", "model")
    assert place("a", "model") != place("a", "xml")
