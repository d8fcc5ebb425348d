"""Every study of the library can be run: its protocol, arms, facts and files are there."""

from __future__ import annotations

import pytest

from twoarm import catalog
from twoarm.evidence import read_evidence
from twoarm.study import read_study
from twoarm.study.run import _check


@pytest.mark.parametrize("name", catalog.names("studies"))
def test_a_study_passes_the_checks_before_its_first_trial(name: str) -> None:
    study, protocol = read_study(name)
    _check(study, protocol)
    known = set(read_evidence(list(study.evidence))["id"])
    for beside in study.compare:
        assert set(beside.facts) <= known
        assert beside.arm in {*protocol.arms, ""}


@pytest.mark.parametrize("name", catalog.names("studies"))
def test_a_study_says_what_it_cannot_say(name: str) -> None:
    assert read_study(name)[0].limits
