"""Names, labels, terms and derivations of exported variables, from the library; a table put in that form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from twoarm import catalog

_COLUMNS = ["dataset", "variable", "label", "type", "codelist", "derivation"]
_MANY = "{n}"  # of a variable that there is one of for each factor


@cache
def book() -> Mapping[str, Any]:
    """Read the library's dictionary.

    Returns
    -------
    mapping
        `datasets groups codelists terms`, as the file has them.

    Examples
    --------
    >>> sorted(book()["datasets"])
    ['adae', 'adex', 'adpc', 'adrs', 'adsl', 'adtr', 'adtte']
    """
    return catalog.read_toml(catalog.find("exports", "adam"))


def variables(factors: Sequence[str] = ()) -> pd.DataFrame:
    """List every exported variable.

    Parameters
    ----------
    factors : sequence of str
        That the trial stratified by; each has variables of its own.

    Returns
    -------
    DataFrame
        `dataset variable label type codelist derivation`, in the order the files have.

    Examples
    --------
    >>> table = variables(["region"])
    >>> table[table["variable"].str.startswith("STRAT1")]["label"].tolist()
    ['Description of Stratum 1', 'Stratum 1 Value Used for Rand']
    """
    content, rows = book(), []
    for name, dataset in content["datasets"].items():
        groups = [content["groups"][group] for group in dataset["groups"]]
        for entry in [one for group in groups for one in group] + dataset["variables"]:
            numbers = range(1, len(factors) + 1) if _MANY in entry["name"] else [0]
            for n in numbers:
                words = [str(entry[key]).replace(_MANY, str(n)) for key in ("name", "label", "type")]
                said = entry["from"].replace(_MANY, str(n))
                rows.append((name, *words, entry.get("codelist", ""), said))
    return pd.DataFrame(rows, columns=_COLUMNS)


def codelists() -> pd.DataFrame:
    """List every term that a variable with a codelist may have.

    Returns
    -------
    DataFrame
        `codelist term meaning`.

    Examples
    --------
    >>> terms = codelists()
    >>> terms[terms["codelist"] == "CNSR"]["meaning"].tolist()
    ['Event', 'Censored']
    """
    lists = book()["codelists"]
    rows = [(name, term, meaning) for name, terms in lists.items() for term, meaning in terms.items()]
    return pd.DataFrame(rows, columns=["codelist", "term", "meaning"])


def in_form(table: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """Put a data set's columns in order and give them their types.

    Parameters
    ----------
    table : DataFrame
        With every variable of the data set.
    entries : DataFrame
        Its rows of `variables`.

    Returns
    -------
    DataFrame
        Text as str with "" where there is none, whole numbers as nullable integers, dates as datetimes.

    Examples
    --------
    >>> entries = variables().query("dataset == 'adex' and variable == 'ASTDY'")
    >>> in_form(pd.DataFrame({"ASTDY": [1.0, np.nan]}), entries)["ASTDY"].tolist()
    [1, <NA>]
    """
    kinds = dict(zip(entries["variable"], entries["type"], strict=True))
    columns = {}
    for name, kind in kinds.items():
        values = table[name]
        if kind == "text":
            columns[name] = values.astype(object).where(values.notna(), "").astype(str).astype(object)
        elif kind == "integer":
            columns[name] = pd.to_numeric(values).round().astype("Int64")
        elif kind == "date":
            columns[name] = pd.to_datetime(values)
        else:
            columns[name] = values.astype(np.float64)
    return pd.DataFrame(columns).reset_index(drop=True)


def define(factors: Sequence[str], formats: Sequence[str], about: Mapping[str, Any]) -> dict[str, Any]:
    """Say all that a reader of the files has to know, as Define-XML does.

    Parameters
    ----------
    factors : sequence of str
        That the trial stratified by.
    formats : sequence of str
        Suffixes of the files.
    about : mapping
        The study, its cut, what made the files.

    Returns
    -------
    dict
        Of what JSON can hold: `study datasets codelists`.
    """
    content, table = book(), variables(factors)
    datasets = []
    for name, dataset in content["datasets"].items():
        own = table[table["dataset"] == name].drop(columns="dataset")
        datasets.append(
            {
                "name": name.upper(),
                "label": dataset["label"],
                "structure": dataset["structure"],
                "keys": list(dataset["keys"]),
                "files": [f"{name}.{suffix}" for suffix in formats],
                "variables": own.to_dict("records"),
            }
        )
    lists = {name: dict(terms) for name, terms in content["codelists"].items()}
    return {"study": dict(about), "datasets": datasets, "codelists": lists}
