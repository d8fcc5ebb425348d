"""What animals tell: growth inhibition on a day, survival to a humane endpoint, and second tumors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.chance import generator
from twoarm.experiment.conduct import parts_of
from twoarm.experiment.numbers import arrays_of
from twoarm.experiment.plan import Experiment
from twoarm.trial.analyze import exact_interval, kaplan_meier

_RESAMPLED = 400
_BAND = [0.05, 0.5, 0.95]
_OUT = "out"


def titles(experiment: Experiment) -> dict[str, str]:
    """Name each part as a reader does: its group's title, with the dose of a ladder.

    Parameters
    ----------
    experiment : Experiment
        What was asked.

    Returns
    -------
    dict of str to str
        By part.
    """
    return {
        part.name: f"{experiment.groups[part.group].title}: {part.dose}"
        if experiment.groups[part.group].doses
        else experiment.groups[part.group].title
        for part in parts_of(experiment)
    }


def inhibition(experiment: Experiment, values: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Tell tumor growth inhibition of each group on the stated day.

    Parameters
    ----------
    experiment : Experiment
        With `inhibition`.
    values : DataFrame
        As `Courses.values`.
    seed : int
        Of the resampling, where there is one draw only.

    Returns
    -------
    DataFrame
        A row a part but the untreated: `part`, `group` (title), `day`, `animals` (of a draw), and `low`,
        `middle`, `high` of 100 (1 - T/C) [%] over draws, or over resampled animals.

    Notes
    -----
    T and C are means over a draw's animals of the volume on that day; an animal that would have been taken
    out before is followed on, so that no mean leaves out the largest tumors.
    """
    assert experiment.inhibition is not None
    readout, against = experiment.inhibition.readout, experiment.inhibition.against
    parts = {name: table[readout] for name, table in arrays_of(experiment, values).items()}
    control = parts[against]
    animals = control.shape[1]
    if len(control) == 1 and animals > 1:
        random = generator(seed, "resample growth inhibition")
        picks = random.integers(animals, size=(_RESAMPLED, animals))
        parts = {name: volume[0][picks] for name, volume in parts.items()}
    named, rows = titles(experiment), []
    for name, volume in parts.items():
        if name != against:
            share = 100 * (1 - np.nanmean(volume, axis=1) / np.nanmean(parts[against], axis=1))
            day = experiment.readouts[readout].end
            rows.append((name, named[name], day, animals, *map(float, np.quantile(share, _BAND))))
    return pd.DataFrame(rows, columns=["part", "group", "day", "animals", "low", "middle", "high"])


