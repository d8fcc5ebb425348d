"""A whole trial on a biology with a closed solution: windows, order, twins, failures, endings."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.trial.stand_in import advance, biology, people

from twoarm.errors import EventsNotReachedError, MissingColumnError, MissingOutputError
from twoarm.trial.analyze import analyze, kaplan_meier
from twoarm.trial.conduct import run_trial
from twoarm.trial.cutoff import cut, flow, size_changes
from twoarm.trial.ledger import Trial
from twoarm.trial.protocol import Protocol, read_protocol

PROTOCOL = read_protocol("marslight_11")


def shorter(protocol: Protocol, **follow_up: float) -> Protocol:
    changed = protocol.follow_up.model_copy(update={"horizon": 700.0, **follow_up})
    return protocol.model_copy(update={"follow_up": changed})


def conducted(patients: pd.DataFrame, seed: int = 3, **options: object) -> Trial:
    options = {"protocol": shorter(PROTOCOL), "advance": advance, **options}
    protocol = options.pop("protocol")
    return run_trial(biology(), protocol, patients, seed=seed, **options)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return conducted(people(150))


def same(one: Trial, two: Trial, *, order: bool = True) -> None:
    for name in ("patients", "visits", "readings", "exposures", "toxicity"):
        left, right = getattr(one, name), getattr(two, name)
        if not order:
            keys = [key for key in ("patient", "visit", "lesion", "toxicity", "grade", "day") if key in left]
            left, right = (
                table.sort_index() if name == "patients" else table.sort_values(keys, ignore_index=True)
                for table in (left, right)
            )
        pd.testing.assert_frame_equal(left, right, check_exact=False, rtol=1e-9, obj=name)


def test_the_same_seed_gives_the_same_trial(trial: Trial) -> None:
    same(trial, conducted(people(150)))
    other = conducted(people(150), seed=4)
    assert (other.patients["arm"] != trial.patients["arm"]).any()


def test_a_replicate_is_another_trial_with_the_same_patients(trial: Trial) -> None:
    other = conducted(people(150), replicate=1)
    for column in ("arm", "enrolled_on", "death_day"):
        assert (other.patients[column].fillna(0) != trial.patients[column].fillna(0)).any()
    pd.testing.assert_series_equal(other.patients["growth"], trial.patients["growth"])


def test_windows_do_not_matter(trial: Trial) -> None:
    """A call every ten days cuts the time into many more windows and changes nothing."""
    finer = conducted(people(150), protocol=shorter(PROTOCOL, every=10.0))
    assert finer.provenance["windows"] > 1.2 * trial.provenance["windows"]
    same(trial, finer)


def test_order_of_patients_does_not_matter(trial: Trial) -> None:
    patients = people(150)
    turned = patients.iloc[np.random.default_rng(0).permutation(150)]
    turned.attrs = patients.attrs
    same(trial, conducted(turned), order=False)


def test_twins_without_effect_have_one_fate() -> None:
    """If no molecule shrinks anything, a patient's scans, progression and death are the same in both arms."""
    patients = people(60).assign(shrinkage=0.0)
    patients.attrs["covariates"] = list(patients.columns)
    twins = [
        conducted(patients, assignment=pd.Series(arm, index=patients.index))
        for arm in ("experimental", "docetaxel")
    ]
    for column in ("death_day", "progression_day", "new_lesion_day", "lost_day", "next_therapy_day"):
        pd.testing.assert_series_equal(twins[0].patients[column], twins[1].patients[column])
    pd.testing.assert_frame_equal(twins[0].readings, twins[1].readings)
    assert set(twins[0].exposures["dose"]) != set(twins[1].exposures["dose"])


def test_nothing_follows_the_end(trial: Trial) -> None:
    people_ = trial.patients
    off, end = people_["off_day"].fillna(np.inf), people_["followed_until"]
    for table, limit in (
        (trial.exposures, off),
        (trial.exposures, end),
        (trial.visits, end),
        (trial.toxicity, end),
    ):
        assert (table["day"] <= table["patient"].map(limit)).all()
    progressed = trial.visits["patient"].map(people_["progression_day"].fillna(np.inf))
    assert (trial.visits["day"] <= progressed).all()
    assert (
        trial.exposures["day"] < trial.exposures["patient"].map(people_["progression_day"].fillna(np.inf))
    ).all()
    courses = trial.courses["sld"].to_pandas()
    beyond = courses.columns.to_numpy()[None] > end.to_numpy()[:, None]
    assert (courses.to_numpy()[~beyond] >= 0).all()
    assert np.isnan(courses.to_numpy()[beyond]).all()


def test_progression_is_what_the_scan_says(trial: Trial) -> None:
    found = trial.visits[trial.visits["overall"] == "PD"].set_index("patient")
    recorded = trial.patients["progression_day"].dropna()
    pd.testing.assert_series_equal(found["day"], recorded, check_names=False)
    assert (trial.patients["progressed_after"] < trial.patients["progression_day"])[recorded.index].all()
    by = trial.patients.loc[recorded.index, "progression_by"]
    new = by == "new lesion"
    assert new.any()
    assert (by == "target").any()
    late = trial.patients.loc[recorded.index, "new_lesion_day"][new]
    assert (late <= recorded[new]).all()


