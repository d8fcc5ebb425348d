"""Measured pSTAT5, and how a model's curve is laid beside it: one scale for each day and cell."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twoarm import catalog

Numbers = NDArray[np.float64]


class Free(NamedTuple):
    """A number that a fit may move: prior and spread of its logarithm (None: flat), and bounds.

    `found` is what it came to, where the library has no other place for it.
    """

    name: str
    prior: float
    sd: float | None
    low: float
    high: float
    found: float | None = None


@dataclass(frozen=True)
class Measured:
    """Data of a receptor fit, and what may move to meet them.

    Attributes
    ----------
    name : str
        Of the file.
    table : DataFrame
        `ligand`, `moieties`, `cell`, `date`, `hour`, `dose` [nM], `pstat5` [fluorescence], one row a reading.
    ligands : mapping of str to mapping
        By name: a `card`, the readings `il2ra` and `il2rbg` [nM], or the name of a `free` affinity.
    free : tuple of Free
        What may move.
    noise : float
        Expected residual, as a share of the plateau.
    ec50 : mapping of str to float [nM]
        Told EC50 of `ec50_ligand` by cell, at `ec50_hour`, within `ec50_spread` of the logarithm.
    """

    name: str
    table: pd.DataFrame
    ligands: Mapping[str, Mapping[str, Any]]
    free: tuple[Free, ...]
    noise: float
    ec50: Mapping[str, float]
    ec50_ligand: str
    ec50_hour: float
    ec50_spread: float
    assay: Mapping[str, Any]

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """Each ligand with each number of IL-2 it was measured with."""
        found = self.table[["ligand", "moieties"]].drop_duplicates()
        return sorted((str(ligand), int(moieties)) for ligand, moieties in found.to_numpy())

    def without(self, ligand: str) -> Measured:
        """Leave a ligand out, with one IL-2 and with two."""
        kept = self.table[self.table["ligand"] != ligand].reset_index(drop=True)
        return Measured(**{**self.__dict__, "table": kept})


def read_measured(name_or_path: str | os.PathLike[str] = "il2_pstat5") -> Measured:
    """Read the data of a receptor fit.

    Parameters
    ----------
    name_or_path : str or path
        Name in the library, or a TOML file.

    Returns
    -------
    Measured
        Readings and what may move.

    Examples
    --------
    >>> measured = read_measured()
    >>> len(measured.table) > 3000, len(measured.kinds)
    (True, 11)
    """
    path = catalog.find("assays", name_or_path)
    said = catalog.read_toml(path)
    table = pd.read_csv(io.StringIO(catalog.read_text(path.parent / f"{said['data']}.csv")))
    table["group"] = table["date"] + " " + table["cell"]
    table["plateau"] = table.groupby("group")["pstat5"].transform(_plateau)
    told = said["ec50"]
    return Measured(
        name=str(said["name"]),
        table=table.reset_index(drop=True),
        ligands=said["ligands"],
        free=tuple(
            Free(
                name,
                float(one["prior"]),
                one.get("sd"),
                float(one["bounds"][0]),
                float(one["bounds"][1]),
                one.get("found"),
            )
            for name, one in said["free"].items()
        ),
        noise=float(said["noise"]["value"]),
        ec50=told["nM"],
        ec50_ligand=str(told["ligand"]),
        ec50_hour=float(told["hour"]),
        ec50_spread=float(told["spread"]["value"]),
        assay=catalog.read_toml(catalog.find("assays", str(said["assay"]))),
    )


def lay_beside(measured: Measured, curve: Numbers) -> tuple[Numbers, Numbers]:
    """Scale a model's pSTAT5 to fluorescence, with one scale and one background for each date and cell.

    Parameters
    ----------
    measured : Measured
        The data.
    curve : (reading,) float array
        The model's pSTAT5 of each reading.

    Returns
    -------
    predicted : (reading,) float array
        In fluorescence; scale and background are those of least squares, the scale not below 0.
    scale : (reading,) float array
        The scale that each reading has.
    """
    group = pd.factorize(measured.table["group"])[0]
    seen = measured.table["pstat5"].to_numpy(float)
    count = np.bincount(group)
    middle_curve, middle_seen = np.bincount(group, curve) / count, np.bincount(group, seen) / count
    off = curve - middle_curve[group]
    together = np.bincount(group, off * (seen - middle_seen[group]))
    scale = np.maximum(together / (np.bincount(group, off**2) + _NO_SLOPE), 0.0)
    return middle_seen[group] + scale[group] * off, scale[group]


_NO_SLOPE = 1e-9  # a curve that is flat has scale 0


def _plateau(seen: pd.Series) -> float:
    """Height of a day and cell: the mean of its highest twentieth less that of its three lowest readings."""
    ordered = np.sort(seen.to_numpy(float))
    return float(ordered[-max(3, ordered.size // 20) :].mean() - ordered[:3].mean())
