"""What can be wrong with a design, and with planning a trial from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twoarm.errors.root import TwoarmError


class RankArraysError(TwoarmError, ValueError):
    """Arrays of many trials do not fit each other."""

    def __init__(self, *, shapes: Sequence[tuple[int, ...]]) -> None:
        said = ", ".join(str(shape) for shape in shapes)
        super().__init__(
            f"days, events, groups and strata have the shapes {said}. Each is one row a trial and one column a "
            "patient, and all have the same shape. Reshape them; one trial is one row."
        )


class DesignNumberError(TwoarmError, ValueError):
    """A number of a design lies outside what has a meaning."""

    def __init__(self, *, what: str, value: object, rule: str) -> None:
        super().__init__(f"{what} is {value}. {rule}")


class LookOrderError(TwoarmError, ValueError):
    """The looks of a group sequential design do not come one after another."""

    def __init__(self, *, design: str, looks: Sequence[float]) -> None:
        said = ", ".join(f"{look:g}" for look in looks)
        super().__init__(
            f"looks of design {design} are at {said} of the planned information. Each comes later than the one "
            "before, the first above 0, the last at 1, the end. Sort them, and let the last be the final analysis."
        )


class LookAfterEndError(TwoarmError, ValueError):
    """An interim analysis is planned at or after the final one."""

    def __init__(self, *, design: str, look: int, events: int, final: int) -> None:
        super().__init__(
            f"look {look} of design {design} waits for {events} events, the final analysis for {final}. An interim "
            "analysis lies before the end. Give it fewer events, or more to the final analysis."
        )


class LooksAboveEventsError(TwoarmError, ValueError):
    """Two looks of a group sequential design fall on the same event."""

    def __init__(self, *, design: str, looks: Sequence[int]) -> None:
        said = ", ".join(map(str, looks))
        super().__init__(
            f"design {design} looks {len(looks)} times, at {said} events. Each look needs an event that the one before "
            "did not have. Plan fewer looks, or more events."
        )


class EventsAbovePatientsError(TwoarmError, ValueError):
    """More events are planned than there are patients."""

    def __init__(self, *, design: str, events: int, patients: int) -> None:
        super().__init__(
            f"design {design} waits for {events} events among {patients} patients. Each patient has one event at "
            "most. Enroll more than that many patients, or analyze at fewer events."
        )


class EventsOutOfReachError(TwoarmError, ValueError):
    """Hardly a planned trial would reach its number of events before follow-up ends."""

    def __init__(self, *, design: str, events: int, usual: int, months: float) -> None:
        super().__init__(
            f"design {design} waits for {events} events, and half of the planned trials have {usual} or fewer when "
            f"follow-up ends, {months:.0f} months after a patient enters. A trial must be able to reach its final "
            f"analysis. Plan with {int(0.9 * usual)} events or fewer, enroll more patients, or follow them for longer."
        )


class EmptyStratumError(TwoarmError, ValueError):
    """A level that patients are stratified, enrolled or chosen by has no patient."""

    def __init__(self, *, factor: str, level: str, present: Iterable[str]) -> None:
        super().__init__(
            f"no virtual patient has {factor} = {level}. A stratum, a region or a basket without patients cannot "
            f"enroll. Present: {', '.join(sorted(map(str, present)))}. Name one of these, choose another population, "
            "or draw more patients (--pool)."
        )


class EnrollmentSpeedError(TwoarmError, ValueError):
    """Nobody, or fewer than nobody, is enrolled in a day."""

    def __init__(self, *, where: str, rate: float) -> None:
        super().__init__(
            f"enrollment of {where} is {rate:g} patients a day. It must be above 0, or the trial never fills. "
            'Write, as an example, rate = "30 1/month", or leave the region out.'
        )


class DesignArmError(TwoarmError, ValueError):
    """A design names an arm that its protocol does not have."""

    def __init__(self, *, design: str, arm: str, arms: Sequence[str], role: str) -> None:
        super().__init__(
            f'design {design} has "{arm}" as {role}; its protocol has the arms {", ".join(arms)}. A design compares '
            "arms of its protocol. Name one of them."
        )


class DesignKindError(TwoarmError, ValueError):
    """A part of a design is missing that its kind needs, or is there and has no meaning in it."""

    def __init__(self, *, design: str, kind: str, part: str, needed: bool) -> None:
        rule = (
            f'has no table "{part}", which this kind needs. Add'
            if needed
            else f'has a table "{part}", which this kind does not use. Remove'
        )
        super().__init__(f"design {design} of kind {kind} {rule} [{part}], or change `kind`.")


class NoEventsSaidError(TwoarmError, ValueError):
    """Neither protocol nor design says how many events end the trial."""

    def __init__(self, *, design: str, protocol: str) -> None:
        super().__init__(
            f"neither protocol {protocol} nor design {design} says at how many events the final analysis is. A comparison by "
            "events needs it. Add `events` to [follow_up] of the protocol, or to [sequential] of the design."
        )


class NoReviewError(TwoarmError, ValueError):
    """Progression by independent review is asked for, and the protocol has none."""

    def __init__(self, *, protocol: str) -> None:
        super().__init__(
            f"protocol {protocol} has no independent review. Progression by review needs its readers. Add "
            '[imaging.review] to the protocol, or analyze by = "investigator".'
        )


class NoTwoStageDesignError(TwoarmError, ValueError):
    """No two-stage design of the allowed size keeps both errors."""

    def __init__(self, *, null: float, target: float, alpha: float, power: float, most: int) -> None:
        super().__init__(
            f"no two-stage design with {most} patients or fewer tells {100 * target:g} % from {100 * null:g} % with "
            f"type I error {alpha:g} and power {power:g}. Allow more patients, a larger error, or a larger difference."
        )


class NoBoundaryError(TwoarmError, ValueError):
    """No boundary spends the error as it was asked."""

    def __init__(self, *, look: int, reason: str) -> None:
        super().__init__(
            f"at look {look} no boundary can be found: {reason}. Spend less of the error before it, leave the look out, "
            "or choose another spending function."
        )


class VaryError(TwoarmError, ValueError):
    """What is to be varied is not understood, or cannot be."""

    def __init__(self, *, text: str, known: Sequence[str], reason: str) -> None:
        super().__init__(
            f'--vary "{text}" cannot be used: {reason}. Write NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE with one of '
            f"the names {', '.join(known)}; as an example, n=300:900:100."
        )


class PoolSizeError(TwoarmError, ValueError):
    """Too few virtual patients to resample trials from."""

    def __init__(self, *, found: int, least: int) -> None:
        super().__init__(
            f"a pool of {found} virtual patients in each arm is too small to plan from. Trials are drawn from it, and "
            f"what it holds by chance is in all of them; {least} or more are needed, 1000 or more are wise. Pass a "
            "larger --pool."
        )


class OtherPlanError(TwoarmError, ValueError):
    """A folder holds a plan of other patients."""

    def __init__(self, *, folder: object, changed: Sequence[str]) -> None:
        super().__init__(
            f"{folder} holds virtual patients made with another {', '.join(changed)}. Trials of one plan are drawn from "
            "one set of patients. Choose another --out, or remove the folder."
        )
