"""What every tool is asked: a model, patients, repeated doses, and all states at every visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from twoarm.engine import simulate
from twoarm.model import Model, start
from twoarm.model.sbml import read_model

#: Relative tolerance and number of patients → states (patient, visit, state).
Run = Callable[[float, int], np.ndarray]


@dataclass(frozen=True)
class Task:
    """Who is integrated: the same for every tool; peers take the first of the patients.

    Attributes
    ----------
    name : str
        Of the system, as on the command line.
    model, sbml : Model, str
        The same equations for ourselves and for tools that read SBML.
    patients : DataFrame
        Parameters and initial values, one row a patient.
    target, amount : str, float
        State that receives the doses, and how much each adds.
    every, doses, samples : float, int, int
        Time from dose to dose, how many doses, visits in each interval.
    start, parameters : (patient, state) and (patient, parameter) float arrays
        Where each patient starts, and its values in the model's order.
    """

    name: str
    model: Model
    sbml: str
    patients: pd.DataFrame
    target: str
    amount: float
    every: float
    doses: int
    samples: int
    start: np.ndarray
    parameters: np.ndarray

    @property
    def end(self) -> float:
        """When it is over."""
        return self.every * self.doses

    @property
    def visits(self) -> np.ndarray:
        """When states are recorded, the beginning included."""
        return np.arange(self.doses * self.samples + 1) * (self.every / self.samples)

    @property
    def dose_table(self) -> pd.DataFrame:
        """Doses of everybody."""
        count = len(self.patients)
        return pd.DataFrame(
            {
                "id": np.repeat(self.patients.index.to_numpy(), self.doses),
                "time": np.tile(np.arange(self.doses) * self.every, count),
                "amt": self.amount,
                "cmt": self.target,
            }
        )

    def follow(self, count: int, piece: Callable[[int, np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """States (patient, visit, state) by a tool that is restarted at every dose.

        Parameters
        ----------
        count : int
            How many patients.
        piece : callable
            From patient, state after the dose and the times (the dose's, then the visits up to the next dose)
            to the states at these visits.
        """
        target = self.model.states.index(self.target)
        found = np.empty((count, len(self.visits), len(self.model.states)))
        for i in range(count):
            found[i, 0] = y = self.start[i].copy()
            for times, rows in self.pieces():
                y[target] += self.amount
                found[i, rows] = piece(i, y, times)
                y = found[i, rows.stop - 1].copy()
        return found

    def pieces(self) -> Iterator[tuple[np.ndarray, slice]]:
        """Times of each interval between doses, and the rows of its visits, the first excepted."""
        for first in range(0, self.doses * self.samples, self.samples):
            yield (
                self.visits[first : first + self.samples + 1],
                slice(first + 1, first + self.samples + 1),
            )

    def error(self, found: np.ndarray, exact: np.ndarray) -> float:
        """Root mean square of the errors, each relative to the largest size of its state in its patient."""
        scale = np.abs(exact).max(axis=1, keepdims=True)
        return float(np.sqrt(np.mean(((found - exact) / np.where(scale > 0, scale, 1.0)) ** 2)))


def make_task(
    name: str,
    sbml: str,
    patients: pd.DataFrame,
    target: str,
    amount: float,
    *,
    every: float = 21.0,
    doses: int = 18,
    samples: int = 3,
) -> Task:
    """Work out where every patient starts; those of middling effort come first, for the peers."""
    model = read_model(sbml)

    def task_of(table: pd.DataFrame) -> Task:
        columns = {column: table[column].to_numpy() for column in table}
        parameters, states = start(model, columns, len(table))
        begin, values = states.T.copy(), parameters.T.copy()
        return Task(name, model, sbml, table, target, amount, every, doses, samples, begin, values)

    task = task_of(patients)
    effort = simulate(
        model, patients, task.dose_table, days=every, outputs=[target], rtol=1e-4, workers=1, failed="mask"
    ).steps.to_numpy()
    order = np.argsort(np.abs(effort - np.median(effort)), kind="stable")
    return task_of(patients.iloc[order].reset_index(drop=True))
