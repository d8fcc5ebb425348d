"""An experiment's file says its groups, its readouts, and the number that would refute each claim."""

import pytest

from twoarm import catalog
from twoarm.errors import CardEntryError, MissingFieldError, TwoarmError, UnknownFieldError
from twoarm.experiment import read_experiment
from twoarm.experiment.conduct import is_ensemble, parts_of

TEXT = """
name = "small"
title = "Small"
question = "Does it?"
days = [[0, 1, 0.5]]
[groups.a]
title = "A"
given = [{ molecule = "pembrolizumab", dose = "2 mg/kg" }]
source = "ahamadi2017"
[readouts.level]
label = "Level"
output = "drug_central_nM"
take = "last"
end = 1
[[claims]]
says = "It is above 1 nM"
readout = "level"
group = "a"
statistic = "median"
holds_above = 1.0
refuted_below = 0.5
source = "assumed"
note = "a test"
[figure]
"""


def write(tmp_path, text):
    path = tmp_path / "small.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", catalog.names("experiments"))
def test_every_experiment_of_the_library_is_one(name):
    experiment = read_experiment(name)
    assert experiment.name == name
    assert len(list(parts_of(experiment))) >= 1
    assert all(
        claim.refuted_above is not None or claim.refuted_below is not None for claim in experiment.claims
    )


def test_the_seven_claims_and_the_comparators_are_there():
    assert {
        "beta_gamma",
        "delivery",
        "cd25_kept",
        "treg_counterweight",
        "priming",
        "bridging",
        "sinks",
        "pembrolizumab_human",
        "nivolumab_human",
        "aldesleukin_human",
        "not_alpha_human",
        "nktr_358_human",
    } <= set(catalog.names("experiments"))


def test_a_small_file_is_read(tmp_path):
    experiment = read_experiment(write(tmp_path, TEXT))
    assert [part.name for part in parts_of(experiment)] == ["a"]
    assert not is_ensemble(experiment)


@pytest.mark.parametrize(
    ("old", "new", "error", "word"),
    [
        ("refuted_below = 0.5", "", CardEntryError, "refute"),
        ("holds_above = 1.0", "", CardEntryError, "holds"),
        ('readout = "level"', 'readout = "levle"', CardEntryError, "levle"),
        ('group = "a"', 'group = "b"', CardEntryError, '"b"'),
        ('note = "a test"', "", CardEntryError, "note"),
        ('source = "ahamadi2017"', 'source = "nobody1999"', CardEntryError, "nobody1999"),
        ('source = "ahamadi2017"', "", MissingFieldError, "source"),
        ('title = "A"', 'title = "A"\ncolour = "red"', UnknownFieldError, "colour"),
        ('take = "last"', 'take = "best"', CardEntryError, "best"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_in_words(tmp_path, old, new, error, word):
    assert old in TEXT
    with pytest.raises(TwoarmError) as wrong:
        read_experiment(write(tmp_path, TEXT.replace(old, new, 1)))
    assert isinstance(wrong.value, error)
    assert word in str(wrong.value)


def test_equal_activity_needs_somebody_to_be_equal_with(tmp_path):
    text = TEXT.replace('statistic = "median"', 'at_equal = "level"')
    with pytest.raises(CardEntryError, match="at_equal"):
        read_experiment(write(tmp_path, text))
