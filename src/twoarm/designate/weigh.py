"""Weigh a drug's cohort against available therapy: probabilities, with everything they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.designate.criteria import Agency, Cohort, Endpoint, Offered, read_agency, read_cohort
from twoarm.designate.facts import Facts, facts_of
from twoarm.designate.posterior import Axis, Therapy, exceeds, interval, of_one, of_therapy, on_values
from twoarm.designate.simulated import Simulated, mean_exceeds, read_simulated
from twoarm.errors import CohortEndpointError
from twoarm.evidence.read import read_program

COUNTS, AGAINST_CONTROL, AGAINST_FACTS = (
    "reported counts",
    "simulation, against its own control arm",
    "simulation, against reported therapy",
)


class Weighed(NamedTuple):
    """What is known of a drug beside available therapy; tables only, and no decision.

    Attributes
    ----------
    agency, cohort : Agency, Cohort
        What was asked, about whom.
    endpoint : Endpoint
        On which endpoint.
    answers : DataFrame
        A row a way to ask and a margin: `basis` (counts or simulation), `cut` (last or earlier), `therapy`,
        `spread` (scale of the prior of the spread between trials), `drug drug_low drug_high`, `beside
        beside_low beside_high` (95 % intervals, % or months), `margin` in words, `probability`.
    facts : DataFrame
        From `facts_of`: every row, used or not.
    densities : DataFrame
        `who basis value density`, for the picture; value in % or months.
    history : DataFrame
        Designations of the program: `id date agency_or_party detail indication this_cohort same_designation
        source_title source_url`.
    spreads : DataFrame
        How much trials of a therapy differ: `therapy trials spread low high` (latent scale).
    """

    agency: Agency
    cohort: Cohort
    endpoint: Endpoint
    answers: pd.DataFrame
    facts: pd.DataFrame
    densities: pd.DataFrame
    history: pd.DataFrame
    spreads: pd.DataFrame


def weigh_designation(
    cohort: Cohort | str | Path,
    agency: Agency | str | Path,
    *,
    endpoint: str | None = None,
    simulation: str | Path | None = None,
) -> Weighed:
    """Work out how probable it is that a drug exceeds available therapy: evidence, never a decision.

    Parameters
    ----------
    cohort : Cohort, str or Path
        As "squamous-nsclc".
    agency : Agency, str or Path
        As "nmpa-btd", "fda-btd" or "fda-ft".
    endpoint : str, optional
        One of the cohort's; left out, its first.
    simulation : str or Path, optional
        Folder of a run with the drug in an arm; answered separately.

    Returns
    -------
    Weighed
        Tables; see its attributes.

    Raises
    ------
    NotInLibraryError
        If there is no such cohort or agency.
    CohortEndpointError, NoSuchFactError, NoTherapyDifferenceError
        If the cohort's file does not hold together.
    NotARunError, NoArmOfDrugError
        If the simulation's folder does not answer.

    Notes
    -----
    The drug's own rate has the posterior of its counts; the therapy's rate in such a cohort is that of a
    further trial, so that the spread between its trials widens it. Differences of population that no trial
    bridges are listed, not modeled.

    References
    ----------
    neuenschwander2010; schmidli2014.

    Examples
    --------
    >>> found = weigh_designation("squamous-nsclc", "nmpa-btd").answers
    >>> first = found.iloc[0]
    >>> first["basis"], first["margin"], bool(0.9 < first["probability"] < 1)
    ('reported counts', 'at all', True)
    """
    group = cohort if isinstance(cohort, Cohort) else read_cohort(cohort)
    asked = agency if isinstance(agency, Agency) else read_agency(agency)
    names = [each.name for each in group.endpoints]
    if endpoint is not None and endpoint not in names:
        raise CohortEndpointError(cohort=group.name, endpoint=endpoint, known=names)
    chosen = group.endpoints[names.index(endpoint) if endpoint else 0]
    offered = [each for each in group.therapies if asked.agency in each.regulators]
    facts = facts_of(group, chosen.name, offered)
    run = None if simulation is None else read_simulated(simulation, facts.axis, group.drug, chosen.name)
    cuts = _cuts(facts, chosen)
    trials = {each.name: _therapies(facts, group, each, chosen.name) for each in offered}
    answers = pd.DataFrame(_answers(facts.axis, asked, group, cuts, trials, run), columns=_ANSWER)
    return Weighed(
        agency=asked,
        cohort=group,
        endpoint=chosen,
        answers=answers,
        facts=facts.table,
        densities=pd.DataFrame(
            _densities(facts.axis, group, cuts, trials, run), columns=["who", "basis", "value", "density"]
        ),
        history=_history(group, asked),
        spreads=_spreads(facts, group, offered, trials, chosen.name),
    )


_ANSWER = ["basis", "cut", "therapy", "spread", "drug", "drug_low", "drug_high"]
_ANSWER += ["beside", "beside_low", "beside_high", "margin", "probability"]


def _cuts(facts: Facts, endpoint: Endpoint) -> dict[str, np.ndarray]:
    """Posterior of the drug's own value at each cut, the last first."""
    groups = [("last cut", endpoint.rows), *((f"earlier cut {name}", (name,)) for name in endpoint.earlier)]
    found = {}
    for said, rows in groups:
        speaking = [facts.likelihoods[name] for name in rows if name in facts.likelihoods]
        if speaking:
            found[said] = of_one(facts.axis, np.prod(speaking, axis=0))
    return found


