"""The closed list of distributions a population file may name, each as its quantile function.

Every draw is a uniform number sent through a quantile function; a Gaussian copula or a quasi-random sequence
therefore works with each of them alike. ``low`` and ``high`` are the range of the entry: they truncate.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logit, ndtr, ndtri


class Shape(BaseModel):
    """What every distribution shares: a range, nothing unknown, nothing infinite, no change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Constant(Shape):
    """One value for everybody; low and high say how well it is known."""

    distribution: Literal["constant"]
    value: float

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Give the value, whatever `u`."""
        return np.full(np.shape(u), self.value)


class Uniform(Shape):
    """Equally likely between low and high."""

    distribution: Literal["uniform"]
    low: float
    high: float

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which a share `u` lies."""
        return self.low + u * (self.high - self.low)


class LogUniform(Shape):
    """Equally likely on a logarithmic scale between low and high."""

    distribution: Literal["loguniform"]
    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which a share `u` lies."""
        return np.asarray(np.exp(np.log(self.low) + u * np.log(self.high / self.low)))


class Normal(Shape):
    """Normal with mean and standard deviation, cut at low and high."""

    distribution: Literal["normal"]
    mean: float
    sd: Annotated[float, Field(gt=0)]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which a share `u` lies."""
        low = -np.inf if self.low is None else (self.low - self.mean) / self.sd
        high = np.inf if self.high is None else (self.high - self.mean) / self.sd
        return np.asarray(self.mean + self.sd * _cut(u, low, high))


class LogNormal(Shape):
    """Lognormal with its median and the standard deviation of the natural logarithm, cut at low and high."""

    distribution: Literal["lognormal"]
    median: Annotated[float, Field(gt=0)]
    sd: Annotated[float, Field(gt=0)]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which a share `u` lies."""
        low = -np.inf if not self.low or self.low < 0 else np.log(self.low / self.median) / self.sd
        high = np.inf if self.high is None else np.log(self.high / self.median) / self.sd
        return np.asarray(self.median * np.exp(self.sd * _cut(u, low, high)))


class LogitNormal(Shape):
    """A share between 0 and 1: its median and the standard deviation of its logit, cut at low and high."""

    distribution: Literal["logitnormal"]
    median: Annotated[float, Field(gt=0, lt=1)]
    sd: Annotated[float, Field(gt=0)]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Value below which a share `u` lies."""
        middle = logit(self.median)
        low = -np.inf if self.low is None else (logit(max(self.low, 0.0)) - middle) / self.sd
        high = np.inf if self.high is None else (logit(min(self.high, 1.0)) - middle) / self.sd
        return np.asarray(expit(middle + self.sd * _cut(u, low, high)))


class Bernoulli(Shape):
    """1 with a probability, else 0; low and high are the range of the probability."""

    distribution: Literal["bernoulli"]
    probability: Annotated[float, Field(ge=0, le=1)]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """1 in the upper share of `u`, so that a high `u` means yes."""
        return (np.asarray(u) >= 1 - self.probability).astype(int)


class Categorical(Shape):
    """One of several names, in the order of the file; names that are whole numbers come out as numbers."""

    distribution: Literal["categorical"]
    probabilities: Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]

    @model_validator(mode="after")
    def _sum(self) -> Categorical:
        total = sum(self.probabilities.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"probabilities sum to {total:g}, not to 1")
        return self

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Category below which a share `u` lies."""
        names = list(self.probabilities)
        chosen = np.searchsorted(np.cumsum(list(self.probabilities.values()))[:-1], u, side="right")
        if all(name.isdecimal() for name in names):
            return np.array([int(name) for name in names])[chosen]
        return np.array(names, dtype=object)[chosen]


class Part(Shape):
    """One component of a mixture."""

    share: Annotated[float, Field(gt=0, le=1)]
    of: Simple


class Mixture(Shape):
    """Several distributions with shares; the components stand in the order of `u`."""

    distribution: Literal["mixture"]
    components: Annotated[tuple[Part, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sum(self) -> Mixture:
        total = sum(part.share for part in self.components)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"shares sum to {total:g}, not to 1")
        return self

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """One component's quantile: `u` falls in that component's share and is stretched over it."""
        u = np.asarray(u, dtype=float)
        edges = np.concatenate([[0.0], np.cumsum([part.share for part in self.components])])
        edges[-1] = 1.0
        which = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, len(self.components) - 1)
        value = np.empty(u.shape)
        for number, part in enumerate(self.components):
            here = which == number
            inside = (u[here] - edges[number]) / (edges[number + 1] - edges[number])
            value[here] = part.of.quantile(np.clip(inside, _TINY, 1 - _TINY))
        return value


class Conditional(Shape):
    """A distribution for each value of another variable of the same patient."""

    distribution: Literal["conditional"]
    on: str
    cases: Annotated[dict[str, Simple | Mixture], Field(min_length=1)]

    def quantile_given(self, u: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Quantile of the case that applies; `given` has one value a patient.

        `population` has checked that every value has its case.
        """
        whole = all(isinstance(shape, Bernoulli) for shape in self.cases.values())
        value = np.zeros(np.shape(u), int) if whole else np.full(np.shape(u), np.nan)
        names = np.asarray(given).astype(str)
        for name, shape in self.cases.items():
            here = names == name
            value[here] = shape.quantile(u[here])
        return value


Simple = Annotated[
    Constant | Uniform | LogUniform | Normal | LogNormal | LogitNormal | Bernoulli,
    Field(discriminator="distribution"),
]
Distribution = Annotated[
    Constant
    | Uniform
    | LogUniform
    | Normal
    | LogNormal
    | LogitNormal
    | Bernoulli
    | Categorical
    | Mixture
    | Conditional,
    Field(discriminator="distribution"),
]
_TINY = 2.0**-53
Part.model_rebuild()
Mixture.model_rebuild()
Conditional.model_rebuild()


def _cut(u: np.ndarray, low: float, high: float) -> np.ndarray:
    """Take the standard normal quantile, cut at `low` and `high` (in standard deviations)."""
    floor, ceiling = ndtr(low), ndtr(high)
    return np.clip(ndtri(floor + np.asarray(u) * (ceiling - floor)), low, high)
