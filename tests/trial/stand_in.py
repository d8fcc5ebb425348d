"""A biology with a closed solution, in place of the engine: exact, cheap, and honest about windows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import xarray as xr

LESIONS = 5
ELIMINATION = 0.08  # 1/day
NAMES = (
    "sld",
    *(f"diameter_{j}" for j in range(1, 6)),
    "neutrophils",
    "leak",
    "il6",
    "cytotoxic_central_nM",
    "pd1_block_exposure",
    "activation_exposure",
    "drug_central_nM",
)
STATES = ("drug", "cytotoxic", "exposure", *(f"size_{j}" for j in range(1, 6)))


def biology() -> SimpleNamespace:
    return SimpleNamespace(
        name="stand-in",
        outputs=dict.fromkeys(NAMES, 0),
        units={"sld": "mm"},
        labels={"sld": "sum"},
        states=STATES,
    )


def people(n: int, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    size = draw.lognormal(np.log(30), 0.5, (n, LESIONS)) * (
        np.arange(LESIONS) < draw.integers(1, 6, n)[:, None]
    )
    columns = {
        f"diameter_baseline_{j + 1}": np.where(size[:, j] > 0, np.maximum(size[:, j], 10), 0)
        for j in range(5)
    }
    table = pd.DataFrame(
        {
            **columns,
            "growth": draw.lognormal(np.log(0.004), 0.7, n),
            "shrinkage": draw.lognormal(np.log(2e-5), 1.0, n),
            "weight": draw.normal(70, 12, n).clip(45, 110),
            "body_surface": draw.normal(1.8, 0.15, n).clip(1.4, 2.3),
            "albumin": draw.normal(38, 4, n).clip(25, 50),
            "resistance": draw.choice(["primary", "acquired"], n),
            "sequence": draw.choice(["concurrent", "sequential"], n),
            "region": draw.choice(["asia", "non_asia"], n),
        },
        index=pd.RangeIndex(n, name="patient"),
    )
    table.attrs["covariates"] = list(table.columns)
    return table


def advance(model, patients, doses, *, days, visits, outputs, initial, failed, fails=()):
    """ln d' = growth - shrinkage * (drug + cytotoxic); one rate of elimination; doses as a window begins."""
    labels, end = patients.index.to_numpy(), np.asarray(days, float)
    if initial is None:
        begin = np.zeros(labels.size)
        size = np.column_stack([patients[f"diameter_baseline_{j}"] for j in range(1, 6)]).astype(float)
        drug, cytotoxic, exposure = np.zeros((3, labels.size))
    else:
        before = initial.sel(patient=labels)
        begin = before.final_day.to_numpy()
        drug, cytotoxic, exposure, *sizes = before.final_state.to_numpy().T
        size = np.column_stack(sizes)
    drug, cytotoxic = drug.copy(), cytotoxic.copy()
    predose = (drug.copy(), cytotoxic.copy())
    if doses is not None:
        for row in doses.itertuples():
            place = np.flatnonzero(labels == row.id)
            if place.size:
                assert row.time == begin[place[0]]
                (cytotoxic if row.cmt.startswith("cytotoxic") else drug)[place[0]] += row.amt
    t = np.clip(np.asarray(visits, float)[None] - begin[:, None], 0, None)
    outside = (visits > end[:, None]) | ((visits <= begin[:, None]) & ~((initial is None) & (visits == 0)))

    def at(time):
        left = np.exp(-ELIMINATION * time)
        area = (1 - left) / ELIMINATION
        pull = np.asarray(patients["growth"])[:, None] * time
        pull = pull - np.asarray(patients["shrinkage"])[:, None] * (drug + cytotoxic)[:, None] * area
        sizes = size[:, None, :] * np.exp(pull)[..., None]
        hours = exposure[:, None] + (drug[:, None] > 1) * time
        return drug[:, None] * left, cytotoxic[:, None] * left, hours, sizes

    one, two, hours, sizes = at(t)
    one = np.where(t == 0, predose[0][:, None], one)
    found = {
        "sld": sizes.sum(axis=2),
        **{f"diameter_{j + 1}": sizes[..., j] for j in range(5)},
        "neutrophils": 4 / (1 + two / 20),
        "leak": one / (one + 5e4),
        "il6": 3 + one / 100,
        "cytotoxic_central_nM": two,
        "pd1_block_exposure": hours,
        "activation_exposure": hours / 50,
        "drug_central_nM": one,
    }
    one, two, hours, sizes = at((end - begin)[:, None])
    state = np.column_stack([one[:, 0], two[:, 0], hours[:, 0], sizes[:, 0]])
    status = np.isin(labels, list(fails)) & (end > 50)
    final = np.where(status, (begin + end) / 2, end)
    return xr.Dataset(
        {
            **{
                name: (("patient", "day"), np.where(outside | status[:, None], np.nan, found[name]))
                for name in outputs
            },
            "final_state": (("patient", "state"), state),
            "final_day": ("patient", final),
            "status": ("patient", status.astype(int)),
            "steps": ("patient", np.ones(labels.size, int)),
        },
        coords={"patient": labels, "day": visits, "state": np.array(STATES, dtype=object)},
    )
