"""What a claim hangs on: how its margin goes with each number of the cards and of the patients."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata, spearmanr

from twoarm.experiment.claims import Claim
from twoarm.experiment.numbers import Parts, arrays_of, each_alone, number_of
from twoarm.experiment.plan import Experiment
from twoarm.molecule import read_molecule

CARD, PATIENT, BIOLOGY = "card", "patient", "biology"
SHOWN = 3
_LEAST = 0.25  # rank correlation worth telling
_APART = 0.1  # difference between the halves worth telling
_FEWEST = 10  # draws, below which nothing is told
_COLUMNS = ["claim", "field", "of", "strength", "split", "holds_below", "holds_above", "beyond_chance"]


def fragility(
    experiment: Experiment, values: pd.DataFrame, cards: pd.DataFrame, people: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Tell what each claim's margin goes with, the strongest first.

    Parameters
    ----------
    experiment : Experiment
        What is claimed.
    values : DataFrame
        A row a part, draw and patient, as `Courses.values`.
    cards : DataFrame
        A row a draw, as `Courses.cards`.
    people : DataFrame, optional
        A row a draw and patient, as `Courses.people`.

    Returns
    -------
    DataFrame
        A row a claim and field: `claim`, `field`, `of` ("card", "patient" or "biology"), `strength` (rank
        correlation of the margin with the field; below 0 the claim is weaker where the field is high),
        `split` (median of the field), `holds_below` and `holds_above` (share in which the claim holds in the
        two halves), and `beyond_chance`. Empty where there are fewer than 10 draws.

    Notes
    -----
    The margin is how far a number lies on the side on which the claim holds. It is taken in each patient of
    each draw; of a mean over patients, in each draw. Fields of a card are the same for a draw's patients, so
    that chance is judged by the number of draws; beyond chance is less than one in a hundred for all fields
    of a claim together.
    """
    parts = arrays_of(experiment, values)
    draws, patients = next(iter(parts.values()))["amount"].shape
    if draws < _FEWEST:
        return pd.DataFrame(columns=_COLUMNS)
    people = pd.DataFrame(index=range(draws * patients)) if people is None else people
    rows: list[dict[str, object]] = []
    for claim in experiment.claims:
        rows += _of_claim(claim, experiment, parts, _own_cards(claim, experiment, cards), people, patients)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _of_claim(
    claim: Claim,
    experiment: Experiment,
    parts: Parts,
    cards: pd.DataFrame,
    people: pd.DataFrame,
    patients: int,
) -> list[dict[str, object]]:
    own = people.drop(columns=["draw", "patient"], errors="ignore")
    if claim.statistic == "mean":
        number = number_of(claim, experiment, parts)
        own = own.groupby(np.arange(len(own)) // patients).mean()
        drawn = cards
    else:
        number = each_alone(claim, experiment, parts)
        drawn = cards.loc[cards.index.repeat(patients)]
    known = np.isfinite(number)
    if known.sum() < _FEWEST or np.ptp(number[known]) == 0:
        return []
    fields = _fields(drawn, own, known, experiment.biology)
    side, held = margin(claim, number[known]), holds(claim, number[known])
    each = patients if claim.statistic != "mean" else 1
    found = []
    for (field, of), column in fields.items():
        strength = float(spearmanr(column, side).statistic)
        split = float(np.median(column))
        low, high = held[column <= split], held[column > split]
        free = known.sum() / each if of == CARD else known.sum()
        least = -float(ndtri(0.005 / len(fields))) / math.sqrt(max(free - 1, 1))
        row = (claim.says, field, of, strength, split, _share(low), _share(high), abs(strength) > least)
        found.append(dict(zip(_COLUMNS, row, strict=True)))
    return sorted(found, key=lambda row: -abs(float(str(row["strength"]))))


def _own_cards(claim: Claim, experiment: Experiment, cards: pd.DataFrame) -> pd.DataFrame:
    """Columns of the molecules that the claim's groups are given."""
    named = [claim.group, claim.against or "", *(claim.over or ())]
    groups = [
        group for name, group in experiment.groups.items() if name in {x.split(" @ ")[0] for x in named}
    ]
    molecules = {read_molecule(given.molecule).name for group in groups for given in group.given}
    return cards[[name for name in cards if str(name).split(" ", 1)[0] in molecules]] if molecules else cards


def _fields(
    drawn: pd.DataFrame, own: pd.DataFrame, known: np.ndarray, biology: tuple[str, ...]
) -> dict[tuple[str, str], np.ndarray]:
    """Columns that differ, by name and by whose they are; two cards' fields of one name are told apart."""
    fields: dict[tuple[str, str], np.ndarray] = {}
    for name in drawn:
        short, column = str(name).split(" ", 1)[-1], drawn[name].to_numpy(float)[known]
        same = (short, CARD) in fields and not np.array_equal(_ranked(fields[short, CARD]), _ranked(column))
        fields[str(name) if same else short, CARD] = column
    for name in own:
        fields[str(name), BIOLOGY if name in biology else PATIENT] = own[name].to_numpy(float)[known]
    differing = {key: column for key, column in fields.items() if np.ptp(column) > 0}
    ranks: dict[bytes, tuple[str, str]] = {}  # a field that only repeats another says nothing of its own
    for key, column in differing.items():
        ranks.setdefault(_ranked(column).tobytes(), key)
    return {key: differing[key] for key in ranks.values()}


def _ranked(column: np.ndarray) -> np.ndarray:
    return np.asarray(rankdata(column, "dense"), dtype=np.int64)


def _share(held: np.ndarray) -> float:
    return float(held.mean()) if len(held) else float("nan")


def margin(claim: Claim, number: np.ndarray) -> np.ndarray:
    """How far numbers lie on the side on which the claim holds; below 0 it does not hold.

    Parameters
    ----------
    claim : Claim
        With its bounds.
    number : float array
        From `effects`.

    Returns
    -------
    float array
        As many.

    Examples
    --------
    >>> told = {"says": "less", "readout": "x", "group": "a", "source": "assumed", "note": "none is known"}
    >>> margin(Claim(**told, holds_below=0.8, refuted_above=1), np.array([0.5, 1.0])).round(3)
    array([ 0.3, -0.2])
    """
    sides = []
    if claim.holds_above is not None:
        sides.append(number - claim.holds_above)
    if claim.holds_below is not None:
        sides.append(claim.holds_below - number)
    return np.asarray(np.min(sides, axis=0))


def holds(claim: Claim, number: np.ndarray) -> np.ndarray:
    """Whether a claim holds at these numbers; it does not at NaN.

    Parameters
    ----------
    claim : Claim
        With its bounds.
    number : float array
        From `effects`.

    Returns
    -------
    bool array
        As many.
    """
    return np.asarray(margin(claim, number) >= 0)


def in_words(fragile: pd.DataFrame, claim: str) -> str:
    """Say where a claim is weakest: its three strongest fields beyond chance.

    Parameters
    ----------
    fragile : DataFrame
        From `fragility`.
    claim : str
        Its sentence.

    Returns
    -------
    str
        Each field with the half in which the claim is weaker, and the share in which it holds in that half
        and in the other; empty where nothing is beyond chance, or the halves do not differ by a tenth.

    Examples
    --------
    >>> row = {"claim": "less", "field": "arm.kd", "of": "card", "strength": -0.7, "beyond_chance": True}
    >>> in_words(pd.DataFrame([row | {"holds_below": 0.95, "holds_above": 0.3}]), "less")
    'high arm.kd (30 %, else 95 %)'
    """
    own = fragile[(fragile["claim"] == claim) & fragile["beyond_chance"].astype(bool)]
    apart = (own["holds_below"] - own["holds_above"]).abs()
    own = own[(own["strength"].abs() >= _LEAST) & (apart >= _APART)].head(SHOWN)
    return "; ".join(_said(row) for row in own.to_dict("records"))


def _said(row: Mapping[object, object]) -> str:
    shares = [100 * float(str(row[name])) for name in ("holds_below", "holds_above")]
    half, there, elsewhere = ("high", shares[1], shares[0])
    if float(str(row["strength"])) > 0:
        half, there, elsewhere = ("low", shares[0], shares[1])
    return f"{half} {row['field']} ({there:.0f} %, else {elsewhere:.0f} %)"
