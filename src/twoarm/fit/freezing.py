"""Freeze a fitted population: files that nothing downstream touches, and hashes of what they rest on."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import twoarm
from twoarm import catalog
from twoarm.chance import generator
from twoarm.fit.card import Carried, Parameter
from twoarm.fit.ensemble import first_ensemble
from twoarm.fit.knobs import fields_of, read_texts, values_at
from twoarm.fit.report import write_report
from twoarm.fit.run import Fitted
from twoarm.frozen.fields import Texts, possible, read_field, written_out
from twoarm.frozen.read import ENSEMBLE, OUTCOMES, POPULATION, RECORD, with_fields
from twoarm.frozen.toml_text import toml_text
from twoarm.lineage import line_of
from twoarm.molecule import Molecule
from twoarm.study.folder import write_table, write_whole
from twoarm.trial.protocol import read_protocol

_DIGITS = 6
_IMPORT = re.compile(r'^import\s+"([^"]+)"', re.MULTILINE)


def freeze(fitted: Fitted, name: str, folder: Path) -> Path:
    """Write a fitted population, its clinical link and its posterior.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.
    name : str
        Of the frozen population.
    folder : Path
        Where the folder `name` is made.

    Returns
    -------
    Path
        The folder: `population.toml outcomes.toml ensemble.csv freeze.toml`.
    """
    calibration, texts = fitted.calibration, read_texts(fitted.calibration)
    kept = np.flatnonzero(fitted.weights > 0)
    rows = [_rounded(values_at(calibration, texts, z)) for z in fitted.z[-1][kept]]
    middle = _rounded(values_at(calibration, texts, fitted.weights @ fitted.z[-1]))
    said = f"fitted to {calibration.name}, prior: {calibration.population}"
    central = _noted(with_fields(texts, middle), middle, said)
    weights = fitted.weights[kept] / fitted.weights[kept].sum()
    record = {
        "name": name,
        "title": calibration.title,
        "status": "fitted",
        "calibration": calibration.name,
        "calibration_digest": calibration.digest,
        "fit": {**fitted.facts, "steps": [round(step, 4) for step in fitted.steps]},
        "library": library_of(
            calibration.model, calibration.population, calibration.outcomes, calibration.cohorts
        )
        | {
            "calibrations": {calibration.name: catalog.digest(catalog.find("calibrations", calibration.name))}
        },
        "evidence": _evidence_of(fitted),
    }
    return _write(name, folder, central, pd.DataFrame(rows).assign(weight=weights), record)


def freeze_carried(fitted: Fitted, name: str, carried: Carried, folder: Path) -> Path:
    """Freeze a population that was not measured: what was learned in another is carried over.

    Parameters
    ----------
    fitted : Fitted
        Of the population that was measured.
    name : str
        Of the frozen population.
    carried : Carried
        Prior of the population that was not measured, and how it may differ.
    folder : Path
        Where the folder `name` is made.

    Returns
    -------
    Path
        The folder, as `freeze` writes it.

    Notes
    -----
    Each field moves by what the fit moved it by, on the scale of its parameter (a ratio, or a difference of
    logits). What tells the two populations apart is the difference of their files, spread by the prior
    `differs`, which nothing measured: one draw of it a member.
    """
    source, target = read_texts(fitted.calibration), _texts_of(carried.population, carried.outcomes)
    kept = np.flatnonzero(fitted.weights > 0)
    draws = first_ensemble(
        len(kept), len(carried.differs), generator(fitted.facts["seed"], f"what tells {name} apart")
    )
    rows = [
        _rounded(_carried(fitted, source, target, z, carried, draw))
        for z, draw in zip(fitted.z[-1][kept], draws, strict=True)
    ]
    center = fitted.weights @ fitted.z[-1]
    middle = _rounded(_carried(fitted, source, target, center, carried, np.zeros(len(carried.differs))))
    said = f"carried over from the fit to {fitted.calibration.name}, prior: {carried.population}"
    weights = fitted.weights[kept] / fitted.weights[kept].sum()
    record = {
        "name": name,
        "title": target.population["description"],
        "status": "carried over: not fitted to patients of its own",
        "calibration": fitted.calibration.name,
        "calibration_digest": fitted.calibration.digest,
        "kept_apart": list(carried.kept_apart),
        "differs_by_prior": list(carried.differs),
        "fit": {**fitted.facts, "steps": [round(step, 4) for step in fitted.steps]},
        "library": library_of(
            fitted.calibration.model, carried.population, carried.outcomes, fitted.calibration.cohorts
        ),
        "evidence": _evidence_of(fitted),
    }
    central = _noted(with_fields(target, middle), middle, said)
    return _write(name, folder, central, pd.DataFrame(rows).assign(weight=weights), record)


def freeze_prior(
    name: str,
    folder: Path,
    *,
    outcomes: str,
    model: str,
    parameters: Mapping[str, Parameter] | None = None,
    members: int = 100,
    seed: int = 1,
) -> Path:
    """Freeze a prior as it is: a population that nothing was fitted to.

    Parameters
    ----------
    name : str
        Of the population in the library, and of what is frozen.
    folder : Path
        Where the folder `name` is made.
    outcomes, model : str
        Names in the library.
    parameters : mapping of str to Parameter, optional
        What is believed of its numbers; without them there is one member.
    members : int
        How many draws of them.
    seed : int
        Of the draws.

    Returns
    -------
    Path
        The folder, as `freeze` writes it.
    """
    texts, believed = _texts_of(name, outcomes), dict(parameters or {})
    draws = first_ensemble(members if believed else 1, len(believed), generator(seed, f"prior of {name}"))
    rows = [_rounded(_drawn(believed, texts, draw)) for draw in draws]
    record = {
        "name": name,
        "title": texts.population["description"],
        "status": "prior only: nothing was fitted",
        "prior_of": list(believed),
        "library": library_of(model, name, outcomes, {}),
        "evidence": {},
    }
    return _write(name, folder, texts, pd.DataFrame(rows).assign(weight=1.0 / len(draws)), record)


def _evidence_of(fitted: Fitted) -> dict[str, dict[str, str]]:
    """Hash of every row that was fitted to, by table and row."""
    found: dict[str, dict[str, str]] = {}
    for reading in fitted.readings:
        for mark in reading.rows if reading.fitted else ():
            found.setdefault(mark.table, {})[mark.row] = mark.digest
    return found


def library_of(
    model: str, population: str, outcomes: str, cohorts: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Hashes of the library files that a fit rests on, by kind and name.

    Parameters
    ----------
    model, population, outcomes : str
        Names in the library; parents and imported parts are found.
    cohorts : mapping of str to Cohort
        Their protocols and molecules.

    Returns
    -------
    dict of str to dict of str to str
        SHA-256 of the text of each file.
    """
    protocols = sorted({cohort.protocol for cohort in cohorts.values()})
    molecules = {
        molecule.name if isinstance(molecule := part.molecule, Molecule) else molecule
        for name in protocols
        for arm in read_protocol(name).arms.values()
        for part in arm.treatments
    }
    names = {
        "biology": _parts(model),
        "populations": _parents("populations", population),
        "outcomes": _parents("outcomes", outcomes),
        "protocols": protocols,
        "molecules": sorted(molecules),
    }
    return {
        kind: {name: catalog.digest(catalog.find(kind, name)) for name in each}
        for kind, each in names.items()
    }


