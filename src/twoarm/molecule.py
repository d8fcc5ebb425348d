"""A molecule: its arms, affinities and disposition, and the model parameters that follow from them.

A molecule whose entries are ranges is an ensemble: :func:`draw_cards` draws members of it. No name of a drug
appears here or in any equation; drugs differ by card only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.stats import qmc

from twoarm import catalog
from twoarm.assay import in_solution
from twoarm.card import (
    SECTIONS,
    Covariates,
    CytotoxicArm,
    Disposition,
    Entry,
    EntryRule,
    Il2Arm,
    Immunogenicity,
    Pd1Arm,
    Pdl1Arm,
    units_of,
)
from twoarm.chance import generator, uniforms
from twoarm.errors import (
    CardEntryError,
    MissingFieldError,
    NoSlotError,
    NumberOfDrawsError,
    TwoarmError,
    UnknownFieldError,
    UnknownMethodError,
)
from twoarm.wording import foremost, in_words


class Molecule(BaseModel):
    """A molecule as its card describes it; an ensemble where entries are ranges.

    Attributes
    ----------
    name : str
        As in the library.
    aliases : tuple of str
        Other names.
    kind : {"immunocytokine", "antibody", "cytokine", "cytotoxic"}
        For lists; no equation reads it.
    description, status : str
        What it is; what is public about it.
    mass : Entry or None
        Molar mass [kDa]; needed to dose it, not to put cells into it.
    pd1_arm, pdl1_arm, il2_arm, cytotoxic_arm : section or None
        An absent section is an absent arm.
    disposition : Disposition or None
        Clearance and volumes; needed to dose it.
    immunogenicity : Immunogenicity or None
        Antibodies against it.
    covariates : Covariates or None
        What changes its clearance and volume.
    digest : str
        SHA-256 of the file it was read from; "" for one made by hand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]*$")]  # it names files of a run
    aliases: tuple[str, ...] = ()
    kind: Literal["immunocytokine", "antibody", "cytokine", "cytotoxic"]
    description: str
    status: str = ""
    mass: Annotated[Entry, EntryRule("kDa", above=0)] | None = None
    pd1_arm: Pd1Arm | None = None
    pdl1_arm: Pdl1Arm | None = None
    il2_arm: Il2Arm | None = None
    cytotoxic_arm: CytotoxicArm | None = None
    disposition: Disposition | None = None
    immunogenicity: Immunogenicity | None = None
    covariates: Covariates | None = None
    digest: str = ""

    def entries(self) -> dict[str, Entry]:
        """List the entries by ``section.field``.

        Returns
        -------
        dict of str to Entry
            In the order of the schema.
        """
        found: dict[str, Entry | None] = {}
        for name in _UNITS:
            section, _, field = name.partition(".")
            found[name] = getattr(getattr(self, section), field, None) if field else self.mass
        return {name: entry for name, entry in found.items() if entry is not None}

    @property
    def is_ensemble(self) -> bool:
        """Whether any entry is a range or a choice."""
        return any(entry.is_drawn for entry in self.entries().values())

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the bibliography that the card rests on, sorted."""
        return tuple(sorted({key for entry in self.entries().values() for key in entry.sources}))

    def nominal(self) -> dict[str, float]:
        """Take each entry's value, or the middle of its range.

        Returns
        -------
        dict of str to float
            By ``section.field``, in house units.

        Examples
        --------
        >>> read_molecule("pembrolizumab").nominal()["disposition.cl"]
        0.22
        """
        return {name: entry.nominal() for name, entry in self.entries().items()}

    def without(self, *parts: str) -> Molecule:
        """Take away arms, or single bonds of an arm.

        Parameters
        ----------
        *parts : str
            A section, as "pd1_arm", or an optional entry, as "il2_arm.kd_il2ra" (the arm then binds no CD25).

        Returns
        -------
        Molecule
            A new card.

        Raises
        ------
        UnknownFieldError
            If the card has no such part.
        CardEntryError
            If the card is not one without it.
        """
        content = self._content()
        for part in parts:
            section, _, field = part.partition(".")
            place = content if not field else content.get(section)
            if not isinstance(place, dict) or (field or section) not in place:
                self._refuse(part)
            del place[field or section]
        return _validated(content, self.name)

    def with_values(
        self, values: Mapping[str, float | str], *, source: str = "assumed", note: str = "set by hand"
    ) -> Molecule:
        """Set entries to values.

        Parameters
        ----------
        values : mapping of str to float or str
            By ``section.field``: a number in the house unit or a quantity in words. A row of
            :func:`draw_cards` gives that member of the ensemble.
        source, note : str
            Where the values come from.

        Returns
        -------
        Molecule
            A new card; entries that were set are fixed.

        Raises
        ------
        UnknownFieldError
            If the card has no such field.
        CardEntryError
            If a value breaks the rule of its field.

        Examples
        --------
        >>> card = read_molecule("ibi363").with_values({"il2_arm.weakening_il2rb": 1.0})
        >>> card.nominal()["il2_arm.weakening_il2rb"]
        1.0
        """
        content = self._content()
        for part, value in values.items():
            section, _, field = part.partition(".")
            place = content if not field else content.get(section)
            if part not in _UNITS or not isinstance(place, dict):
                self._refuse(part)
            text = value if isinstance(value, str) else f"{float(value)!r} {_UNITS[part]}"
            place[field or section] = {"value": text, "source": source, "note": note}
        return _validated(content, self.name)

    def _content(self) -> dict[str, Any]:
        """List the card as tables of entries, absent ones left out."""
        content = {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}
        for section in SECTIONS:
            if section in content:
                arm = content[section]
                fields = {field: getattr(arm, field) for field in type(arm).model_fields}
                content[section] = {field: value for field, value in fields.items() if value is not None}
        return content

    def _refuse(self, part: str) -> NoReturn:
        raise UnknownFieldError(path=self.name, place="the card", field=part, known=self.entries())


_UNITS = {"mass": "kDa"} | {
    f"{section}.{field}": unit
    for section, model in SECTIONS.items()
    for field, unit in units_of(model).items()
}


_DRAWABLE = tuple(field for field in _UNITS if not field.startswith("covariates."))


def read_molecule(name_or_path: str | os.PathLike[str]) -> Molecule:
    """Read a molecule's card.

    Parameters
    ----------
    name_or_path : str or path
        Name or alias in the library, or a TOML file of the user's own.

    Returns
    -------
    Molecule
        Every number in its house unit.

    Raises
    ------
    NotInLibraryError, FileMissingError, FileTooLargeError, FileTextError
        If there is no such card, or it cannot be read.
    UnknownFieldError, MissingFieldError
        If the card has a field too many or too few.
    CardEntryError
        If an entry breaks its rule; ``__cause__`` is the error of that rule.

    Examples
    --------
    >>> read_molecule("TAK-928").name
    'ibi363'
    >>> read_molecule("docetaxel").is_ensemble
    False
    """
    path = catalog.find("molecules", name_or_path)
    content = catalog.read_toml(path)
    if "digest" in content:
        raise UnknownFieldError(path=path.name, place="the card", field="digest", known=Molecule.model_fields)
    if isinstance(content.get("il2_arm"), dict):
        try:
            content["il2_arm"] = in_solution(content["il2_arm"])
        except TwoarmError as wrong:
            raise CardEntryError(path=path.name, place="il2_arm", reason=str(wrong)) from wrong
    return _validated({**content, "digest": catalog.digest(path)}, path.name)


def draw_cards(molecule: Molecule, n: int, seed: int, method: str = "lhs") -> pd.DataFrame:
    """Draw members of the ensemble that a card describes.

    Parameters
    ----------
    molecule : Molecule
        The card.
    n : int
        Number of draws, at least 1.
    seed : int
        Seed; the same seed gives the same draws.
    method : {"lhs", "sobol", "random"}
        Latin hypercube, scrambled Sobol sequence, or independent draws. With "sobol" and "random" the first
        draws do not depend on `n`; below some 128 draws, though, fields of a Sobol sequence go together in
        pairs, with a rank correlation of 0.75 in 64 draws, where a Latin hypercube has 0.3.

    Returns
    -------
    pandas.DataFrame
        (draw, entry) in house units, index `draw`, columns ``section.field`` of every entry, fixed ones
        constant; a row is a whole card. Its `attrs` hold units, method, seed, name and digest.

    Raises
    ------
    NumberOfDrawsError
        If `n` is not a whole number of at least 1.
    UnknownMethodError
        If the method is none of the three.

    Notes
    -----
    Every field that may be a range has its own axis of the sequence, drawn or not (those of `covariates` may
    not). Two cards therefore share the
    quantile of a field they both scan, and taking an arm away leaves the rest of each draw as it was.

    References
    ----------
    mckay1979; joe2008; owen1998.

    Examples
    --------
    >>> cards = draw_cards(read_molecule("ibi363"), 4, seed=7)
    >>> sorted(set(cards["pd1_arm.sites"]) - {1.0, 2.0})
    []
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise NumberOfDrawsError(n=n)
    if method not in _METHODS:
        raise UnknownMethodError(method=method, known=_METHODS)
    axes = {field: axis for axis, field in enumerate(_DRAWABLE)}
    quantiles = _METHODS[method](int(n), len(axes), seed)
    entries = molecule.entries()
    drawn = {
        field: [entry.at(float(quantile)) for quantile in quantiles[:, axes[field]]]
        if entry.is_drawn
        else entry.nominal()
        for field, entry in entries.items()
    }
    cards = pd.DataFrame(drawn, index=pd.RangeIndex(int(n), name="draw"), dtype=float)
    cards.attrs = {
        "units": {field: entry.unit for field, entry in entries.items()},
        "molecule": molecule.name,
        "digest": molecule.digest,
        "seed": int(seed),
        "method": method,
    }
    return cards


