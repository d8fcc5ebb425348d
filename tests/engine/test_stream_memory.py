"""A stream's memory does not grow with its patients: the benchmark of a million, with some of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "streaming.py"


def most_memory(patients: int) -> float:
    words = [sys.executable, str(SCRIPT), "--patients", str(patients), "--workers", "2", "--limit", "1000"]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600).stdout
    found = re.search(r"memory\s+(\d+) MB", said)
    assert found is not None, said
    return float(found[1])


@pytest.mark.slow
def test_memory_does_not_grow_with_patients() -> None:
    few, many = most_memory(20_000), most_memory(200_000)
    assert many < 1000
    assert (
        many < few + 60
    )  # MB; a table of 200,000 outcomes of 64 bytes alone would not show, one of courses would
