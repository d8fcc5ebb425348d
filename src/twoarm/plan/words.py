"""Words that every page of a plan uses: percentages, and what ran."""

from __future__ import annotations

import numpy as np

import twoarm
from twoarm.plan.run import Asked


def percent(share: float, digits: int = 0) -> str:
    """Say a share in percent; a dash where there is none.

    Examples
    --------
    >>> percent(0.256), percent(float("nan"))
    ('26 %', '–')
    """
    return "–" if not np.isfinite(share) else f"{100 * share:.{digits}f} %"


def provenance_of(asked: Asked) -> dict[str, str]:
    """Say what ran, for the foot of a page."""
    return {
        "design": asked.planned.design.name,
        "protocol": asked.planned.protocol.name,
        "population": "; ".join(dict.fromkeys(member.label for member in asked.members)),
        "model": f"{asked.model.name} {asked.model.digest[:16]}",
        "pool": f"{asked.size} patients in each arm",
        "seed": str(asked.seed),
        "twoarm": twoarm.__version__,
    }