def _parts(model: str) -> list[str]:
    """Name the model file and those it imports."""
    found, waiting = [], [model]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            text = catalog.read_text(catalog.find("biology", name))
            waiting += [Path(part).stem for part in _IMPORT.findall(text)]
    return sorted(found)


def _parents(kind: str, name: str) -> list[str]:
    """Name a file and those it extends."""
    return [file.stem for file in line_of(kind, catalog.find(kind, name))]


def _texts_of(population: str, outcomes: str) -> Texts:
    from twoarm.patients.inherit import inherited
    from twoarm.trial.outcomes import outcomes_text

    texts = Texts(
        inherited(catalog.find("populations", population))[0],
        outcomes_text(catalog.find("outcomes", outcomes)),
    )
    for text in texts:
        text.pop("extends", None)
    return texts


def _carried(
    fitted: Fitted, source: Texts, target: Texts, z: np.ndarray, carried: Carried, draw: np.ndarray
) -> dict[str, float]:
    """Values of the fields in a population that was not measured."""
    values = _drawn(carried.differs, target, draw)
    own = fields_of(fitted.calibration, source)
    after = values_at(fitted.calibration, source, z)
    for name, parameter in fitted.calibration.parameters.items():
        for field in own[name] if name not in carried.kept_apart else ():
            before = read_field(source, field)
            for there in _same(target, field):
                values[there] = parameter.shifted(
                    values.get(there, read_field(target, there)), before, after[field]
                )
    return values


