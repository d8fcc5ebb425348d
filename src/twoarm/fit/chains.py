"""Chains of a posterior, drawn from what a fit has simulated so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twoarm.chance import generator
from twoarm.fit.emulator import Emulator
from twoarm.fit.sample import Drawn, learn_near, sample_posterior, widened
from twoarm.fit.targets import ENDLESS, Reading, covariance


class Chains(NamedTuple):
    """Draws of a posterior, and what they were drawn through.

    Attributes
    ----------
    emulator : Emulator
        Of the fitted readings.
    error : (fitted reading,) float array
        Variance of published less emulated.
    drawn : Drawn
        In which every reading counts on its own: what teaches the next emulator.
    wide : (draw, chain, parameter) float array
        The same draws, spread as widely as their mean errs: what is kept in the end.
    chance : numpy.random.Generator
        Where the draws left it.
    """

    emulator: Emulator
    error: np.ndarray
    drawn: Drawn
    wide: np.ndarray
    chance: np.random.Generator


def draw_chains(
    readings: Sequence[Reading], z: Sequence[np.ndarray], simulated: Sequence[np.ndarray], seed: int
) -> Chains:
    """Learn an emulator from the ensembles so far, and draw the posterior through it.

    Parameters
    ----------
    readings : sequence of Reading
        Published numbers, those that are only compared with among them.
    z : sequence of (member, parameter) float array
        Ensembles, the last ones nearest the data.
    simulated : sequence of (member, reading) float array
        What they gave.
    seed : int
        Of the fit; the number of ensembles is the other key, so that the same chains can be drawn again.

    Returns
    -------
    Chains
        See its attributes.
    """
    fitted = np.array([reading.fitted for reading in readings])
    own = [reading for reading in readings if reading.fitted]
    exact = np.array([reading.variance(ENDLESS) for reading in own])
    emulator, error = learn_near(z, simulated, fitted, exact)
    chance = generator(seed, "fit, sample", replicate=len(simulated))
    drawn = sample_posterior(emulator, np.array([reading.value for reading in own]), error, chance)
    wide = widened(drawn.z, emulator, error, covariance(own), exact)
    return Chains(emulator, error, drawn, wide, chance)
