"""Deaths from melanoma and from other causes, by ulceration; in days, and in years, where most are tied.

205 patients of Andersen, Borgan, Gill and Keiding 1993, Statistical models based on counting processes;
MASS::Melanoma of R.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from printed.beside import Row
from twoarm.trial.analyses.competing import cumulative_incidence, incidence_at
from twoarm.trial.analyses.subdistribution import gray_test, subdistribution_ratio

MELANOMA = pd.read_csv(Path(__file__).parent / "r" / "melanoma.csv")
Z95 = 1.959963984540054


def melanoma() -> Iterator[Row]:
    """Every analysis in both units."""
    day = MELANOMA["time"].to_numpy(float)
    yield from _in_unit("melanoma, days", day, (1000, 2000, 3000))
    yield from _in_unit("melanoma, years", np.ceil(day / 365.25), (3, 6, 9))


def _in_unit(named: str, day: np.ndarray, at: tuple[int, ...]) -> Iterator[Row]:
    first, second = (MELANOMA["status"] == 1).to_numpy(), (MELANOMA["status"] == 3).to_numpy()
    ulcer, sex = (MELANOMA["ulcer"] == 1).to_numpy(), MELANOMA["sex"].to_numpy()
    for code, own, others in ((1, first, second), (2, second, first)):
        for name, strata in (("ulcer", None), ("ulcer by sex", sex)):
            statistic = gray_test(day, own, others, ulcer, strata)[0]
            yield "Gray", f"{named}, {name}, cause {code}: chi-square", statistic, "", "cuminc"
        ratio, low, high, _ = subdistribution_ratio(day, own, others, ulcer)
        what = f"{named}, ulcer, cause {code}"
        yield "Fine-Gray", f"{what}: log ratio", float(np.log(ratio)), "", "crr"
        yield "Fine-Gray", f"{what}: standard error", float(np.log(high / low)) / (2 * Z95), "", "crr"
    cause = np.select([first, second], ["1", "2"], "")
    curves = cumulative_incidence(
        pd.DataFrame({"arm": np.where(ulcer, "1", "0"), "day": day, "cause": cause})
    )
    for arm, code, when in product((0, 1), (1, 2), at):
        own_curve = curves[(curves["arm"] == str(arm)) & (curves["cause"] == str(code))]
        what = f"{named}, ulcer {arm}, cause {code}, at {when}"
        yield "Aalen-Johansen", what, incidence_at(own_curve, when)[0], "", "timepoints(cuminc)"
