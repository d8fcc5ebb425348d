"""A study file: which protocol and model, what is asked, which published facts stand beside the answer."""

from __future__ import annotations

from pathlib import Path

from twoarm import catalog
from twoarm.errors import NotInLibraryError
from twoarm.trial.entry import Card, check_card, read_card
from twoarm.trial.protocol import Protocol, read_protocol

BIOLOGY = "pd1_il2"  # the model of a protocol that has no study file


class Beside(Card):
    """Published facts about one cohort, laid beside one arm; beside "", facts that compare the arms."""

    arm: str
    facts: tuple[str, ...]
    label: str
    differences: str = ""


class Overlay(Card):
    """A published survival curve, drawn dashed beside an arm."""

    evidence: str
    drug: str
    arm: str
    label: str


class Study(Card):
    """What is asked of a protocol, with which model, beside which facts.

    Attributes
    ----------
    protocol, model : str
        Names in the library, or paths.
    question, primary : str
        What is asked, and the measure that answers it.
    evidence : tuple of str
        Tables of published facts.
    compare : tuple of Beside
        Which facts stand beside which arm.
    curves : Overlay or None
        A published curve.
    limits : tuple of str
        What the answer does not cover.
    """

    name: str
    description: str = ""
    protocol: str
    model: str = BIOLOGY
    question: str = ""
    primary: str = "Hazard ratio of OS"
    evidence: tuple[str, ...] = ()
    compare: tuple[Beside, ...] = ()
    curves: Overlay | None = None
    limits: tuple[str, ...] = ()


def read_study(name: str | Path) -> tuple[Study, Protocol]:
    """Read a study of the library, or make one of a protocol that has none.

    Parameters
    ----------
    name : str or Path
        Name of a study or protocol in the library, as "marslight-11", or the path of a file of either kind.

    Returns
    -------
    study : Study
        The study's card.
    protocol : Protocol
        The protocol it asks about.

    Raises
    ------
    NotInLibraryError
        If neither a study nor a protocol has the name.
    UnknownFieldError, MissingFieldError, CardEntryError
        If a file breaks a rule.

    Examples
    --------
    >>> study, protocol = read_study("marslight-11")
    >>> study.model, len(protocol.arms)
    ('pd1_il2', 2)
    """
    try:
        path = catalog.find("studies", name)
    except NotInLibraryError:
        protocol = read_protocol(name)
        return Study(name=protocol.name, protocol=str(name)), protocol
    raw = catalog.read_toml(path)
    if "arms" in raw:
        protocol = read_card("protocols", path, Protocol)[0]
        return Study(name=protocol.name, protocol=str(path)), protocol
    study = check_card(raw, Study, path)
    return study, read_protocol(study.protocol)
