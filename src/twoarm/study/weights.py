"""Draws of a card as reports have weighed them: kept by `twoarm update`, resampled to any number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from twoarm import catalog, chance
from twoarm.errors import OtherCardError
from twoarm.molecule import Molecule
from twoarm.study.folder import read_record, read_table

WEIGHTS, RECORD = "weights.csv", "weights.json"


class WeighedCard(NamedTuple):
    """A card's draws with their weights.

    Attributes
    ----------
    molecule : str
        Whose card.
    cards : DataFrame
        A row a draw, `weight` among its columns.
    digest : str
        Of the molecule's card when it was weighed.
    file : str
        Digest of the weights themselves.
    """

    molecule: str
    cards: pd.DataFrame
    digest: str
    file: str

    @property
    def effective(self) -> float:
        """How many equally weighted draws would tell as much."""
        return chance.effective_number(self.cards["weight"].to_numpy(float))


def read_weights(folder: str | Path) -> WeighedCard:
    """Read what an update made of the draws of a card.

    Parameters
    ----------
    folder : str or Path
        Of an update.

    Returns
    -------
    WeighedCard
        For `resample_cards`.

    Raises
    ------
    NotARunError
        If the folder holds no update that was finished.
    """
    place = Path(folder)
    table = read_table(place / WEIGHTS)
    record = read_record(place / RECORD)
    cards = table.set_index("draw")
    return WeighedCard(str(record["molecule"]), cards, str(record["digest"]), catalog.digest(place / WEIGHTS))


def resample_cards(weighed: WeighedCard, molecule: Molecule, n: int, *, seed: int) -> pd.DataFrame:
    """Draw members of a card's ensemble by their weights, as many as are wanted.

    Parameters
    ----------
    weighed : WeighedCard
        From `read_weights`.
    molecule : Molecule
        Whose card it is.
    n : int
        How many; a draw of large weight comes more than once.
    seed : int
        Of the draw.

    Returns
    -------
    DataFrame
        (draw, entry) in the form of `draw_cards`; all rows are worth the same.

    Raises
    ------
    OtherCardError
        If the weights are about another molecule, or another card than it has now.
    """
    if weighed.molecule != molecule.name or weighed.digest != molecule.digest:
        raise OtherCardError(
            molecule=molecule.name, weighed=weighed.molecule, same=weighed.molecule == molecule.name
        )
    chosen = chance.spread_evenly(weighed.cards["weight"].to_numpy(float), n, seed, "weighed cards")
    cards = weighed.cards.drop(columns="weight").iloc[chosen].reset_index(drop=True)
    cards.index.name = "draw"
    return cards


def recorded(weighed: WeighedCard) -> dict[str, Any]:
    """Say of weights what a plan keeps: enough to tell two of them apart.

    Parameters
    ----------
    weighed : WeighedCard
        From `read_weights`.

    Returns
    -------
    dict
        `molecule`, `draws`, `effective`, `digest`.
    """
    return {
        "molecule": weighed.molecule,
        "draws": len(weighed.cards),
        "effective": round(weighed.effective, 1),
        "digest": weighed.file,
    }
