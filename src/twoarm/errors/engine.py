"""What can be wrong with a simulation: its input, its back end, its course."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


class UnknownBackendError(TwoarmError, ValueError):
    """There is no back end, or no method of integration, of that name."""

    def __init__(self, *, what: str, name: object, known: Iterable[str]) -> None:
        options = ", ".join(f'"{each}"' for each in known)
        super().__init__(f"{what} {name!r} does not exist. Choose one of {options}.")


class UnknownColumnError(TwoarmError, ValueError):
    """A column of a table of patients is nothing the model knows."""

    def __init__(self, *, columns: Sequence[str], model: str, known: Iterable[str]) -> None:
        names = list(known)
        close = sorted({match for column in columns for match in get_close_matches(column, names, n=2)})
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f"patients have {', '.join(repr(c) for c in columns)}, which model {model!r} does not have as "
            f'parameter or state. {hint}Correct the name, or list it in patients.attrs["covariates"] if '
            "the model need not know it."
        )


class UnknownOutputError(TwoarmError, ValueError):
    """An output was asked for that the model does not have."""

    def __init__(self, *, names: Sequence[str], model: str, known: Iterable[str]) -> None:
        options = list(known)
        close = sorted({match for name in names for match in get_close_matches(name, options, n=2)})
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f"model {model!r} has no output {', '.join(repr(str(n)) for n in names)}. {hint}"
            f"It has {len(options)}: the keys of model.outputs."
        )


class SimulationInputError(TwoarmError, ValueError):
    """A number given to a simulation cannot be right."""

    def __init__(self, *, what: str, value: object, rule: str) -> None:
        given = repr(value.item() if getattr(value, "ndim", None) == 0 else value)  # type: ignore[attr-defined]
        shown = given if len(given) <= 60 else " ".join(given[:57].split()) + "..."
        super().__init__(f"{what} is {shown}. {rule}")


class NoSuchInitialError(TwoarmError, ValueError):
    """Patients are to go on from a run they were not in, or from a run of another model."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"cannot go on from `initial`: {reason}. Pass the result of simulate() with the same model and "
            "with all these patients in it."
        )


class NoCudaDeviceError(TwoarmError):
    """Backend "cuda" was asked for and there is no device for it."""

    def __init__(self, *, looked_for: Sequence[str], reason: str) -> None:
        super().__init__(
            f'backend "cuda" was asked for: {reason} (looked for {" or ".join(looked_for)} among the system\'s libraries, '
            "and for the first device that CUDA_VISIBLE_DEVICES shows). It needs an NVIDIA device and its driver, and "
            'nothing else. Use backend="cpu", or run where `nvidia-smi` lists a device.'
        )


class DeviceMemoryError(TwoarmError):
    """A device has no room for what a run needs at least."""

    def __init__(self, *, device: str, wanted: int, free: int) -> None:
        super().__init__(
            f"{device} has {free / 2**20:.3g} MiB to give and {wanted / 2**20:.3g} MiB are needed at once. End what "
            'else runs on it, ask for fewer visits, or use backend="cpu".'
        )


class CudaDriverError(TwoarmError):
    """The driver of a device refuses a call."""

    def __init__(self, *, call: str, code: int, meaning: str, device: str, said: str, slow: bool) -> None:
        remedy = (
            "A device that also shows a screen ends code that runs for seconds: pass a smaller chunk."
            if slow
            else 'Look at `nvidia-smi`; a driver of CUDA 11.8 or later is needed. backend="cpu" needs no device.'
        )
        log = f" It said: {said}." if said else ""
        super().__init__(f"{device or 'the driver'} answered {call} with {code}: {meaning}.{log} {remedy}")


class EventsNeedReferenceError(TwoarmError, ValueError):
    """A device was asked for a model with events."""

    def __init__(self, *, model: str, events: Sequence[str], backend: str = "cuda") -> None:
        super().__init__(
            f"model {model!r} has {len(events)} events ({', '.join(events[:3])}{', ...' if len(events) > 3 else ''}), "
            f'which backend "{backend}" does not handle. Use backend="cpu"; "auto" chooses it for you.'
        )


class DelaysNeedReferenceError(TwoarmError, ValueError):
    """A fast back end was asked for a model that looks back in time."""

    def __init__(self, *, model: str, backend: str) -> None:
        super().__init__(
            f'model {model!r} has delay() in its equations, which backend "{backend}" does not handle. '
            'Use backend="reference"; "auto" chooses it for you.'
        )


class PrecisionError(TwoarmError, ValueError):
    """A back end does not compute in the precision asked for."""

    def __init__(self, *, backend: str, precision: str, reason: str) -> None:
        super().__init__(
            f'precision "{precision}" was asked for, and backend "{backend}" ({reason}) has only double. Single '
            'precision is for screening on a back end that has it. Use precision="double", or another backend.'
        )


class NoSuchPatientError(TwoarmError, ValueError):
    """Nobody in the cohort has the label asked for."""

    def __init__(self, *, label: object, known: Sequence[object]) -> None:
        shown = ", ".join(map(str, known[:5])) + (", ..." if len(known) > 5 else "")
        super().__init__(
            f"no patient is labeled {label!r}. The {len(known)} labels of the cohort are {shown}. Give one of them."
        )


class SinglePrecisionWarning(UserWarning):
    """Single precision was much less exact than double in the sample that ran in both."""

    def __init__(self, *, rms: float, worst: float, failed: int, checked: int) -> None:
        ended = f"; {failed} of them ended differently" if failed else ""
        super().__init__(
            f"single precision is off by {rms:.1e} (root mean square; {worst:.1e} at worst) in the {checked} patients "
            f'who ran again in double{ended}. It is for screening. Use precision="double" for this model.'
        )


class IntegrationError(TwoarmError):
    """Some patients did not reach their end day. Each of `stuck` is (label, why, day, stiffest state or "")."""

    def __init__(
        self,
        *,
        stuck: Sequence[tuple[object, str, float, str]],
        patients: int,
        last_dose: float | None = None,
    ) -> None:
        named = ", ".join(str(label) for label, *_ in stuck[:10]) + (", ..." if len(stuck) > 10 else "")
        _, why, day, stiffest = stuck[0]
        place = f", stiffest in {stiffest}" if stiffest else ""
        place += f", last dose on day {last_dose:.6g}" if last_dose is not None else ""
        super().__init__(
            f"{len(stuck)} of {patients} patients did not finish ({named}): {why}, first at day {day:.6g}{place}. "
            f"Loosen `rtol`, look at one with `diagnose`, or pass "
            f'failed="mask" to keep the other {patients - len(stuck)}.'
        )


class SteadyStateError(TwoarmError, ValueError):
    """A steady-state dose that cannot be written as repeated doses."""

    def __init__(self, *, row: int, patient: object, reason: str) -> None:
        super().__init__(
            f"row {row} of the dose table (patient {patient}) starts at steady state: {reason}. A steady state is "
            "reached by repeating the dose for `run_in` days before the row, or by `steady_doses`, which repeats it until the "
            "cycle closes. Give `run_in` or use that, or write the doses out."
        )
        self.row = row
