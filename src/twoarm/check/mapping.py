"""From a row of evidence to the cohort that would have shown it, or to the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.check.endpoints import read_endpoint
from twoarm.check.pool import LARGEST, Subset
from twoarm.check.rules import Drug, Rules, Setting, SubsetRule, Tumor, found
from twoarm.errors import NoSlotError, SlotTakenError, TwoarmError
from twoarm.molecule import read_molecule
from twoarm.regimen import Regimen, combine
from twoarm.trial.protocol import Course, Protocol, Treatment, read_protocol
from twoarm.units import quantity

_DOSE = re.compile(
    r"(\d+(?:\.\d+)?(?:e-?\d+)?)\s*((?:n|u|µ|μ|m|k)?g(?:\s*/\s*(?:kg|m2))?)(?![\w/])", re.IGNORECASE
)
_BARE = re.compile(r"(\d+(?:\.\d+)?) or(?= (\d+(?:\.\d+)?) ?((?:n|u|m)?g(?:/(?:kg|m2))?))", re.IGNORECASE)
_RANGE = re.compile(r"\d\s*(?:-|–|to)\s*\d|>|≥|<|at least|up to|escalat", re.IGNORECASE)
_IU = re.compile(
    r"(\d[\d,]*(?:\.\d+)?)(?:\s*(?:-|–|to|or)\s*(\d[\d,]*(?:\.\d+)?))?\s*(?:IU|international units)\b",
    re.IGNORECASE,
)
_A_DAY = re.compile(r"\s*/\s*d(?:ay)?\b", re.IGNORECASE)
_VERSUS = re.compile(r"\s+(?:vs\.?|versus)\s+", re.IGNORECASE)
_PLUS = re.compile(r"\s*(?:\+|\bplus\b|\bwith\b)\s*", re.IGNORECASE)


class NotMapped(Exception):  # noqa: N818 (it is no error: it carries a reason to the table)
    """A row is about no cohort that can be simulated; its text says why."""


class Planned(NamedTuple):
    """One arm of a cohort: what is given, in words that a protocol takes.

    Attributes
    ----------
    label : str
        As "an_antibody 3 mg/kg every 14 days"; equal labels are equal regimens.
    treatments : tuple of Treatment
        Its molecules.
    n : int
        Patients.
    """

    label: str
    treatments: tuple[Treatment, ...]
    n: int


class Rhythm(NamedTuple):
    """How often doses are given.

    Attributes
    ----------
    days : float
        From dose to dose, or from course to course.
    times : int
        How many doses or courses; 0 for any number.
    daily : int
        Doses on as many days in a row, each time; 1 where each dose stands alone.
    """

    days: float
    times: int = 0
    daily: int = 1


class Cohort(NamedTuple):
    """What a row is about.

    Attributes
    ----------
    parts : tuple of (str, float)
        Populations and their shares.
    subset : Subset or None
        Who is admitted.
    arms : tuple of Planned
        One, or two that are compared.
    calendar : str
        Protocol whose visits hold.
    horizon : float [day]
        How long patients are followed at most.
    follow_up : tuple of two floats [months] or None
        When records are cut.
    """

    parts: tuple[tuple[str, float], ...]
    subset: Subset | None
    arms: tuple[Planned, ...]
    calendar: str
    horizon: float
    follow_up: tuple[float, float] | None


class Mapped(NamedTuple):
    """A row with its cohort.

    Attributes
    ----------
    cohort : Cohort
        What is simulated.
    endpoint : str
        Name as in `read_endpoint`.
    value : float
        What was reported, in the endpoint's unit.
    scored : bool
        False where the number of patients is not stated.
    notes : tuple of str
        What was assumed on the way.
    setting : str
        Tumor with line and earlier immunotherapy, whatever the histology.
    """

    cohort: Cohort
    endpoint: str
    value: float
    scored: bool
    notes: tuple[str, ...]
    setting: str


def map_rows(facts: pd.DataFrame, rules: Rules) -> tuple[dict[str, Mapped], dict[str, str]]:
    """Map every row of a table of evidence.

    Parameters
    ----------
    facts : DataFrame
        From `twoarm.evidence.read.read_evidence`.
    rules : Rules
        From `read_rules`.

    Returns
    -------
    mapped : dict of id to Mapped
        Rows that can be predicted.
    reasons : dict of id to str
        Why the others cannot.

    Examples
    --------
    >>> from twoarm.check.rules import read_rules
    >>> from twoarm.evidence.read import read_evidence
    >>> mapped, reasons = map_rows(read_evidence("oak_squamous"), read_rules())
    >>> mapped["OAK-SQ-01"].cohort.parts
    (('io_naive_squamous_nsclc', 1.0),)
    """
    mapped: dict[str, Mapped] = {}
    reasons: dict[str, str] = {}
    for _, fact in facts.iterrows():
        try:
            mapped[str(fact["id"])] = _map(fact, facts, rules)
        except NotMapped as why:
            reasons[str(fact["id"])] = str(why)
    return mapped, reasons


def _map(fact: pd.Series, facts: pd.DataFrame, rules: Rules) -> Mapped:
    """Map one row."""
    notes: list[str] = []
    endpoint, value = _endpoint(fact, rules, notes)
    fits = (rule for rule in rules.tumors if found(rule.match, fact["tumor"]) and found(rule.only, endpoint))
    tumor = next(fits, None)
    if tumor is None or tumor.reason:
        raise NotMapped(f"{tumor.reason if tumor else 'a tumor without population'}: {fact['tumor']}")
    if tumor.only:
        notes.append(tumor.note)
    is_ratio = read_endpoint(endpoint).kind == "ratio"
    names = _VERSUS.split(str(fact["drug"]))
    if is_ratio and len(names) == 1 and len(_VERSUS.split(str(fact["regimen"]))) == 2:
        names = _VERSUS.split(str(fact["regimen"]))
    if len(names) > 2 or is_ratio != (len(names) == 2):
        raise NotMapped("a ratio needs two arms, and other endpoints one")
    n = _patients(fact, facts, len(names))
    sizes = [n or rules.missing_n] * len(names)
    if n is None:
        notes.append(f"n not stated: {rules.missing_n} assumed, not scored")
    arms = tuple(
        _arm(_sibling(fact, name, facts) if len(names) > 1 else fact, name, size, rules, notes)
        for name, size in zip(names, sizes, strict=True)
    )
    kind = read_molecule(arms[0].treatments[0].molecule).kind
    parts = _parts(fact, tumor, kind, notes)
    follow_up = _follow_up(str(fact["follow_up_months"]), rules)
    if np.isinf(value) and follow_up is None:
        raise NotMapped("a median that was not reached, without the length of follow-up")
    cohort = Cohort(
        parts=parts,
        subset=_subset(fact, tumor, parts, notes),
        arms=arms,
        calendar=tumor.calendar,
        horizon=quantity(tumor.horizon, "day"),
        follow_up=follow_up,
    )
    if len(arms) > 1 and arms[0].label == arms[1].label:
        raise NotMapped("the two arms are the same regimen here")
    held = _setting(fact, tumor, kind)
    setting = " ".join([str(fact["tumor"]).lower(), *sorted(held.shares if held else ())])
    return Mapped(cohort, endpoint, value, n is not None, tuple(dict.fromkeys(notes)), setting)


def _endpoint(fact: pd.Series, rules: Rules, notes: list[str]) -> tuple[str, float]:
    """Endpoint and value of a row."""
    for rule in rules.endpoints:
        match = found(rule.match, fact["endpoint"])
        if match and (rule.note_match is None or found(rule.note_match, fact["note"])):
            break
    else:
        raise NotMapped(f"an endpoint that is not simulated: {fact['endpoint']}")
    if rule.reason:
        raise NotMapped(f"{rule.reason}: {fact['endpoint']}")
    words = {key: text.upper() if key == "time" else text for key, text in match.groupdict().items() if text}
    name = rule.endpoint.format(**words)
    value, unit = float(fact["value"]), str(fact["unit"])
    if np.isnan(value):
        raise NotMapped("no figure")
    if rule.of_n:
        if pd.isna(fact["n"]):
            raise NotMapped("a count without the number of patients")
        value, unit = 100 * value / int(fact["n"]), "%"
    try:
        wanted = read_endpoint(name).unit
    except TwoarmError:
        raise NotMapped(f"an endpoint that is not simulated: {fact['endpoint']}") from None
    if read_endpoint(name).month > rules.last_month:
        raise NotMapped(f"later than {rules.last_month:g} months: {fact['endpoint']}")
    if unit != wanted:
        raise NotMapped(f"{fact['endpoint']} in {unit}, not in {wanted}")
    if rule.note:
        notes.append(rule.note)
    return name, value


def _share(said: float | str, match: Mapping[str, str], where: str) -> float:
    """Share of a rule: a number, or one that stands in the cell."""
    if not isinstance(said, str):
        return said
    named = {key: float(text) for key, text in match.items() if text}
    if "percent" in named:
        share = named["percent"] / 100
    elif named.get("whole"):
        share = named["part"] / named["whole"]
    else:
        raise NotMapped(f"no share can be read from {where}")
    share = share if said in ("percent", "part") else 1 - share
    if not 0 <= share <= 1:
        raise NotMapped(f"a share beyond 0 to 100 %: {where}")
    return share


def _parts(fact: pd.Series, tumor: Tumor, kind: str, notes: list[str]) -> tuple[tuple[str, float], ...]:
    """Find the populations of a cohort and their shares."""
    setting = _setting(fact, tumor, kind)
    said_of = str(fact["histology"]).strip() or _named_by(str(fact["tumor"]), tumor)
    histology = next((rule for rule in tumor.histologies if found(rule.match, said_of)), None)
    for said, what in ((setting, "setting"), (histology, "histology")):
        if said is None or said.reason:
            text = fact["histology"] if what == "histology" else f"{fact['line']} {fact['prior_io']}".strip()
            raise NotMapped(
                f"{said.reason if said else f'a {what} without population'}: {text or 'not stated'}"
            )
        if said.note:
            notes.append(said.note)
    assert setting is not None and histology is not None  # of the lines above
    when = found(setting.prior_io, fact["prior_io"])
    what_kind = found(histology.match, said_of)
    parts = []
    for first, one in setting.shares.items():
        for second, other in histology.shares.items():
            share = _share(one, when.groupdict() if when else {}, fact["prior_io"])
            share *= _share(other, what_kind.groupdict() if what_kind else {}, fact["histology"])
            if share > 0:
                parts.append((tumor.population.format(setting=first, histology=second), round(share, 6)))
    return tuple(parts)


def _named_by(tumor: str, rule: Tumor) -> str:
    """Histology that stands in the name of the tumor, as in "squamous NSCLC"; "" where none does."""
    named = any(found(one.match, tumor) for one in rule.histologies if not found(one.match, ""))
    return tumor if named else ""


def _setting(fact: pd.Series, tumor: Tumor, kind: str) -> Setting | None:
    """Find the rule of line and earlier immunotherapy."""
    for rule in tumor.settings:
        if rule.drug_kind and rule.drug_kind != kind:
            continue
        if found(rule.line, fact["line"]) and found(rule.prior_io, fact["prior_io"]):
            return rule
    return None


def _subset(
    fact: pd.Series, tumor: Tumor, parts: tuple[tuple[str, float], ...], notes: list[str]
) -> Subset | None:
    """Subset by biomarker of a cohort."""
    text = str(fact["biomarker_subset"]).strip()
    if not text:
        return None
    rule = next((rule for rule in tumor.subsets if found(rule.match, text)), None)
    if rule is None or rule.reason:
        why = rule.reason if rule else "a subset by biomarker that no population describes"
        raise NotMapped(f"{why}: {text}")
    if rule.note:
        notes.append(rule.note)
    return _admitted(rule)


def _admitted(rule: SubsetRule) -> Subset | None:
    return Subset(rule.column, rule.above, rule.below, rule.equals) if rule.column else None


def _patients(fact: pd.Series, facts: pd.DataFrame, arms: int) -> int | None:
    """Patients of an arm: as stated, else as another row of the same arm states."""
    n = fact["n"]
    if pd.isna(n):
        same = facts[facts["n"].notna()]
        for column in ("trial_name", "drug", "tumor", "histology", "line", "biomarker_subset"):
            same = same[same[column] == fact[column]]
        n = same["n"].iloc[0] if len(same) and fact["trial_name"] else None
    if n is not None and int(n) > LARGEST:
        raise NotMapped(f"{int(n):,} patients, more than the {LARGEST:,} of a cohort")
    return None if n is None else max(int(n) // arms, 1)


def _sibling(fact: pd.Series, name: str, facts: pd.DataFrame) -> pd.Series:
    """Find the row of the trial that says how this arm is given, else take this one without a dose."""
    same = facts[(facts["trial_name"] == fact["trial_name"]) & (facts["trial_name"] != "")]
    for column in ("drug", "regimen"):
        named = same[same[column].str.lower() == name.lower()]
        if len(named):
            return named.iloc[0]
    bare = fact.copy()
    bare[["drug", "dose", "schedule", "combination", "regimen"]] = [name, "", "", "", ""]
    return bare


def _arm(fact: pd.Series, name: str, n: int, rules: Rules, notes: list[str]) -> Planned:
    """Say what an arm is given."""
    agents = _agents(fact, name, rules)
    drugs = _drugs(agents, fact, rules)
    doses = _doses(str(fact["dose"]), len(agents))
    courses = any(_like(drug).course for drug in drugs)
    every = _every(str(fact["schedule"]), rules, notes, courses=courses)
    treatments = []
    for agent, drug, dose in zip(agents, drugs, doses, strict=True):
        if drug.note:
            notes.append(f"{agent}: {drug.note}")
        each = _A_DAY.sub("", dose) if every and every.daily > 1 else dose
        treatments.append(_treatment(drug, _one_dose(each, drug, rules, notes), every))
    treatments = _beside(treatments)
    told = [drug.label or _told(part) for drug, part in zip(drugs, treatments, strict=True)]
    try:
        combine(
            *(
                Regimen(read_molecule(part.molecule), part.dose, "21 days", slot=part.slot)
                for part in treatments
            )
        )
    except (SlotTakenError, NoSlotError):
        raise NotMapped(
            f"combination not modeled: {' + '.join(agents)} fill one place of the model"
        ) from None
    except TwoarmError:
        raise NotMapped(f"dose not understood: {str(fact['dose'])[:60]}") from None
    return Planned(" + ".join(told), tuple(treatments), n)


def _told(part: Treatment) -> str:
    """Say what is given so that equal words are equal regimens."""
    often = f"every {part.every:g} days"
    if part.course is None:
        return f"{part.molecule} {part.dose} {often}"
    course = f"{part.course.doses} doses {24 * part.course.apart:g} h apart"
    return f"{part.molecule} {part.dose}, {course}, {often}"


def _beside(treatments: list[Treatment]) -> list[Treatment]:
    """Give an antibody to PD-1 or its ligand the place beside a cytokine, which is the drug."""
    kinds = [read_molecule(part.molecule).kind for part in treatments]
    if sorted(kinds) != ["antibody", "cytokine"]:
        return treatments
    slot = {"antibody": "competitor", "cytokine": "drug"}
    return [
        part.model_copy(update={"slot": slot[kind]}) for part, kind in zip(treatments, kinds, strict=True)
    ]


def _agents(fact: pd.Series, name: str, rules: Rules) -> list[str]:
    """Agents of an arm, those without effect left out."""
    named = [name, *(_PLUS.split(str(fact["combination"])) if fact["combination"] else [])]
    if _PLUS.search(name):
        named = _PLUS.split(name)
    elif not fact["combination"] and _PLUS.search(str(fact["regimen"])):
        named += [part for part in _PLUS.split(str(fact["regimen"])) if name.lower() not in part.lower()]
    agents = [agent.strip() for agent in named if agent.strip()]
    acting = [agent for agent in agents if not found(rules.without_effect, agent)]
    return list(dict.fromkeys(agent.lower() for agent in acting)) or agents[:1]


def _drugs(agents: list[str], fact: pd.Series, rules: Rules) -> list[Drug]:
    """Find the rules of all agents, or say which have none."""
    drugs = []
    for agent in agents:
        fits = (rule for rule in rules.drugs if found(rule.match, agent) and found(rule.tumor, fact["tumor"]))
        rule = next(fits, None)
        if rule is None or rule.reason:
            why = f"{rule.reason if rule else 'no card of this agent'}: {agent[:60]}"
            raise NotMapped(f"combination not modeled: {why}" if len(agents) > 1 else why)
        drugs.append(rule)
    return drugs


def _doses(text: str, agents: int) -> list[str]:
    """Dose of each agent; a text for fewer or more agents than there are says nothing."""
    parts = [part.strip() for part in re.split(r";|\+", text)] if agents > 1 else [text.strip()]
    return parts if len(parts) == agents else [""] * agents


def _one_dose(text: str, drug: Drug, rules: Rules, notes: list[str]) -> str:
    """One dose of a text; the rule's own where it states none."""
    bare = re.fullmatch(r"[\d. ]+(or [\d. ]+)?", text.strip())
    text = text if not bare else re.sub(r"(\d+(?:\.\d+)?)", r"\1 mg/kg", text)
    if drug.iu_per_mg:
        text = _IU.sub(partial(_in_mg, drug.iu_per_mg, rules.near_doses), text)
    text = _BARE.sub(lambda bare: f"{bare[1]} {bare[3]} or", text)
    amounts = _DOSE.findall(text)
    if _RANGE.search(text):
        raise NotMapped(f"doses of a range together: {text[:60]}")
    if not amounts:
        if text and re.search(r"\d", text):
            raise NotMapped(f"dose not understood: {text[:60]}")
        if not drug.dose:
            raise NotMapped("dose not stated")
        notes.append(f"dose not stated: {drug.dose}")
        return drug.dose
    unit = re.sub(r"\s", "", amounts[0][1]).replace("µ", "u").replace("μ", "u")
    values = [float(number) for number, _ in amounts]
    if len(values) == 1:
        return f"{values[0]:g} {unit}"
    alike = len({re.sub(r"\s", "", word.lower()) for _, word in amounts}) == 1
    near = alike and max(values) <= rules.near_doses * min(values)
    chosen = float(np.mean(values)) if near else values[0]
    notes.append(f"{text[:60]}: {chosen:g} {unit}")
    return f"{chosen:g} {unit}"


