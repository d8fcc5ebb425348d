"""All that is asked of one simulation, checked, from which cohorts of any of its patients are made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import inputs
from twoarm.engine.cohort import Cohort, Tolerance
from twoarm.engine.schedule import plan_schedule
from twoarm.errors import SimulationInputError, UnknownBackendError
from twoarm.model import Model

_FAILED = ("raise", "mask", "keep")


@dataclass(frozen=True)
class Settings:
    """How somebody is simulated, whoever it is.

    Attributes
    ----------
    outputs : dict of str to int
        Names to record, and the node of each.
    failed : {"raise", "mask", "keep"}
        What is done about who fails.
    chunk : int
        Most patients at a time.
    run_in : float or None [day]
        How long before a dose at steady state it is repeated.
    tolerance, method, precision, max_steps, workers
        As `Cohort` has them.
    """

    outputs: Mapping[str, int]
    tolerance: Tolerance
    method: str
    precision: str
    max_steps: int
    workers: int
    failed: str
    chunk: int
    run_in: float | None


def read_settings(
    model: Model,
    *,
    outputs: Sequence[str] | None,
    rtol: float,
    atol: float | Mapping[str, float] | None,
    method: str | None,
    precision: str,
    max_steps: int,
    workers: int | None,
    failed: str,
    chunk: int,
    run_in: float | None = None,
    species: str = "written",
) -> Settings:
    """Check what does not depend on patients; arguments as `simulate` documents them."""
    if failed not in _FAILED:
        raise UnknownBackendError(what="failed", name=failed, known=_FAILED)
    if not 1e-14 <= rtol <= 0.1:
        raise SimulationInputError(what="rtol", value=rtol, rule="It must lie between 1e-14 and 0.1.")
    counts = {"chunk": chunk, "max_steps": max_steps, "workers": 1 if workers is None else workers}
    for what, value in counts.items():
        if value < 1:
            raise SimulationInputError(what=what, value=value, rule="It must be at least 1.")
    return Settings(
        outputs=inputs.read_outputs(model, outputs, species),
        tolerance=inputs.read_tolerance(model, rtol, atol),
        method=inputs.read_method(method),
        precision=precision,
        max_steps=max_steps,
        workers=workers or os.cpu_count() or 1,
        failed=failed,
        chunk=chunk,
        run_in=run_in,
    )


@dataclass(frozen=True)
class Request:
    """Who is simulated, from when to when, and how.

    Attributes
    ----------
    model : Model
        The equations.
    people : People
        Labels, own values and doses.
    begin, end : (patient,) float array [day]
        From when to when.
    fresh : (patient,) bool array
        True where the course begins here.
    earlier : Earlier or None
        Where an earlier run left them.
    visits : (visit,) float array [day]
        Days to record, ascending.
    settings : Settings
        How.
    """

    model: Model
    people: inputs.People
    begin: np.ndarray
    end: np.ndarray
    fresh: np.ndarray
    earlier: inputs.Earlier | None
    visits: np.ndarray
    settings: Settings

    def __len__(self) -> int:
        return len(self.begin)

    def cohort(
        self, rows: np.ndarray, *, precision: str | None = None, tolerance: Tolerance | None = None
    ) -> Cohort:
        """Cohort of some of the patients.

        Parameters
        ----------
        rows : (n,) int array
            Which, counted from 0, ascending.
        precision : str, optional
            Another than the request's.
        tolerance : Tolerance, optional
            Another than the request's.

        Returns
        -------
        Cohort
            For a back end. What is in it about a patient does not depend on who else is.
        """
        people, settings = self.people.of(rows), self.settings
        earlier = None if self.earlier is None else self.earlier.of(rows)
        parameters, state, start = inputs.read_values(self.model, people, earlier)
        begin, end = self.begin[rows], self.end[rows]
        return Cohort(
            model=self.model,
            parameters=parameters,
            state=state,
            reset_state=start,
            begin=begin,
            end=end,
            fresh=self.fresh[rows],
            schedule=plan_schedule(people.doses, begin=begin, end=end),
            step=np.zeros(len(rows)) if earlier is None else earlier.step,
            visits=self.visits,
            tolerance=tolerance or settings.tolerance,
            max_steps=settings.max_steps,
            method=settings.method,
            workers=settings.workers,
            precision=precision or settings.precision,
        )


def read_request(
    model: Model,
    patients: pd.DataFrame | None,
    doses: Any,
    settings: Settings,
    *,
    days: ArrayLike,
    visits: ArrayLike | None,
    initial: xr.Dataset | None = None,
) -> Request:
    """Check patients, doses and days.

    Parameters
    ----------
    model : Model
        The equations.
    patients, doses, days, visits, initial
        As `simulate` documents them.
    settings : Settings
        How they are simulated.

    Returns
    -------
    Request
        Ready to be integrated.
    """
    people = inputs.read_patients(model, patients, doses, run_in=settings.run_in)
    begin, fresh, earlier = inputs.read_initial(model, people.labels, people.doses, initial)
    end = inputs.read_days(days, begin, people.labels)
    at = inputs.read_visits(visits, begin, end)
    return Request(model, people, begin, end, fresh, earlier, at, settings)
