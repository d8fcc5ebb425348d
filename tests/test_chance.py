"""Chance: draws belong to their key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from twoarm import chance
from twoarm.errors import KeyOfDrawError, PatientLabelError, TwoarmError

# known-answer tests published with the paper (Random123, kat_vectors, threefry2x64 with 20 rounds)
KNOWN = [
    ((0, 0), (0, 0), (0xC2B6E3A8C2C69865, 0x6F81ED42F350084D)),
    ((2**64 - 1,) * 2, (2**64 - 1,) * 2, (0xE02CB7C4D95D277A, 0xD06633D0893B8B68)),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344),
        (0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x263C7D30BB0F0AF1, 0x56BE8361D3311526),
    ),
]


@pytest.mark.parametrize(("counter", "key", "block"), KNOWN)
def test_blocks_are_the_published_ones(
    counter: tuple[int, int], key: tuple[int, int], block: tuple[int, int]
) -> None:
    first, second = (np.array([word], np.uint64) for word in counter)
    found = chance.threefry(first, second, *key)
    assert tuple(int(word[0]) for word in found) == block


FROZEN = [
    ["0x1.5699a3a8bcd32p-2", "0x1.4f09dea912b07p-1"],
    ["0x1.c8448618be41cp-3", "0x1.0d8877151e1e4p-3"],
]


def test_a_seed_gives_the_same_bits_for_ever() -> None:
    drawn = chance.uniforms(7, "visit", [0, 1], size=2)
    assert [[value.hex() for value in row] for row in drawn.tolist()] == FROZEN


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(-(2**70), 2**70),
    labels=st.lists(st.integers(0, 2**62), min_size=1, max_size=30),
    size=st.integers(1, 7),
    data=st.data(),
)
def test_a_row_belongs_to_its_patient(seed: int, labels: list[int], size: int, data: st.DataObject) -> None:
    whole = chance.uniforms(seed, "visit", labels, size=size)
    some = data.draw(st.lists(st.sampled_from(range(len(labels))), min_size=1, max_size=10))
    fewer = data.draw(st.integers(1, size))
    part = chance.uniforms(seed, "visit", [labels[i] for i in some], size=fewer)
    assert np.array_equal(part, whole[some][:, :fewer])


def test_draws_are_uniform() -> None:
    drawn = chance.uniforms(11, "uniformity", np.arange(20_000), size=5)
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert stats.kstest(drawn[:500].ravel(), "uniform").pvalue > 1e-3
    assert 0 < drawn.min() < drawn.max() < 1


def test_normals_are_standard() -> None:
    drawn = chance.normals(11, "normality", np.arange(20_000), size=2)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 12},
        {"purpose": "visit "},
        {"replicate": 1},
    ],
)
def test_keys_do_not_share_numbers(other: dict[str, object]) -> None:
    here = {"seed": 11, "purpose": "visit", "replicate": 0}
    a = _draw(here)
    b = _draw(here | other)
    assert not np.isclose(a, b, atol=1e-12).any()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)


def _draw(key: dict[str, object]) -> np.ndarray:
    return chance.uniforms(
        int(str(key["seed"])), str(key["purpose"]), np.arange(10_000), replicate=int(str(key["replicate"]))
    )[:, 0]


def test_patients_and_draws_are_independent() -> None:
    drawn = chance.normals(5, "independence", np.arange(40_000), size=4)
    limit = 4.5 / np.sqrt(len(drawn))
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < limit
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < limit


def test_a_generator_has_its_key() -> None:
    keys = [
        (7, "dropout", None, 0), (7, "dropout", 0, 0), (7, "dropout", 1, 0),
        (8, "dropout", 0, 0), (7, "new lesion", 0, 0), (7, "dropout", 0, 1),
    ]  # fmt: skip
    first = [chance.generator(*key).random() for key in keys]
    assert len(set(first)) == len(keys)
    assert first == [chance.generator(*key).random() for key in keys]


def test_no_patient_is_no_row() -> None:
    assert chance.uniforms(1, "visit", [], size=3).shape == (0, 3)
    assert chance.uniforms(1, "visit", [4], size=0).shape == (1, 0)


@pytest.mark.parametrize("seed", [1.5, True, "7", None])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(KeyOfDrawError, match="seed"):
        chance.uniforms(seed, "visit", [0])  # type: ignore[arg-type]


def test_a_purpose_is_said() -> None:
    with pytest.raises(KeyOfDrawError, match="purpose"):
        chance.generator(1, "")


def test_a_size_is_not_negative() -> None:
    with pytest.raises(KeyOfDrawError, match="size"):
        chance.uniforms(1, "visit", [0], size=-1)


@pytest.mark.parametrize("labels", [[-1], [0.5], ["a"], [[0, 1], [2, 3]], [True]])
def test_a_label_is_a_whole_number(labels: list[object]) -> None:
    with pytest.raises(PatientLabelError) as caught:
        chance.uniforms(1, "visit", labels)
    assert isinstance(caught.value, TwoarmError)
    assert isinstance(caught.value, ValueError)
