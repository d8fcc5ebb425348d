"""Whom a study draws: members of the population as it was fitted and frozen, or the file as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from twoarm import catalog
from twoarm.errors import NotInLibraryError
from twoarm.frozen import Frozen, Member, frozen_files, frozen_names, members_of, read_frozen
from twoarm.patients.population import read_population
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import Protocol

Which = Literal["frozen", "prior"]


class Whom(NamedTuple):
    """Whom the trials of a study are about.

    Attributes
    ----------
    members : tuple of Member
        How patients are drawn and followed: one a draw of the cards, or one for all of them.
    said : dict
        What it is, for records: `which` ("frozen" or "prior"), `name`, and of a frozen one `status`, `date`,
        `stale` (files that are no longer those it was fitted with) and `of` (members it was chosen from).
    digests : dict of str to str
        Of its files.
    """

    members: tuple[Member, ...]
    said: dict[str, Any]
    digests: dict[str, str]

    def of(self, draw: int) -> Member:
        """Member that a draw of the cards is paired with."""
        return self.members[draw % len(self.members)]


def whom_of(protocol: Protocol, which: Which | None, *, draws: int, seed: int) -> Whom:
    """Choose the members of the population that the trials of a study are conducted with.

    Parameters
    ----------
    protocol : Protocol
        Names a population and a clinical link.
    which : {"frozen", "prior"}, optional
        The population as fitted and frozen, or the file as it stands; left out, frozen where the library has
        one that was fitted with this very population and clinical link, else the file.
    draws : int
        Members wanted, drawn by their weights.
    seed : int
        Of the draw.

    Returns
    -------
    Whom
        Members, and what is said of them.

    Raises
    ------
    NothingFrozenError
        If a frozen population is asked for and there is none.
    FrozenEvidenceError, FrozenFileError
        If what it rests on has changed.

    Examples
    --------
    >>> from twoarm.trial.protocol import read_protocol
    >>> protocol = read_protocol("marslight_11")
    >>> found = whom_of(protocol, None, draws=3, seed=1)
    >>> found.said["which"], len(found.members), found.of(0) is found.of(3)
    ('frozen', 3, True)
    >>> whom_of(protocol, "prior", draws=3, seed=1).said
    {'which': 'prior', 'name': 'io_resistant_squamous_nsclc'}
    """
    if which is None:
        which = "frozen" if is_frozen(protocol) else "prior"
    if which == "prior":
        population, link = read_population(protocol.population), str(protocol.outcomes)
        digests = {
            "population": population.digest,
            "outcomes": catalog.digest(catalog.find("outcomes", link)),
        }
        member = Member(population, read_outcomes(link), population.name)
        return Whom((member,), {"which": which, "name": population.name}, digests)
    frozen = read_frozen(Path(str(protocol.population)).stem)
    files = frozen.record["files"]
    digests = {Path(name).stem: str(digest) for name, digest in files.items()}
    count = draws if len(frozen.ensemble) > 1 else 1
    return Whom(tuple(members_of(frozen, count, seed=seed)), said_of(frozen), digests)


def said_of(frozen: Frozen) -> dict[str, Any]:
    """Say what a frozen population is, for records.

    Parameters
    ----------
    frozen : Frozen
        From `read_frozen`.

    Returns
    -------
    dict
        As `Whom.said`.
    """
    return {
        "which": "frozen",
        "name": frozen.name,
        "status": str(frozen.record["status"]),
        "date": str(frozen.record["date"]),
        "stale": list(frozen.stale),
        "of": len(frozen.ensemble),
    }


def is_frozen(protocol: Protocol) -> bool:
    """Whether the library has this population as fitted together with this clinical link.

    Parameters
    ----------
    protocol : Protocol
        A file of one's own, of whatever name, was never frozen.

    Returns
    -------
    bool
        True where `read_frozen` is about the same two files.
    """
    try:
        population = catalog.find("populations", str(protocol.population))
        link = catalog.find("outcomes", str(protocol.outcomes))
        name = population.stem
        if name not in frozen_names() or population != catalog.find("populations", name):
            return False
        record = catalog.read_toml(frozen_files(name)["record"])
        return link in [catalog.find("outcomes", name) for name in record["library"]["outcomes"]]
    except (NotInLibraryError, KeyError):
        return False


def files_of(said: Mapping[str, Any], protocol: Protocol) -> list[Path]:
    """Files of population and clinical link that a run rests on.

    Parameters
    ----------
    said : mapping
        What the run's plan says of its population; empty in runs of earlier versions.
    protocol : Protocol
        Of the run.

    Returns
    -------
    list of Path
        The clinical link, then the population.
    """
    if said.get("which") == "frozen":
        places = frozen_files(str(said["name"]))
        return [places["outcomes"], places["population"]]
    return [
        catalog.find("outcomes", str(protocol.outcomes)),
        catalog.find("populations", protocol.population),
    ]


def in_words(said: Mapping[str, Any]) -> str:
    """Say whose patients they are.

    Parameters
    ----------
    said : mapping
        As `Whom.said`.

    Returns
    -------
    str
        One sentence without its stop; "" of a run of an earlier version.

    Examples
    --------
    >>> in_words({"which": "prior", "name": "mine"})
    'mine as its file states it, not fitted; the same for every draw'
    """
    if not said:
        return ""
    if said["which"] == "prior":
        return f"{said['name']} as its file states it, not fitted; the same for every draw"
    told = (
        f"{said['name']} as frozen on {said['date']} ({said['status']}): each draw of the cards is paired "
        f"with one of {said['of']} members of its ensemble, the same member in all arms"
    )
    stale: Sequence[str] = said["stale"]
    if stale:
        told += (
            f". Since then {', '.join(stale)} changed: what the fit showed holds for the earlier ones, and "
            "the page of the fit no longer describes this population exactly"
        )
    return told
