"""What a row of evidence is for: decided once, by rules of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from twoarm.trial.entry import Card, read_card


def _pattern(raw: Any) -> re.Pattern[str]:
    try:
        return re.compile(str(raw), re.IGNORECASE)
    except re.error as wrong:
        raise ValueError(f"{raw!r} is no regular expression: {wrong}. Correct the pattern.") from None


class UseRule(Card):
    """Rows that fit everything the rule says have its use."""

    ids: tuple[str, ...] = ()
    trial_name: Annotated[re.Pattern[str], BeforeValidator(_pattern)] | None = None
    verified: bool | None = None
    has_value: bool | None = None
    can_be_scored: bool | None = None
    use: Literal["calibrate", "validate", "none"]
    reason: Annotated[str, Field(min_length=6)]


class UseRules(Card):
    """All rules, in their order."""

    name: str
    title: str = ""
    rules: Annotated[tuple[UseRule, ...], Field(min_length=1)]


def decide_use(facts: pd.DataFrame, rules: str | Path = "use") -> pd.DataFrame:
    """Decide what each row is for.

    Parameters
    ----------
    facts : DataFrame
        From `read_evidence`.
    rules : str or Path
        Name of a mapping in the library, or a path.

    Returns
    -------
    DataFrame, index as `facts`
        `use use_reason`, of the first rule that fits; "none" where none does.

    Examples
    --------
    >>> from twoarm.evidence.read import read_evidence
    >>> facts = read_evidence("comparators")
    >>> bool((decide_use(facts)["use"] == facts["use"]).all())
    True
    """
    table = read_card("mappings", rules, UseRules)[0]
    use = pd.Series("none", index=facts.index, name="use")
    why = pd.Series("no rule", index=facts.index, name="use_reason")
    open_rows = np.ones(len(facts), bool)
    for rule in table.rules:
        fits = open_rows & _fits(facts, rule)
        use[fits], why[fits] = rule.use, rule.reason
        open_rows &= ~fits
    return pd.concat([use, why], axis=1)


def _fits(facts: pd.DataFrame, rule: UseRule) -> np.ndarray:
    """Rows that fit everything a rule says."""
    fits = np.ones(len(facts), bool)
    if rule.ids:
        fits &= facts["id"].isin(rule.ids).to_numpy()
    if rule.trial_name is not None:
        fits &= facts["trial_name"].str.contains(rule.trial_name).to_numpy(bool)
    if rule.verified is not None:
        fits &= facts["verified"].to_numpy(bool) == rule.verified
    if rule.has_value is not None:
        fits &= facts["value"].notna().to_numpy() == rule.has_value
    if rule.can_be_scored is not None:
        sure = facts["n"].notna() | (facts["ci_low"].notna() & facts["ci_high"].notna())
        fits &= sure.to_numpy(bool) == rule.can_be_scored
    return fits