def survival(experiment: Experiment, values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell how long animals of each group stay in, by Kaplan-Meier.

    Parameters
    ----------
    experiment : Experiment
        With `endpoint`.
    values : DataFrame
        As `Courses.values`.

    Returns
    -------
    curves : DataFrame
        A row a part and day on which an animal was taken out: `part`, `group`, `day`, `survival` of all
        animals, `at_risk`, `censored`, and `low`, `high`: 90 % of the draws' own curves.
    told : DataFrame
        A row a part: `part`, `group`, `animals`, `end`, `median` of all animals with `median_low`,
        `median_high` (90 % of the draws' own medians; infinite: not reached), and `staying`, `staying_low`,
        `staying_high`, the share still in at the end.

    References
    ----------
    kaplan1958.
    """
    assert experiment.endpoint is not None
    readout = experiment.readouts[experiment.endpoint.readout]
    known = values.dropna(subset=[experiment.endpoint.readout])
    out = known[experiment.endpoint.readout].astype(float)
    table = pd.DataFrame(
        {"arm": known["part"], f"{_OUT}_day": out, f"{_OUT}_event": out < readout.end},
    )
    order = list(dict.fromkeys(values["part"]))
    curves = kaplan_meier(table, endpoints=[_OUT], arms=order).rename(columns={"arm": "part"})
    days = {name: read[experiment.endpoint.readout] for name, read in arrays_of(experiment, values).items()}
    named, told, bands = titles(experiment), [], []
    for part, own in curves.groupby("part", sort=False):
        each = days[str(part)]
        still = (each[:, :, None] > own["day"].to_numpy()[None, None, :]) | (each >= readout.end)[:, :, None]
        still = np.where(np.isnan(each)[:, :, None], np.nan, still)
        low, high = np.quantile(np.nanmean(still, axis=1), [0.05, 0.95], axis=0)
        bands.append(own.assign(low=low, high=high, group=named[str(part)]))
        gone = np.where(each < readout.end, each, np.inf)
        halves = np.quantile(_half(gone), [0.05, 0.95], method="nearest")
        staying = np.nanmean(np.where(np.isnan(each), np.nan, each >= readout.end), axis=1)
        told.append(
            (
                *(part, named[str(part)], each.size, readout.end, *_half(gone.reshape(1, -1)), *halves),
                *(staying.mean(), *np.quantile(staying, [0.05, 0.95])),
            )
        )
    names = ["part", "group", "animals", "end", "median", "median_low", "median_high"]
    names += ["staying", "staying_low", "staying_high"]
    return pd.concat(bands, ignore_index=True).drop(columns="endpoint"), pd.DataFrame(told, columns=names)


def _half(days: np.ndarray) -> np.ndarray:
    """First day on which half of each row are out; as everybody is watched to the end, a matter of order."""
    return np.sort(days, axis=1)[:, (days.shape[1] - 1) // 2]


def second_tumors(experiment: Experiment, values: pd.DataFrame) -> pd.DataFrame:
    """Tell how many were cured, and in how many of them a second tumor takes.

    Parameters
    ----------
    experiment : Experiment
        With `rechallenge`.
    values : DataFrame
        As `Courses.values`.

    Returns
    -------
    DataFrame
        A row a part: `part`, `group`, `animals`, `rechallenged` (how many); `cured`, a share, with 90 % of
        the draws' own shares; `memory`, its median, with 90 % of those cured; and `take`, `take_forgetful`
        and `take_naive`, shares with their exact 95 %; ends are named `_low` and `_high`.
    """
    named, rows = titles(experiment), []
    for part, own in values.groupby("part", sort=False):
        cured = own["cured"].to_numpy(float)
        low, high = np.quantile(own.groupby("draw")["cured"].mean(), [0.05, 0.95])
        row: dict[str, object] = {"part": part, "group": named[str(part)], "animals": len(own)}
        row |= {"cured": cured.mean(), "cured_low": low, "cured_high": high, "rechallenged": int(cured.sum())}
        memory = own["memory"].dropna()
        ends = memory.quantile([0.05, 0.95]).to_numpy() if len(memory) else (np.nan, np.nan)
        row |= {"memory": memory.median(), "memory_low": ends[0], "memory_high": ends[1]}
        for name in ("take", "take_forgetful", "take_naive"):
            took = own[name].dropna()
            ends = exact_interval(int(took.sum()), len(took)) if len(took) else (np.nan, np.nan)
            row |= {name: took.mean(), f"{name}_low": ends[0], f"{name}_high": ends[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def compared(experiment: Experiment, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Put published rows beside the claims that answer them.

    Parameters
    ----------
    experiment : Experiment
        With `published`.
    verdicts : DataFrame
        From `judge`.

    Returns
    -------
    DataFrame
        A row a published row: `row`, `says`, `source`, `answer` (this experiment's claims that answer it,
        each with its verdict and share, or why none can).
    """
    found = verdicts.set_index("claim")
    rows = []
    for published in experiment.published:
        here = [found.loc[claim] for claim in published.claims if claim in found.index]
        said = [f'"{row.name}": {row["verdict"]}, holds in {100 * row["holds"]:.0f} %' for row in here]
        answer = "; ".join(said) or published.why_not or "Asked in another tumor."
        rows.append((published.row, published.says, published.source, answer))
    return pd.DataFrame(rows, columns=["row", "says", "source", "answer"])