def _sobol(n: int, size: int, seed: int) -> np.ndarray:
    sequence = qmc.Sobol(size, scramble=True, rng=generator(seed, "molecule card"))
    return sequence.random_base2(max(n - 1, 1).bit_length())[:n]


def _lhs(n: int, size: int, seed: int) -> np.ndarray:
    return qmc.LatinHypercube(size, rng=generator(seed, "molecule card")).random(n)


def _random(n: int, size: int, seed: int) -> np.ndarray:
    return uniforms(seed, "molecule card", np.arange(n), size)


_METHODS = {"sobol": _sobol, "lhs": _lhs, "random": _random}


def _validated(content: Mapping[str, Any], path: str) -> Molecule:
    """Make a molecule, or raise the first error in the words of this package."""
    try:
        return Molecule.model_validate(dict(content))
    except ValidationError as invalid:
        first = foremost(invalid.errors())
    *sections, field = [str(part) for part in first["loc"]] or ["card"]
    place = ".".join(sections) or "the card"
    if first["type"] == "extra_forbidden":
        model = SECTIONS.get(place, Molecule)
        raise UnknownFieldError(path=path, place=place, field=field, known=model.model_fields)
    if first["type"] == "missing":
        raise MissingFieldError(path=path, place=place, field=field)
    cause = first.get("ctx", {}).get("error")
    reason = str(cause) if isinstance(cause, TwoarmError) else in_words(first)
    raise CardEntryError(path=path, place=".".join([*sections, field]), reason=reason) from cause