def _in_mg(per_mg: float, near: float, said: re.Match[str]) -> str:
    """Say a dose in international units, or two that are near each other, in milligrams."""
    amounts = [float(number.replace(",", "")) for number in said.groups() if number]
    if max(amounts) > near * min(amounts):
        return said[0]
    return " or ".join(f"{amount / per_mg:.3f}" for amount in amounts) + " mg"


def _every(text: str, rules: Rules, notes: list[str], *, courses: bool) -> Rhythm | None:
    """Read how often doses are given; None where nothing is stated, or the agent's protocol says it.

    `courses` says whether an agent is one whose protocol has courses: no other is given several doses a time.
    """
    if not text.strip() or found(rules.without_effect, text):
        return None
    for rule in rules.schedules:
        match = found(rule.match, text)
        if not match or ((rule.own or "daily" in match.groupdict()) and not courses):
            continue
        if rule.note:
            notes.append(rule.note)
        if rule.own:
            return None
        if rule.reason:
            raise NotMapped(f"{rule.reason}: {text[:60]}")
        words = {key: float(value) for key, value in match.groupdict().items() if value}
        days = quantity(rule.every, "day") if rule.every else 7 * words.get("weeks", 0) + words.get("days", 0)
        daily = int(words.get("daily", 1))
        if not 1 <= days <= 365 or not 1 <= daily <= days:
            raise NotMapped(f"schedule not understood: {text[:60]}")
        return Rhythm(days, int(words.get("times", 0)), daily)
    raise NotMapped(f"schedule not understood: {text[:60]}")


