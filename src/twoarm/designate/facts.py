"""Which facts speak, what each says as a likelihood, and why the others are silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.designate.criteria import Cohort, Offered
from twoarm.designate.posterior import Axis, axis_of, median_error, of_counts, of_median
from twoarm.errors import NoSuchFactError
from twoarm.evidence.read import read_evidence

_SHOWN = ["id", "drug", "trial_name", "histology", "line", "prior_io", "n", "endpoint", "value", "unit"]
_AXES = {"%": "rate", "months": "time"}
_COUNTED = {"ORR": ("partial_responses",)}  # rows that count whom a rate is about, without the rate


class Facts(NamedTuple):
    """Facts of a cohort and of the therapies beside it, for one endpoint."""

    axis: Axis
    table: pd.DataFrame
    likelihoods: dict[str, np.ndarray]


def facts_of(cohort: Cohort, endpoint: str, therapies: Sequence[Offered]) -> Facts:
    """Read what is published of a cohort and of the therapies beside it.

    Parameters
    ----------
    cohort : Cohort
        From `read_cohort`.
    endpoint : str
        One of the cohort's.
    therapies : sequence of Offered
        Which of the cohort's therapies.

    Returns
    -------
    Facts
        `table` has a row a fact: `role` ("drug", "drug, earlier cut" or the name of a therapy), `id drug
        trial_name histology line prior_io n endpoint value unit`, `events` (worked out from the share where
        only that is reported), `error` (of the log of a median), `basis` (what the likelihood rests on),
        `used`, `why` not used, `difference` in population, `source_title`, `source_url`. `likelihoods` has
        those used, by id.

    Raises
    ------
    NoSuchFactError
        If an id is in none of the cohort's tables, or measures another endpoint.
    NoTherapyDifferenceError
        If a trial stands there without its difference in population.

    Examples
    --------
    >>> from twoarm.designate.criteria import read_cohort
    >>> cohort = read_cohort("squamous-nsclc")
    >>> table = facts_of(cohort, "ORR", cohort.therapies[:1]).table
    >>> print(*table.loc[0, ["role", "id", "events", "n"]])
    drug C039 11.0 30
    """
    evidence = read_evidence(list(cohort.evidence)).set_index("id", drop=False)
    asked = next(each for each in cohort.endpoints if each.name == endpoint)
    roles = [("drug", asked.rows), ("drug, earlier cut", asked.earlier)]
    roles += [(each.name, each.rows.get(endpoint, ())) for each in therapies]
    rows, likelihoods = [], {}
    kind = _AXES[_unit(evidence, endpoint)]
    axis = axis_of("rate" if kind == "rate" else "time")
    for role, ids in roles:
        for name in ids:
            fact = _fact(cohort, evidence, name, endpoint)
            likelihood, said = _likelihood(axis, fact)
            if likelihood is not None:
                likelihoods[name] = likelihood
            own = role.startswith("drug")
            difference = "" if own else cohort.difference(str(fact["trial_name"]))
            sources = {key: fact[key] for key in ("source_title", "source_url", "source_date")}
            rows.append(
                {"role": role}
                | {key: fact[key] for key in _SHOWN}
                | said
                | {"difference": difference}
                | sources
            )
    columns = ["role", *_SHOWN, "events", "error", "basis", "used", "why", "difference"]
    columns += ["source_title", "source_url", "source_date"]
    return Facts(axis, pd.DataFrame(rows, columns=columns), likelihoods)


def _fact(cohort: Cohort, evidence: pd.DataFrame, name: str, endpoint: str) -> pd.Series:
    if name not in evidence.index:
        raise NoSuchFactError(cohort=cohort.name, fact=name, reason="no table of its evidence has that id")
    fact = evidence.loc[name]
    if fact["endpoint"] in _COUNTED.get(endpoint, ()) and not pd.isna(fact["n"]):
        share = 100 * float(fact["value"]) / float(fact["n"])
        told = {"events": fact["value"], "value": share, "unit": "%", "endpoint": endpoint}
        return pd.Series(fact.to_dict() | told)
    if fact["endpoint"] != endpoint:
        reason = f"that row measures {fact['endpoint']}, not {endpoint}"
        raise NoSuchFactError(cohort=cohort.name, fact=name, reason=reason)
    return fact


def _unit(evidence: pd.DataFrame, endpoint: str) -> str:
    """Return the unit an endpoint is published in: all its rows share it."""
    units = evidence.loc[(evidence["endpoint"] == endpoint) & evidence["unit"].isin(_AXES), "unit"]
    return str(units.iloc[0]) if len(units) else "%"


def _likelihood(axis: Axis, fact: pd.Series) -> tuple[np.ndarray | None, dict[str, object]]:
    """Give what a fact says, or why it says nothing here."""
    n = float(fact["n"]) if not pd.isna(fact["n"]) else np.nan
    events, error, basis, why = np.nan, np.nan, "", ""
    if np.isnan(fact["value"]):
        why = "no value"
    elif not fact["verified"]:
        why = "not verified: recalled, or without address"
    elif axis.kind == "rate":
        events = float(fact["events"]) if not pd.isna(fact["events"]) else fact["value"] * n / 100
        basis = "reported count" if not pd.isna(fact["events"]) else "share times n"
        why = "" if np.isfinite(events) else "no number of patients"
    else:
        error, basis = median_error(float(fact["value"]), fact["ci_low"], fact["ci_high"], n)
        why = "" if np.isfinite(error) else "no interval and no number of patients"
    said: dict[str, object] = {
        "events": events,
        "error": error,
        "basis": basis if not why else "",
        "used": not why,
        "why": why,
    }
    if why:
        return None, said
    if axis.kind == "rate":
        return of_counts(axis, min(events, n), n), said
    return of_median(axis, float(fact["value"]), error), said