def model_parameters(molecule: Molecule | Mapping[Any, float] | pd.Series, slot: str) -> dict[str, float]:
    """Work out the model's parameters of a molecule in one slot of the model.

    Parameters
    ----------
    molecule : Molecule or mapping or Series
        A card, of which the nominal values are taken, or a row of :func:`draw_cards`.
    slot : {"drug", "competitor", "cytotoxic", "cell"}
        What the molecule is in the model: the drug given on study, an anti-PD-1 given before or beside it,
        a cytotoxic drug, or what stands around cells in a dish (arms only, no disposition).

    Returns
    -------
    dict of str to float
        By name of the model's parameter, in nM, day, L.

    Raises
    ------
    NoSlotError
        If the molecule cannot fill the slot.
    MissingFieldError
        If it lacks an entry that the slot needs.

    Notes
    -----
    One KD needs two rates, kd = koff/kon. For the PD-1 arm the card gives kd and one rate, and the other
    follows. For the IL-2 arm it gives one kon for all chains (they differ by how long they hold it),
    from which koff = kon*kd; where it gives koff for CD25, kon = koff/kd there. The kd of CD122 is the native
    one times the weakening, and gamma recruitment is divided by its own weakening:

        koff_il2rb = kon * native_kd_il2rb * weakening_il2rb,    gain_il2rg = 1 / weakening_il2rg

    An arm or chain that is absent has kon = 0 and any positive koff, so that nothing is ever bound; an absent
    PD-L1 arm has a kd so weak that no concentration reaches it. Avidity is what a second site adds to the
    hold of the first, as koff/(1 + avidity); a single site has no second one, so its avidity is 0.

    Examples
    --------
    >>> card = read_molecule("aldesleukin")
    >>> one, weak = (
    ...     model_parameters(c, "drug") for c in (card, card.with_values({"il2_arm.weakening_il2rb": 300.0}))
    ... )
    >>> round(weak["drug_koff_il2rb"] / one["drug_koff_il2rb"]), one["drug_kon_pd1"]
    (300, 0.0)
    """
    if isinstance(molecule, Molecule):
        name, card = molecule.name, molecule.nominal()
    else:
        name, card = "card row", {str(field): float(value) for field, value in molecule.items()}
    possible = slots(card)
    if slot not in (*possible, "cell"):
        raise NoSlotError(molecule=name, slot=slot, slots=(*possible, "cell"))
    try:
        return _IN_SLOT[slot](card)
    except KeyError as missing:
        raise MissingFieldError(path=name, place=f"the slot {slot}", field=missing.args[0]) from None