def _like(drug: Drug) -> Treatment:
    """Find the treatment whose rules of dosing hold."""
    name, _, arm = drug.like.partition(":")
    return _protocol(name).arms[arm].treatments[0]


def _treatment(drug: Drug, dose: str, every: Rhythm | None) -> Treatment:
    """Take the rules of dosing of a library protocol, with this dose and interval."""
    like = _like(drug)
    days, times, _ = every or Rhythm(quantity(drug.every, "day") if drug.every else like.every)
    change = {"dose": dose, "every": days, "priming": None, "re_priming": None, "reductions": ()}
    if every and like.course:
        change["course"] = _daily(every.daily)
    if dose == like.dose:
        change["reductions"] = like.reductions
    if times:
        change["max_duration"] = times * days - 1
    return like.model_copy(update=change)


def _daily(doses: int) -> Course | None:
    """Make the course of doses on days in a row; a single one is none."""
    return Course.model_validate({"doses": doses, "apart": "1 day"}) if doses > 1 else None


def _protocol(name: str) -> Protocol:
    return read_protocol(name)


def _follow_up(text: str, rules: Rules) -> tuple[float, float] | None:
    """Months between which patients are followed."""
    number = re.search(r"\d+(\.\d+)?", text)
    if number is None or float(number[0]) > rules.never_cut or not float(number[0]) > 0:
        return None
    months = float(number[0])
    low = 1.0 if "minimum" in text.lower() else rules.cut_share
    return low * months, (2 - rules.cut_share) * months