def test_experimental_arm_is_primed(trial: Trial) -> None:
    first = trial.exposures[trial.exposures["arm"] == "experimental"].groupby("patient").head(2)
    assert first.groupby("patient")["level"].first().eq(-1).all()
    assert first.groupby("patient")["day"].first().eq(0).all()
    assert first[first["level"] >= 0]["day"].min() == 7


def test_first_reading_is_the_baseline(trial: Trial) -> None:
    baseline = trial.readings[trial.readings["visit"] == 0]
    true = trial.patients[[f"diameter_baseline_{j}" for j in range(1, 6)]].to_numpy()
    assert len(baseline) == (true > 0).sum()
    assert baseline["day"].between(-28, 0).all()
    ratio = baseline["diameter"].to_numpy() / true[true > 0]
    assert abs(np.median(ratio) - 1) < 0.05


def test_failed_patients_stay_in_the_tables() -> None:
    failing = conducted(people(40), advance=partial(advance, fails=(3, 7)))
    status = failing.patients["status"]
    assert status[status != "complete"].index.tolist() == [3, 7]
    assert failing.patients.loc[[3, 7], "followed_until"].between(25, 140).all()
    assert not (failing.patients["off_reason"] == "").loc[[3, 7]].any()
    whole = conducted(people(40))
    others = status.index.difference([3, 7])
    pd.testing.assert_frame_equal(failing.patients.loc[others], whole.patients.loc[others])
    table = cut(failing)
    assert not table.loc[[3, 7], "OS_event"].any()
    assert flow(failing, table).query("step == 'simulation failed'")["count"].sum() == 2


def test_cut_by_events_and_by_day(trial: Trial) -> None:
    table = cut(trial, events=40)
    assert table["OS_event"].sum() == 40
    assert (table["enrolled_on"] < table.attrs["cutoff"]).all()
    by_day = cut(trial, cutoff=table.attrs["cutoff"])
    pd.testing.assert_frame_equal(by_day, table)
    assert cut(trial, cutoff="12 months").attrs["cutoff"] == 365.25
    with pytest.raises(EventsNotReachedError, match="cut at 9999 events of OS"):
        cut(trial, events=9999)


def test_later_cuts_only_add(trial: Trial) -> None:
    rank = {"CR": 0, "PR": 1, "SD": 2, "PD": 3, "NE": 4}
    previous = cut(trial, cutoff=200.0)
    for day in (400.0, 700.0, 1200.0, 2000.0):
        table = cut(trial, cutoff=day)
        shared = previous.index
        assert table.index.isin(previous.index).sum() == len(previous)
        for endpoint in ("OS", "PFS"):
            assert (table.loc[shared, f"{endpoint}_event"] >= previous[f"{endpoint}_event"]).all()
            assert (table.loc[shared, f"{endpoint}_day"] >= previous[f"{endpoint}_day"]).all()
        assert (table.loc[shared, "bor"].map(rank) <= previous["bor"].map(rank)).all()
        assert (table.loc[shared, "grade"] >= previous["grade"]).all()
        previous = table


def test_times_hang_together(trial: Trial) -> None:
    table = cut(trial)
    assert (table["PFS_day"] <= table["OS_day"]).all()
    assert (table["PFS_after"] <= table["PFS_day"]).all()
    assert (table["PFS_event"] | ~table["OS_event"]).all()
    responders = table[table["bor"].isin(["CR", "PR"])]
    assert (responders["DOR_day"] >= 28).all()
    assert (responders["best_change"] <= -30).all()
    changes = size_changes(trial, table)
    assert changes.groupby("patient")["change"].first().eq(0).all()


def test_analysis_of_the_trial(trial: Trial) -> None:
    found = analyze(cut(trial)).set_index(["quantity", "arm"])
    assert found.loc[("ORR", "experimental"), "n"] + found.loc[("ORR", "docetaxel"), "n"] == 150
    assert 0 < found.loc[("Hazard ratio of OS", ""), "value"] < np.inf
    curve = kaplan_meier(cut(trial))
    assert set(curve["arm"]) == {"experimental", "docetaxel"}


def test_a_model_must_show_what_a_trial_sees() -> None:
    poor = biology()
    poor.outputs = {"sld": 0}
    with pytest.raises(MissingOutputError, match="diameter_1"):
        run_trial(poor, PROTOCOL, people(4), seed=1, advance=advance)
    with pytest.raises(MissingColumnError, match="albumin"):
        run_trial(biology(), PROTOCOL, people(4).drop(columns="albumin"), seed=1, advance=advance)


def test_progress_is_told() -> None:
    told: list[float] = []
    conducted(people(10), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_the_engine_gets_no_covariate_it_was_not_told_of() -> None:
    seen = SimpleNamespace(columns=set(), attrs={})

    def watch(model: object, patients: pd.DataFrame, doses: object, **how: object) -> object:
        seen.columns, seen.attrs = set(patients.columns), patients.attrs
        return advance(model, patients, doses, **how)

    conducted(people(6), advance=watch)
    added = seen.columns - set(seen.attrs["covariates"])
    assert added
    assert all(name.startswith(("drug_", "cytotoxic_")) or name == "ada" for name in added)


def test_a_cut_before_the_first_scan_has_nothing_to_judge(trial: Trial) -> None:
    first = float(trial.patients["enrolled_on"].min())
    table = cut(trial, cutoff=first + 1.0)
    assert len(table) >= 1
    assert set(table["bor"]) == {"NE"}
    assert cut(trial, cutoff=0.0).empty
