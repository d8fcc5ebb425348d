"""What the library holds, in tables: names, entries, and the sources behind a name or a run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd

from twoarm import catalog
from twoarm.bibliography import sources_in
from twoarm.entries import read_entries, read_numbers
from twoarm.errors import NotARunError, NotInLibraryError
from twoarm.lineage import line_of

RECORD = "result.json"  # in the folder of a run


def list_library(kind: str) -> pd.DataFrame:
    """List what the library holds of one kind.

    Parameters
    ----------
    kind : str
        "molecules", "populations", "protocols", "outcomes", "evidence", "studies" or "models".

    Returns
    -------
    DataFrame
        Columns `name` and `description`; of evidence a line each row, with its `id`, `use` and `source`.

    Raises
    ------
    UnknownKindError
        If the library has no such kind.

    Examples
    --------
    >>> "pembrolizumab" in list_library("molecules")["name"].to_list()
    True
    """
    folder = _folder(kind)
    if folder == "evidence":
        columns = ["id", "drug", "histology", "endpoint", "value", "unit", "n", "use", "source_title"]
        return _evidence()[columns].astype(str).replace({"nan": "", "<NA>": ""})
    names = catalog.names(folder)
    return pd.DataFrame(
        {"name": names, "description": [_described(catalog.find(folder, name)) for name in names]}
    )


def show_library(kind: str, name: str) -> pd.DataFrame:
    """Show one thing of the library: values, ranges, units, sources.

    Parameters
    ----------
    kind : str
        "molecule", "population", "protocol", "outcomes", "study", "evidence" or "model".
    name : str
        Its name, an alias, or a file; of evidence the ID of a row.

    Returns
    -------
    DataFrame
        Columns `entry`, `value`, `unit`, `source`, `note`.

    Raises
    ------
    UnknownKindError, NotInLibraryError
        If there is no such kind or name.
    TwoarmError
        If a file of the user's own breaks a rule of its kind.

    Examples
    --------
    >>> rows = show_library("molecule", "TAK-928").set_index("entry")
    >>> rows.loc["name", "value"]
    'ibi363'
    """
    folder = _folder(kind)
    if folder == "evidence":
        return _evidence_row(name)
    if folder == "biology":
        return _model_rows(name)
    path = catalog.find(folder, name)
    _check(folder, path)
    rows = read_entries(path)
    tuned = rows.pop("tuned")
    return rows.assign(note=rows["note"].where(~tuned, "tuned: " + rows["note"]))


def sources_behind(name: str | Path) -> set[str]:
    """Collect the sources that a name of the library, a file or the folder of a run rests on.

    Parameters
    ----------
    name : str or Path
        Looked for among molecules, populations, protocols, outcomes, studies and models; a folder is that
        of a run.

    Returns
    -------
    set of str
        Keys of the bibliography, and "assumed" where that is said.

    Raises
    ------
    NotARunError
        If a folder holds no run.
    NotInLibraryError
        If nothing has the name.

    Examples
    --------
    >>> "assumed" in sources_behind("ibi363")
    True
    >>> "wu2023" in sources_behind("mouse_cold")
    True
    """
    path = Path(name)
    if path.is_dir():
        if not (path / RECORD).is_file():
            raise NotARunError(folder=path, missing=RECORD)
        return set(json.loads(catalog.read_text(path / RECORD)).get("sources", []))
    if path.is_file():
        return sources_in(path)
    known: list[str] = []
    for folder in ("molecules", "populations", "protocols", "outcomes", "studies", "experiments", "biology"):
        try:
            return _sources_in_line(folder, catalog.find(folder, str(name)))
        except NotInLibraryError:
            known += catalog.names(folder)
    raise NotInLibraryError(one="entry", kind="molecules", name=str(name), known=sorted(known))


def _sources_in_line(folder: str, path: Path) -> set[str]:
    """Collect the sources of a file, and of those that it extends."""
    line = line_of(folder, path) if path.suffix == ".toml" else [path]
    return set().union(*map(sources_in, line))


def _folder(kind: str) -> str:
    """Return the folder of the library that is meant by a word people use."""
    return {
        "models": "biology",
        "model": "biology",
        "molecule": "molecules",
        "population": "populations",
        "protocol": "protocols",
        "outcome": "outcomes",
        "study": "studies",
    }.get(kind, kind)


def _check(folder: str, path: Path) -> None:
    """Read a file of the user's own through its door; those of the library are read by its tests."""
    if path.is_relative_to(Path(catalog.__file__).parent / "library"):
        return
    if folder == "molecules":
        from twoarm.molecule import read_molecule

        read_molecule(path)
    elif folder == "populations":
        from twoarm.patients.population import read_population

        read_population(path)
    elif folder == "protocols":
        from twoarm.trial.protocol import read_protocol

        read_protocol(path)
    elif folder == "outcomes":
        from twoarm.trial.outcomes import read_outcomes

        read_outcomes(path)


def _described(path: Path) -> str:
    if path.suffix == ".toml":
        card = catalog.read_toml(path)
        return str(card.get("description") or card.get("title") or "")
    comments = (line.strip().lstrip("/ ") for line in catalog.read_text(path).splitlines() if line.strip())
    return next(comments, "") if path.suffix == ".ant" else ""


def _evidence() -> pd.DataFrame:
    """Every dated fact of the library; programs, trials and curves have other columns and are left out."""
    from twoarm.evidence.read import NEEDED, read_evidence

    names = [name for name in catalog.names("evidence") if set(NEEDED) <= set(_header(name))]
    return read_evidence(names)


def _header(name: str) -> list[str]:
    return catalog.read_text(catalog.find("evidence", name)).split("\n", 1)[0].strip().split(",")


def _evidence_row(name: str) -> pd.DataFrame:
    rows = _evidence().set_index("id", drop=False)
    if name not in rows.index:
        raise NotInLibraryError(
            one="row of evidence", kind="evidence", name=name, known=[str(row) for row in rows.index]
        )
    kept = {
        str(key): str(value) for key, value in rows.loc[name].items() if str(value) not in ("", "nan", "<NA>")
    }
    return pd.DataFrame(
        {"entry": list(kept), "value": list(kept.values()), "unit": "", "source": "", "note": ""}
    )


def _model_rows(name: str) -> pd.DataFrame:
    """Parameters with value, range and source, then states, then what else can be looked at."""
    from twoarm.model.sbml import read_model

    model, path = read_model(name), catalog.find("biology", name)
    said = read_numbers(path).set_index("entry") if path.suffix == ".ant" else pd.DataFrame()
    values = dict(zip(model.parameters, model.values, strict=True))
    sourced = [name for name in model.parameters if name in said.index]
    names = [*sourced, *model.parameters, *model.states, *model.outputs]
    rows = []
    for entry in dict.fromkeys(names):
        kind = "state" if entry in model.states else "output"
        if entry in values:
            kind = "to be given" if math.isnan(values[entry]) else f"{values[entry]:.6g}"
        known = said.loc[entry] if entry in said.index and entry in values else {}
        spread = f" ({known['low']} to {known['high']})" if len(known) else ""
        rows.append(
            {
                "entry": entry,
                "value": kind + spread,
                "unit": model.units.get(entry, ""),
                "source": known["source"] if len(known) else "",
                "note": model.labels.get(entry, "") or (known["note"] if len(known) else ""),
            }
        )
    return pd.DataFrame(rows, columns=["entry", "value", "unit", "source", "note"])