def _drawn(parameters: Mapping[str, Parameter], texts: Texts, draw: np.ndarray) -> dict[str, float]:
    """Values of the fields that a prior moves, at one draw of it."""
    values: dict[str, float] = {}
    for place, (name, parameter) in enumerate(parameters.items()):
        for field in (f for each in parameter.fields for f in written_out(texts, each, name)):
            size = float(parameter.natural(draw[place]))
            new = size if parameter.how == "set" else size * read_field(texts, field)
            values[field] = possible(field, new)
    return values


def _same(target: Texts, field: str) -> list[str]:
    """Fields of the other population that mean the same; each case of what is conditional there."""
    if field.startswith("outcomes:"):
        return [field]
    entry, *rest = field.split(".")
    shape = target.population["variables"].get(entry)
    if shape is None:
        return []
    if shape["distribution"] != "conditional" or rest[-1] in shape:
        return [f"{entry}.{rest[-1]}"]
    if len(rest) == 2:
        return [field] if rest[0] in shape["cases"] else []
    return [f"{entry}.{case}.{rest[-1]}" for case in shape["cases"]]


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {field: float(f"{value:.{_DIGITS}g}") for field, value in values.items()}


def _noted(texts: Texts, values: Mapping[str, float], said: str) -> Texts:
    """Say in every entry that moved where its number is from."""
    texts = Texts(copy.deepcopy(texts.population), copy.deepcopy(texts.outcomes))
    for entry in dict.fromkeys(field.split(".")[0] for field in values if not field.startswith("outcomes:")):
        shape = texts.population["variables"][entry]
        shape["note"] = f"{said}; {shape.get('note', '')}".rstrip("; ")
    for field in values:
        if field.startswith("outcomes:"):
            section, key = field.removeprefix("outcomes:").split(".")
            table = texts.outcomes[section][key]
            texts.outcomes[section][key] = {
                **table,
                "tuned": True,
                "note": f"{said}; {table.get('note', '')}".rstrip("; "),
            }
    return texts


def _write(name: str, folder: Path, texts: Texts, ensemble: pd.DataFrame, record: dict[str, Any]) -> Path:
    """Write the files, the record last: it says done."""
    place = folder / name
    head = f"Frozen: {record['status']}. Made by `twoarm calibrate`; a changed file is refused."
    population = {**texts.population, "name": name}
    outcomes = {**texts.outcomes, "name": name, "status": f"frozen; {record['status']}"}
    for file, tables in ((POPULATION, population), (OUTCOMES, outcomes)):
        _write_text(place / file, toml_text(tables, head=head))
    write_table(ensemble.rename_axis("member"), place / ENSEMBLE)
    files = {file: catalog.digest(place / file) for file in (POPULATION, OUTCOMES, ENSEMBLE)}
    made = {"date": datetime.now(UTC).date().isoformat(), "twoarm": twoarm.__version__}
    order = {key: value for key, value in record.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in record.items() if isinstance(value, Mapping)}
    _write_text(place / RECORD, toml_text({**order, **made, "files": files, **tables}, head=head))
    return place


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def freeze_into_library(
    fitted: Fitted, tables: Mapping[str, pd.DataFrame], *, folder: Path | None = None
) -> list[Path]:
    """Freeze a fit, its report, and the populations that it is carried over to, as its calibration file says.

    Parameters
    ----------
    fitted : Fitted
        From `twoarm.fit.run.fit_population`.
    tables : mapping of str to DataFrame
        From `twoarm.fit.told.write_told`.
    folder : Path, optional
        Where; the library's `frozen` by default.

    Returns
    -------
    list of Path
        The folders that were written.
    """
    folder = folder or Path(catalog.__file__).parent / "library" / "frozen"
    calibration = fitted.calibration
    place = freeze(fitted, calibration.freezes or calibration.name, folder)
    write_report(fitted, tables, place / "report")
    return [
        place,
        *(freeze_carried(fitted, name, each, folder) for name, each in calibration.carried.items()),
    ]
