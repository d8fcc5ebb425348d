"""Which back end runs, what it says about that, and what is refused by name."""

from __future__ import annotations

import pytest

from twoarm.engine import simulate
from twoarm.errors import PrecisionError, UnknownBackendError

from . import small_models as small


def test_the_result_says_why() -> None:
    found = simulate(small.decay(), days=1)
    assert (found.attrs["backend"], found.attrs["precision"]) == ("cpu", "double")
    assert "auto" in found.attrs["backend_reason"]
    found = simulate(small.decay(), days=1, backend="reference")
    assert (found.attrs["backend"], found.attrs["backend_reason"]) == ("reference", "asked for")


def test_the_reference_has_double_only() -> None:
    with pytest.raises(PrecisionError, match=r'"reference" \(asked for\) has only double'):
        simulate(small.decay(), days=1, backend="reference", precision="single")


def test_unknown_words() -> None:
    with pytest.raises(UnknownBackendError, match="cuda"):
        simulate(small.decay(), days=1, backend="tpu")  # type: ignore[arg-type]
    with pytest.raises(UnknownBackendError, match="single"):
        simulate(small.decay(), days=1, precision="half")  # type: ignore[arg-type]
