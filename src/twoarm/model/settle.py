"""What is in balance at any time is so from the start on, and after every sudden change.

Fast reactions and equations without a solution in closed form are held in balance by a rate that is far
faster than all others (`flatten`). A sudden change would be followed by a short, steep layer; here that
layer is gone through at once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from twoarm.model.differentiate import gradients
from twoarm.model.equations import Graph, Model, evaluate, reachable

__all__ = ["polish", "settle"]

_MOST = 400
_GROWTH = 1.6  # of the step, small enough to stay with the balance the flow leads to
_LONGEST = 1e30
_POLISHES = 3  # Newton steps; each squares a small error
_NEAR_BALANCE = 0.1  # relative; farther away it is no error of an interpolation


def settle(
    model: Model, parameters: NDArray[np.float64], states: NDArray[np.float64], time: float
) -> NDArray[np.float64]:
    """States after everything in ``model.relaxing`` has come to rest.

    Parameters
    ----------
    model : Model
        The equations.
    parameters : (parameter, patient) float array
        Values of the parameters.
    states : (state, patient) float array
        Where the states are now.
    time : float [day]
        The time, which stands still.

    Returns
    -------
    (state, patient) float array
        A copy with the relaxing states at the balance that their flow leads to. NaN where there is none.

    Notes
    -----
    Implicit Euler steps of growing length (pseudo-transient continuation): they follow the flow while they
    are short, and become Newton steps in the end.

    References
    ----------
    kelley1998 (convergence of pseudo-transient continuation).
    """
    moved = np.array(states, dtype=float)
    if model.relaxing:
        for patient in range(moved.shape[1]):
            moved[:, patient] = _settle_one(model, parameters[:, patient], moved[:, patient], time)
    return moved


def polish(
    model: Model, parameters: NDArray[np.float64], states: NDArray[np.float64], time: NDArray[np.float64]
) -> NDArray[np.float64]:
    """States that are nearly in balance, brought there: what an interpolation between two steps has lost.

    Parameters
    ----------
    model : Model
        The equations.
    parameters : (parameter, point) float array
        Values of the parameters.
    states : (state, point) float array
        Near a balance.
    time : (point,) float array [day]
        The time of each.

    Returns
    -------
    (state, point) float array
        A copy; points without a balance nearby stay as they are.
    """
    graph, rows, speeds, entries = _speeds(model)
    moved = np.array(states, dtype=float)
    where = list(rows)
    for _ in range(_POLISHES):
        values = evaluate(graph.nodes, moved, parameters, time)
        points = moved.shape[1]
        speed = np.stack([np.broadcast_to(values[node], points) for node in speeds], axis=1)
        matrix = np.zeros((points, len(rows), len(rows)))
        for i, j, node in entries:
            matrix[:, i, j] = values[node]
        good = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(speed).all(axis=1)
        largest = np.abs(matrix).max(axis=(1, 2), initial=0.0)
        good &= largest > 0
        matrix[~good] = 0.0
        shift = np.where(good, 1e-9 * largest, 1.0)[:, None, None] * np.eye(len(rows))
        change = np.linalg.solve(shift - matrix, np.where(good[:, None], speed, 0.0)[:, :, None])[:, :, 0].T
        near = np.abs(change) <= _NEAR_BALANCE * np.abs(moved[where]).max(axis=0)
        moved[where] += np.where(near.all(axis=0), change, 0.0)
    return moved


@lru_cache(maxsize=16)
def _speeds(model: Model) -> tuple[Graph, tuple[int, ...], tuple[int, ...], tuple[tuple[int, int, int], ...]]:
    """Nodes of the speeds and of their derivatives by the relaxing states, as (row, column, node)."""
    rows = [state for state, _ in model.relaxing]
    speeds = [node for _, node in model.relaxing]
    graph = Graph(model.nodes)
    slopes = gradients(graph, speeds, rows)
    column = {state: i for i, state in enumerate(rows)}
    found = [(i, column[s], node) for i, root in enumerate(speeds) for s, node in slopes[root].items()]
    needed = reachable(graph.nodes, [*speeds, *(node for _, _, node in found)])
    place = {old: new for new, old in enumerate(needed)}
    few = Graph([graph.nodes[i]._replace(args=tuple(place[a] for a in graph.nodes[i].args)) for i in needed])
    entries = tuple((i, j, place[node]) for i, j, node in found)
    return few, tuple(rows), tuple(place[node] for node in speeds), entries


def _settle_one(
    model: Model, parameters: NDArray[np.float64], state: NDArray[np.float64], time: float
) -> NDArray[np.float64]:
    graph, rows, speeds, entries = _speeds(model)
    where = list(rows)
    y = state.copy()
    step = 0.0
    for _ in range(_MOST):
        values = evaluate(graph.nodes, y, parameters, time)
        speed = np.array([float(values[node]) for node in speeds])
        if not np.isfinite(speed).all():
            break
        if not speed.any():
            return y
        matrix = np.zeros((len(rows), len(rows)))
        for i, j, node in entries:
            slope = float(values[node])
            matrix[i, j] = slope if np.isfinite(slope) else 0.0
        size = max(float(np.abs(y[where]).max()), 1e-300)
        first = min(0.1 / max(float(np.abs(matrix).max()), 1e-300), 0.1 * size / float(np.abs(speed).max()))
        step = min(step * _GROWTH if step else first, _LONGEST)
        try:
            change = np.linalg.solve(np.eye(len(rows)) / step - matrix, speed)
        except np.linalg.LinAlgError:
            step = first
            continue
        if not np.isfinite(change).all() or np.abs(change).max() > 0.5 * size:
            step = max(step / 8, 1e-300)
            continue
        y[where] += change
        if np.abs(change).max() <= 4e-16 * size and step > 1e6 * first:
            return y
    y[where] = np.nan
    return y