def _therapies(facts: Facts, cohort: Cohort, offered: Offered, endpoint: str) -> dict[float, Therapy]:
    """Say what trials of a therapy predict, under each prior of their spread."""
    names = [name for name in offered.rows.get(endpoint, ()) if name in facts.likelihoods]
    speaking = [facts.likelihoods[name] for name in names]
    return {scale: of_therapy(facts.axis, speaking, scale) for scale in cohort.spread} if speaking else {}


def _answers(
    axis: Axis,
    agency: Agency,
    cohort: Cohort,
    cuts: dict[str, np.ndarray],
    trials: dict[str, dict[float, Therapy]],
    run: Simulated | None,
) -> Iterator[tuple[object, ...]]:
    """Yield every row of the answers."""
    for therapy, by_spread in trials.items():
        for scale, said in by_spread.items():
            for cut, drug in cuts.items():
                if scale == cohort.spread[0] or cut == "last cut":
                    for words, margin in _margins(axis, agency):
                        chance = exceeds(axis, drug, said.density, **margin)
                        ends = (*_shown(axis, drug), *_shown(axis, said.density))
                        yield (COUNTS, cut, therapy, scale, *ends, words, chance)
            if run is not None:
                drug = run.drug.mean(axis=0)
                for words, margin in _margins(axis, agency):
                    chance = mean_exceeds(axis, run.drug, said.density, **margin)
                    ends = (*_shown(axis, drug), *_shown(axis, said.density))
                    yield (AGAINST_FACTS, "", therapy, scale, *ends, words, chance)
    if run is not None and run.control is not None:
        drug, control = run.drug.mean(axis=0), run.control.mean(axis=0)
        for words, margin in _margins(axis, agency):
            chance = mean_exceeds(axis, run.drug, run.control, **margin)
            ends = (*_shown(axis, drug), *_shown(axis, control))
            yield (AGAINST_CONTROL, "", run.control_label, np.nan, *ends, words, chance)


def _margins(axis: Axis, agency: Agency) -> list[tuple[str, dict[str, float]]]:
    """Margins of this kind of endpoint, in words and as options of `exceeds`."""
    if axis.kind == "rate":
        sizes = agency.margins.points
        words = ["at all" if size == 0 else f"by {size:g} points" for size in sizes]
        return [(word, {"points": size / 100, "ratio": 1.0}) for word, size in zip(words, sizes, strict=True)]
    sizes = agency.margins.ratio
    words = ["at all" if size == 1 else f"{size:g}-fold" for size in sizes]
    return [(word, {"points": 0.0, "ratio": size}) for word, size in zip(words, sizes, strict=True)]


def _shown(axis: Axis, density: np.ndarray) -> tuple[float, float, float]:
    """Median and 95 % interval in the unit facts have."""
    scale = 100.0 if axis.kind == "rate" else 1.0
    middle, low, high = interval(axis, density)
    return scale * middle, scale * low, scale * high


def _densities(
    axis: Axis,
    cohort: Cohort,
    cuts: dict[str, np.ndarray],
    trials: dict[str, dict[float, Therapy]],
    run: Simulated | None,
) -> Iterator[tuple[str, str, float, float]]:
    """Yield the curves of the picture, each a density of the value itself."""
    curves = [("drug", "reported, " + said, density) for said, density in cuts.items()]
    curves += [
        (therapy, "reported", by_spread[cohort.spread[0]].density)
        for therapy, by_spread in trials.items()
        if by_spread
    ]
    if run is not None:
        curves.append(("drug", "simulated", run.drug.mean(axis=0)))
        if run.control is not None:
            curves.append((run.control_label, "simulated", run.control.mean(axis=0)))
    scale = 100.0 if axis.kind == "rate" else 1.0
    for who, basis, density in curves:
        heights = on_values(axis, density) / scale
        for value, height in zip(scale * axis.values, heights, strict=True):
            yield who, basis, float(value), float(height)


def _history(cohort: Cohort, agency: Agency) -> pd.DataFrame:
    """Every designation of the program, those of this cohort and this agency marked."""
    events = read_program(cohort.program)
    events = events[events["event_type"] == "designation"].copy()
    events["this_cohort"] = events["id"].isin(cohort.history)
    same = events["agency_or_party"] == agency.agency
    told = events["detail"].str.lower().str.contains(agency.designation.lower(), regex=False)
    events["same_designation"] = same & told
    kept = ["id", "date", "agency_or_party", "detail", "indication", "this_cohort", "same_designation"]
    return events[[*kept, "source_title", "source_url"]].reset_index(drop=True)


def _spreads(
    facts: Facts,
    cohort: Cohort,
    offered: list[Offered],
    trials: dict[str, dict[float, Therapy]],
    endpoint: str,
) -> pd.DataFrame:
    rows = []
    for each in offered:
        used = sum(name in facts.likelihoods for name in each.rows.get(endpoint, ()))
        for scale, said in trials[each.name].items():
            rows.append((each.name, used, scale, *said.spread))
    return pd.DataFrame(rows, columns=["therapy", "trials", "prior_scale", "spread", "low", "high"])