def slots(card: Mapping[str, float]) -> tuple[str, ...]:
    """List the slots of the model that a card can fill.

    Parameters
    ----------
    card : mapping of str to float
        Nominal values, or a row of :func:`draw_cards`.

    Returns
    -------
    tuple of str
        The usual one first.

    Examples
    --------
    >>> slots(read_molecule("nivolumab").nominal())
    ('drug', 'competitor')
    """
    if "cytotoxic_arm.emax" in card:
        return ("cytotoxic",)
    return ("drug", "competitor") if "pd1_arm.kd" in card else ("drug",)


_NEVER = 1e12  # nM; a kd that no concentration reaches
_ANY_RATE = 1.0  # 1/day; the koff of a bond that is never made


def _rates(kd: float | None, koff: float | None, kon: float | None) -> tuple[float, float]:
    """Rates (kon, koff) of a bond; without kd there is none."""
    if kd is None:
        return 0.0, _ANY_RATE
    if koff is not None:
        return koff / kd, koff
    assert kon is not None  # a card has one of the two
    return kon, kon * kd


def _pd1(card: Mapping[str, float]) -> dict[str, float]:
    arm = {key: card.get(f"pd1_arm.{key}") for key in ("kd", "koff", "kon", "avidity", "sites", "blocks")}
    kon, koff = _rates(arm["kd"], arm["koff"], arm["kon"])
    sites = arm["sites"] or 0.0
    avidity = (arm["avidity"] or 0.0) if sites > 1 else 0.0
    return {
        "sites_pd1": sites,
        "kon_pd1": kon,
        "koff_pd1": koff,
        "avidity_pd1": avidity,
        "blocks_pd1": arm["blocks"] or 0.0,
    }


def _il2(card: Mapping[str, float]) -> dict[str, float]:
    kon = card.get("il2_arm.kon")
    fold = card.get("il2_arm.weakening_il2rb", 1.0)
    native = card.get("il2_arm.native_kd_il2rb")
    kon_a, koff_a = _rates(card.get("il2_arm.kd_il2ra"), card.get("il2_arm.koff_il2ra"), kon)
    kon_b, koff_b = _rates(None if native is None else native * fold, None, kon)
    return {
        "moieties_il2": card.get("il2_arm.moieties", 0.0),
        "kon_il2ra": kon_a,
        "koff_il2ra": koff_a,
        "kon_il2rb": kon_b,
        "koff_il2rb": koff_b,
        "gain_il2rg": 1.0 / card.get("il2_arm.weakening_il2rg", 1.0),
        "cis_gain": card.get("il2_arm.cis_gain", 0.0),
    }


def _disposition(card: Mapping[str, float]) -> dict[str, float]:
    return {key: card[f"disposition.{key}"] for key in ("cl", "vc", "q", "vp")}


def _drug(card: Mapping[str, float]) -> dict[str, float]:
    parameters = {
        **_pd1(card),
        "kd_pdl1": card.get("pdl1_arm.kd", _NEVER),
        **_il2(card),
        **_disposition(card),
        "ka": card.get("disposition.ka", 0.0),
        "ada_cl_fold": card.get("immunogenicity.ada_clearance_fold", 1.0),
        "change_cl": card.get("covariates.change_cl", 0.0),
        "change_half": card.get("covariates.change_half", 1.0),
        "change_hill": card.get("covariates.change_hill", 1.0),
    }
    return {f"drug_{name}": value for name, value in parameters.items()}


def _cell(card: Mapping[str, float]) -> dict[str, float]:
    return {f"drug_{name}": value for name, value in {**_pd1(card), **_il2(card)}.items()}


def _competitor(card: Mapping[str, float]) -> dict[str, float]:
    arm = _pd1(card)
    parameters = {name: arm[name] for name in ("kon_pd1", "koff_pd1", "avidity_pd1")} | _disposition(card)
    return {f"competitor_{name}": value for name, value in parameters.items()}


def _cytotoxic(card: Mapping[str, float]) -> dict[str, float]:
    names = {"cl": "cl", "vc": "vc", "q1": "q", "v1": "vp", "q2": "q2", "v2": "vp2"}
    parameters = {name: card[f"disposition.{field}"] for name, field in names.items()}
    parameters |= {name: card[f"cytotoxic_arm.{name}"] for name in CytotoxicArm.model_fields}
    return {f"cytotoxic_{name}": value for name, value in parameters.items()}


_IN_SLOT = {"drug": _drug, "competitor": _competitor, "cytotoxic": _cytotoxic, "cell": _cell}
