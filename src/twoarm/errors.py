"""Every exception of the package, on as few screens as possible.

A message says what is wrong with which value, whose it is and where; the rule; what to do. It is built
here from the facts, never at the ``raise``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches


class TwoarmError(Exception):
    """Above every error this package raises on purpose."""


class KeyOfDrawError(TwoarmError, ValueError):
    """A part of the key of a random draw is not what a key is made of."""

    def __init__(self, *, part: str, value: object) -> None:
        rule = "a text that is not empty" if part == "purpose" else "a whole number"
        super().__init__(
            f"{part} {value!r} cannot key a random draw. It must be {rule}. Pass, as an example, seed=7."
        )


class PatientLabelError(TwoarmError, ValueError):
    """A patient's label is not a whole number of 0 or above."""

    def __init__(self, *, value: object) -> None:
        super().__init__(
            f"patient label {value!r} is not a whole number of 0 or above. Draws are keyed by such labels. "
            "Number the patients, as 0, 1, 2."
        )


class MissingBaselineError(TwoarmError, ValueError):
    """A target lesion has no diameter at baseline."""

    def __init__(self, *, patient: int, lesion: int) -> None:
        super().__init__(
            f"lesion {lesion} of patient row {patient} has no diameter at visit 0. Response is judged against "
            "baseline, so every target lesion is measured there. Give its diameter in mm, or leave the lesion out."
        )


class VisitOrderError(TwoarmError, ValueError):
    """A visit's day is not later than the one before."""

    def __init__(self, *, patient: int, visit: int, day: float) -> None:
        super().__init__(
            f"visit {visit} of patient row {patient} is on day {day:g}, not after the visit before it. Days rise "
            "from visit to visit. Sort the visits, and drop those that did not take place."
        )


class NoBibliographyError(TwoarmError):
    """The package was installed without its bibliography."""

    def __init__(self, *, places: Iterable[object]) -> None:
        super().__init__(
            f"no references.bib at {' or '.join(str(place) for place in places)}. Every number of the library cites "
            "it. Install the package again; a checkout keeps it in docs/."
        )


class UnknownSourceError(TwoarmError, ValueError):
    """A source is not a key of the bibliography."""

    def __init__(self, *, missing: Sequence[str], known: Iterable[str]) -> None:
        close = sorted({match for key in missing for match in get_close_matches(key, list(known), n=2)})
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f"source {', '.join(repr(key) for key in missing)} is not in the bibliography. A source is a key of "
            f'docs/references.bib, or the word "assumed" with a note. {hint}Add the entry, or correct the key.'
        )


class UnitError(TwoarmError, ValueError):
    """A text is not a number and a unit, or the unit measures something else."""

    def __init__(self, *, text: object, what: str, whose: str, unit: str, reason: str, example: str) -> None:
        owner = f" of {whose}" if whose else ""
        wanted = f" It is wanted in {unit}." if unit and reason != "is not a quantity" else ""
        super().__init__(
            f'{what} "{text}"{owner} {reason}.{wanted} Write a number and a unit, as "{example}".'
        )


class QuantityRangeError(TwoarmError, ValueError):
    """A quantity lies outside what it may be."""

    def __init__(self, *, text: object, what: str, whose: str, rule: str) -> None:
        owner = f" of {whose}" if whose else ""
        super().__init__(
            f'{what} "{text}"{owner} cannot be. It must be {rule}. Correct the number or its unit.'
        )


class UnknownKindError(TwoarmError, ValueError):
    """The library has no such kind of file."""

    def __init__(self, *, kind: str, known: Iterable[str]) -> None:
        super().__init__(
            f'the library keeps no "{kind}". Its kinds are {", ".join(sorted(known))}. Ask for one of them.'
        )


class NotInLibraryError(TwoarmError, ValueError):
    """A name is neither in the library nor another name of something there."""

    def __init__(
        self, *, one: str, kind: str, name: str, known: Sequence[str], count: int | None = None
    ) -> None:
        close = get_close_matches(name.lower(), list(known), n=3, cutoff=0.75)
        number = len(known) if count is None else count
        hint = "Close: " + ", ".join(f'"{match}"' for match in close) + ". " if close else ""
        super().__init__(
            f'no {one} "{name}". {hint}In the library: {number}; see `twoarm list {kind}`, or give a '
            "path to a file of your own."
        )


class FileMissingError(TwoarmError, ValueError):
    """A path does not lead to a file."""

    def __init__(self, *, path: object) -> None:
        super().__init__(f"{path} is not a file. A path leads to one readable file. Check the path.")


class FileUnreadableError(TwoarmError, ValueError):
    """The system does not let a file be read."""

    def __init__(self, *, path: object, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read: {reason.lower()}. A file is read with the rights of who runs twoarm. Check its "
            "name and permissions."
        )


class FileTooLargeError(TwoarmError, ValueError):
    """A file is larger than any honest one of its kind."""

    def __init__(self, *, path: object, size: int, limit: int) -> None:
        super().__init__(
            f"{path} holds {size / 1e6:,.1f} MB. Files of at most {limit / 1e6:g} MB are read. Split the "
            "file, or give the right one."
        )


class FileTextError(TwoarmError, ValueError):
    """A file cannot be read as the text it should be."""

    def __init__(self, *, path: object, form: str, reason: str) -> None:
        super().__init__(f"{path} is not {form}: {reason}. It is read as {form}. Correct it there.")


class UnknownFieldError(TwoarmError, ValueError):
    """A file has a field that its kind does not know."""

    def __init__(self, *, path: object, place: str, field: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(field, names, n=2)
        hint = f"Close: {', '.join(close)}. " if close else f"Known: {', '.join(names)}. "
        super().__init__(
            f'{path}: field "{field}" of {place} is unknown. Only listed fields are read, so that a '
            f"misspelled one is never passed over. {hint}Rename or remove it."
        )


class MissingFieldError(TwoarmError, ValueError):
    """A file lacks a field that its kind requires."""

    def __init__(self, *, path: object, place: str, field: str) -> None:
        super().__init__(f'{path}: {place} has no "{field}", which is required. Add it, with its source.')


class CardEntryError(TwoarmError, ValueError):
    """An entry of a card breaks the rule of its field."""

    def __init__(self, *, path: object, place: str, reason: str) -> None:
        super().__init__(f"{path}: {place}: {reason}")


class ProtocolError(TwoarmError):
    """A protocol made in Python breaks a rule; it is no ValueError, which pydantic would wrap in its own."""

    def __init__(self, *, fault: TwoarmError) -> None:
        super().__init__(str(fault))


class EntryFormError(TwoarmError, ValueError):
    """An entry is not one of the forms a card knows."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            f"entry with {given}. An entry has `value`, or `low` and `high`, or both, or `choices`, and "
            "always a `source`. Write, as an example, "
            '{ low = "0.1 nM", high = "2 nM", scale = "log", source = "assumed", note = "no public value" }.'
        )


class RangeOrderError(TwoarmError, ValueError):
    """A range whose low end is above its high end, or whose value lies outside."""

    def __init__(self, *, low: float, high: float, value: float | None, unit: str) -> None:
        said = f" with value {value:g}" if value is not None else ""
        super().__init__(
            f"range {low:g} to {high:g} {unit}{said} is out of order. `low` is below `high`, and `value`, "
            "where given, lies between. Exchange the ends or correct the value."
        )


class LogRangeError(TwoarmError, ValueError):
    """A logarithmic range that touches 0."""

    def __init__(self, *, low: float) -> None:
        super().__init__(
            f'range from {low:g} has scale = "log". A logarithmic range starts above 0. Raise `low`, or use '
            'scale = "linear".'
        )


class MissingNoteError(TwoarmError, ValueError):
    """An assumed number without a word on why."""

    def __init__(self) -> None:
        super().__init__(
            'source = "assumed" without a note. Who assumes says why. Add note = "...", or cite a key of '
            "docs/references.bib."
        )


class RateOfBindingError(TwoarmError, ValueError):
    """A binding step with none or both of its two rates."""

    def __init__(self, *, arm: str, rates: Sequence[str], given: int) -> None:
        super().__init__(
            f"{arm} gives {given} of {' and '.join(rates)}. With kd, exactly one rate fixes the other, as "
            "kd = koff/kon. Keep one of them."
        )


class NoSlotError(TwoarmError, ValueError):
    """A molecule cannot be what it is asked to be in the model."""

    def __init__(self, *, molecule: str, slot: str, slots: Sequence[str]) -> None:
        super().__init__(
            f'"{molecule}" cannot fill the slot "{slot}". It can fill {" or ".join(slots) or "none"}: a '
            "cytotoxic molecule has a cytotoxic_arm, a competitor a pd1_arm. Choose another slot or molecule."
        )


class SlotTakenError(TwoarmError, ValueError):
    """Two regimens of one combination fill the same slot."""

    def __init__(self, *, slot: str, molecules: Sequence[str]) -> None:
        super().__init__(
            f'{" and ".join(molecules)} both fill the slot "{slot}". A combination gives each slot one '
            'molecule. Put one of them in another slot, as slot="competitor".'
        )


class RegimenError(TwoarmError, ValueError):
    """A part of a regimen contradicts another."""

    def __init__(self, *, molecule: str, part: str, reason: str, remedy: str) -> None:
        super().__init__(f'{part} of the regimen of "{molecule}" {reason}. {remedy}')


class MissingColumnError(TwoarmError, ValueError):
    """A table lacks a column that is needed."""

    def __init__(self, *, column: str, table: str, purpose: str) -> None:
        super().__init__(
            f'table of {table} has no column "{column}", which is needed {purpose}. Add it in the house unit.'
        )


class DoseLevelError(TwoarmError, ValueError):
    """A dose level that the regimen does not have."""

    def __init__(self, *, molecule: str, level: int, levels: int) -> None:
        super().__init__(
            f'dose level {level} of "{molecule}" does not exist. Level 0 is the full dose and the last is '
            f"{levels - 1}. Give more `levels`, or stop treatment."
        )


class NumberOfDrawsError(TwoarmError, ValueError):
    """A number of card draws below one."""

    def __init__(self, *, n: object) -> None:
        super().__init__(
            f"n = {n!r} draws were asked for. At least 1 whole draw is made. Pass, as an example, n=32."
        )


class UnknownMethodError(TwoarmError, ValueError):
    """A method that is not on the list."""

    def __init__(self, *, method: object, known: Iterable[str]) -> None:
        super().__init__(f"method {method!r} is unknown. Known: {', '.join(known)}. Choose one of them.")


class PopulationError(TwoarmError, ValueError):
    """An entry of a population file breaks a rule."""

    def __init__(self, *, file: str, where: str, what: str) -> None:
        super().__init__(
            f"population {file}, at {where}: {what}. Every entry has a distribution or formula of the list, a "
            "unit, a source and a range or note. Correct that entry."
        )


class UntreatedRunError(TwoarmError, ValueError):
    """The untreated run given to the plausibility check lacks something it was asked for."""

    def __init__(self, *, output: str, day: float) -> None:
        super().__init__(
            f'the untreated run has no "{output}" at day {day:g} for every patient. A rule of the population '
            "needs it. Let the callable return all outputs and days it is asked for, over (patient, day)."
        )


class ImplausiblePopulationError(TwoarmError, ValueError):
    """Too few of a population's candidates are plausible."""

    def __init__(self, *, population: str, wanted: int, found: int, rejected: dict[str, int]) -> None:
        worst = max(rejected, key=lambda name: rejected[name])
        super().__init__(
            f'only {found} of {wanted} patients of "{population}" are plausible; the rule "{worst}" rejected '
            f"{rejected[worst]} candidates. At least 1 candidate in 50 must be kept. Widen that rule, or "
            "correct the distributions."
        )


class ModelTextError(TwoarmError, ValueError):
    """A model file that is not Antimony or SBML, or does not define what it uses."""

    def __init__(self, *, problem: str, model: str = "") -> None:
        whose = f'model "{model}"' if model else "the model"
        super().__init__(
            f"{whose} cannot be read: {problem}. A model is Antimony or SBML (Level 2 or 3) text. Correct it there."
        )
        self.problem = problem


class UnsafeModelError(TwoarmError, ValueError):
    """A model file that asks for more than equations: entities, files elsewhere, bottomless nesting."""

    def __init__(self, *, model: str, what: str) -> None:
        super().__init__(
            f'model "{model}" has {what}. A model file may hold equations and import parts that lie beside it, '
            "nothing else. Remove it."
        )
        self.what = what


class UnsupportedModelError(TwoarmError, ValueError):
    """A model that uses a construct this package does not solve."""

    def __init__(self, *, construct: str, where: str = "", model: str = "") -> None:
        place = (f' at "{where}"' if where else "") + (f' in model "{model}"' if model else "")
        super().__init__(
            f"{construct}{place} is not supported. Models are ordinary differential equations with rules and "
            "events. Rewrite the model without it."
        )
        self.construct, self.where = construct, where


class CircularModelError(TwoarmError, ValueError):
    """Symbols of a model that are defined by each other."""

    def __init__(self, *, names: Sequence[str]) -> None:
        super().__init__(
            f"{' -> '.join(names)}: each needs the next and none can be computed first. A rule may not depend on "
            "itself. Break the circle, or make one of them a rate rule."
        )


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


class ExtinctionFloorError(TwoarmError, ValueError):
    """A state that is to die out is none, or its floor is no floor."""

    def __init__(self, *, model: str, name: str, floor: object, states: Sequence[str]) -> None:
        if name not in states:
            close = get_close_matches(str(name), list(states), n=3)
            hint = f"Close: {', '.join(close)}. " if close else ""
            rule = f"Model {model!r} has no state of that name. {hint}Only states can die out."
        else:
            rule = "A floor is a positive number in the state's own unit, such as 1 for a number of cells."
        super().__init__(f"the floor of {name!r} is {floor!r}. {rule}")


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


class NoDerivativeError(TwoarmError, ValueError):
    """Derivatives were asked for where they jump by amounts that are not computed."""

    def __init__(self, *, model: str, events: Sequence[str] = (), states: Sequence[str] = ()) -> None:
        names = list(events or states)
        listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        problem = (
            f"the day or order of events depends on what is varied ({listed})"
            if events
            else f"a rate jumps where a state or a chosen parameter decides ({listed})"
        )
        super().__init__(
            f"derivatives of model {model!r} are not computed: {problem}. A derivative along a course needs rates "
            "without jumps whose day depends on what is varied. Choose other parameters, smooth the jump, or take the "
            "difference of two runs of `simulate`."
        )


class OtherJobError(TwoarmError, ValueError):
    """A result that was begun belongs to another job than the one that is to go on."""

    def __init__(self, *, folder: object, changed: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" was begun with another {", ".join(changed)}. A result is resumed only by the very job that began '
            "it, so that it is the uninterrupted one to the last bit. Name another place, or remove this one."
        )
        self.changed = tuple(changed)


class StoreNameError(TwoarmError, ValueError):
    """A stream is to be written to something else than a Zarr store."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" does not end in .zarr. A stream is written to a Zarr store, which grows chunk by chunk. Name it so, '
            "or leave `out` away and write the result in memory as you like."
        )


class ResultThereError(TwoarmError, ValueError):
    """A place for a result is taken."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" is there already. A result is never written over another. Name another place, remove this '
            "one, or pass resume=True (--resume) if it is this job's."
        )


class UnfinishedThereError(TwoarmError, ValueError):
    """An interrupted job has left a part of its result."""

    def __init__(self, *, path: object, folder: object) -> None:
        super().__init__(
            f'an interrupted job for "{path}" has left its finished part in "{folder}". Nothing is thrown away unasked. '
            "Pass resume=True (--resume) to go on with it, or remove that folder."
        )


class ReductionError(TwoarmError, ValueError):
    """What a reduction made of a chunk of patients cannot be put together."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"the reduction gave {reason}. It gives the same variables for any patients, each a row a patient, and a "
            "patient's row does not depend on who else is there. Correct the function passed as `reduce`."
        )


class DoseRowError(TwoarmError, ValueError):
    """A row of a dose table that no dose can be."""

    def __init__(self, *, row: int, patient: object, column: str, value: object, rule: str) -> None:
        given = value.item() if getattr(value, "ndim", None) == 0 else value  # type: ignore[attr-defined]
        super().__init__(
            f"{column} = {given!r} in row {row} of the dose table (patient {patient}). {rule}. Correct the row."
        )
        self.row, self.column, self.value, self.rule = row, column, given, rule


class TableCellError(TwoarmError, ValueError):
    """A cell of a table from a file breaks a rule."""

    def __init__(self, *, path: object, line: int, column: str, value: object, rule: str) -> None:
        text = str(value)
        shown = text if len(text) <= 60 else text[:57] + "..."
        super().__init__(
            f'{path}, line {line}, column "{column}": "{shown}". {rule}. Line 1 is the header. Correct that cell.'
        )


class PictureFileError(TwoarmError, ValueError):
    """A picture is asked for in a form that is not drawn."""

    def __init__(self, *, path: object, known: Sequence[str]) -> None:
        super().__init__(
            f'"{path}" is no picture that can be drawn: its name ends in {", ".join(known)}. Name it so.'
        )


class OutputFileError(TwoarmError, ValueError):
    """Curves are asked for in a form that is not written."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" ends in none of .csv, .nc and .zarr. Curves are written as a table, as NetCDF or as a Zarr store. '
            "Name the file so."
        )


class DoseColumnError(TwoarmError, ValueError):
    """A column of a dose table that is missing, or looks like a known one misspelled."""

    def __init__(self, *, column: str, known: Sequence[str], missing: bool = False) -> None:
        close = get_close_matches(column.lower(), list(known), n=1, cutoff=0.7)
        problem = "is missing" if missing else f"looks like {close[0] if close else 'another'!r} misspelled"
        super().__init__(
            f'column "{column}" of the dose table {problem}. Known columns: {", ".join(known)}. Rename or add it.'
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


class NoPageError(TwoarmError, FileNotFoundError):
    """A folder holds no page of a run."""

    def __init__(self, *, folder: object) -> None:
        super().__init__(
            f'no report.html under "{folder}". Only the pages of finished runs are shown. Make one: '
            "`twoarm run marslight-11`, or name the folder it was written to."
        )


class PortTakenError(TwoarmError, OSError):
    """A port of this machine is in use."""

    def __init__(self, *, port: int) -> None:
        super().__init__(
            f"port {port} of this machine is taken. One program listens on a port. Pass another, as --port 0."
        )


class NotARunError(TwoarmError, ValueError):
    """A folder is not one that a run has written."""

    def __init__(self, *, folder: object, missing: str) -> None:
        super().__init__(
            f'"{folder}" has no {missing}. The folder of a finished run has one. Run the study again with --out "{folder}".'
        )


class OtherStudyError(TwoarmError, ValueError):
    """A folder holds another study than the one to be run."""

    def __init__(self, *, folder: object, changed: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" holds a study with another {", ".join(changed)}. A folder keeps one study, so that its parts '
            "belong together. Name another folder, move this one away, or leave out --out: then it is moved aside "
            "for you."
        )
        self.changed = tuple(changed)


class FolderInUseError(TwoarmError, ValueError):
    """A folder that holds something else than a study, in which a run might write over it."""

    def __init__(self, *, folder: object, found: str) -> None:
        super().__init__(
            f'"{folder}" holds "{found}" and no study. A run writes into a new or empty folder, or goes on in its own, '
            "so that nothing of yours is lost. Name another folder."
        )


class NotWrittenError(TwoarmError, OSError):
    """The system does not let a result be written."""

    def __init__(self, *, path: object, reason: str) -> None:
        super().__init__(
            f'"{path}" cannot be written: {reason.lower()}. Results go where who runs twoarm may write. '
            "Name another place with --out, or make room there."
        )


class MoleculeTwiceError(TwoarmError, ValueError):
    """Two different molecules of a protocol have one name."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f'two different cards of the protocol are named "{name}". Draws and files go by that name, so each card '
            "has its own. Rename one of them."
        )


class NumberOfPatientsError(TwoarmError, ValueError):
    """A number of patients that no trial has."""

    def __init__(self, *, n: object, most: int) -> None:
        super().__init__(
            f"{n!r} patients were asked for. A simulated trial has from 2 to {most:,}. Pass, as an example, 100."
        )


class StudyArmError(TwoarmError, ValueError):
    """A study lays published facts beside an arm that its protocol does not have."""

    def __init__(self, *, study: str, arm: str, arms: Sequence[str]) -> None:
        super().__init__(
            f'study "{study}" lays facts beside the arm "{arm}". Its protocol has {", ".join(arms)}. Name one of them.'
        )


class UnnamedArmError(TwoarmError, ValueError):
    """A table of a report holds an arm that the report was not told of."""

    def __init__(self, *, arms: Sequence[str], named: Sequence[str]) -> None:
        super().__init__(
            f"arm {', '.join(repr(arm) for arm in arms)} stands in a table of the report and not among its arms "
            f"({', '.join(named)}). Every arm needs a name for the reader. Add it to `arms`, or leave out its rows."
        )


class PatientsFailedError(TwoarmError, RuntimeError):
    """Too many patients of a trial could not be integrated to their end."""

    def __init__(self, *, failed: int, n: int, reason: str, limit: float) -> None:
        super().__init__(
            f"{failed} of {n} patients did not finish; most often: {reason}. A trial in which more than "
            f"{100 * limit:g} % fail says nothing about the rest, and is not written. Look at one such patient with "
            '`simulate(..., backend="reference")`, or correct the model or the card.'
        )


class FileFormError(TwoarmError, ValueError):
    """A table or a picture is asked for in a form that is not written."""

    def __init__(self, *, path: object, suffixes: Iterable[str]) -> None:
        forms = " or ".join(suffixes)
        super().__init__(f'"{path}" does not end in {forms}. Only these are written here. Name the file so.')


class BlockSizeError(TwoarmError, ValueError):
    """A block that cannot hold the arms in their shares."""

    def __init__(self, *, size: int, shares: Mapping[str, int]) -> None:
        said = ", ".join(f"{arm} {share}" for arm, share in shares.items())
        super().__init__(
            f"block size {size} does not fit the shares {said}. A block holds each arm in its share, so its size is a "
            f"multiple of {sum(shares.values())}. Change the size or the shares."
        )


class MissingOutputError(TwoarmError, ValueError):
    """A model does not give what a trial has to see."""

    def __init__(self, *, model: str, missing: Sequence[str], purpose: str) -> None:
        super().__init__(
            f'model "{model}" has no output {", ".join(missing)}, needed {purpose}. A trial reads these names. Give the '
            "model such outputs, or use protocol and outcomes files that do not ask for them."
        )


class EvidenceColumnError(TwoarmError, ValueError):
    """A table of evidence lacks a column, has one too many, or has one twice."""

    def __init__(
        self,
        *,
        file: str,
        missing: Sequence[str],
        unknown: Sequence[str],
        twice: Sequence[str],
        known: Sequence[str],
    ) -> None:
        close = [
            f'"{name}" (close: {", ".join(get_close_matches(name, list(known)) or ["none"])})'
            for name in unknown
        ]
        facts = [("missing", list(missing)), ("unknown", close), ("twice", list(twice))]
        said = "; ".join(f"{word}: {', '.join(names[:9])}" for word, names in facts if names)
        super().__init__(
            f"columns of {file}: {said}. The known columns, each once, are {', '.join(known)}. "
            "Correct the header."
        )


class EvidenceRowError(TwoarmError, ValueError):
    """A cell of a table of evidence breaks a rule."""

    def __init__(self, *, file: str, row: int, column: str, text: str, rule: str) -> None:
        shown = text if len(text) <= 60 else text[:57] + "..."
        super().__init__(
            f'{file}, row {row}, column "{column}": "{shown}". The rule: {rule}. Correct that cell.'
        )


class PredictionTableError(TwoarmError, ValueError):
    """A table of predictions cannot be set beside the evidence."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"predictions cannot be compared: {reason}. Predictions have the index `id` of evidence rows with "
            "a value, each once, and the columns value, low, high. Correct the table."
        )


class NoSuchEvidenceError(TwoarmError, ValueError):
    """No fact of the evidence has the text asked for."""

    def __init__(self, *, column: str, text: str, known: Sequence[str]) -> None:
        close = get_close_matches(text, list(known))
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f'no fact has the {column} "{text}". {hint}The texts are matched whole. Choose one of the '
            f"{len(known)} of that column."
        )


class EventsNotReachedError(TwoarmError, ValueError):
    """A data cut that waits for more events than there are."""

    def __init__(self, *, endpoint: str, asked: int, found: int) -> None:
        super().__init__(
            f"cut at {asked} events of {endpoint}, and only {found} happened in the whole follow-up. A cut by events "
            "needs that many. Ask for fewer, follow patients longer, or cut by `cutoff`."
        )


class ArmsToCompareError(TwoarmError, ValueError):
    """A comparison of arms that cannot be made."""

    def __init__(self, *, arms: Sequence[str], wanted: str) -> None:
        super().__init__(
            f'arm "{wanted}" is not in the table, which has {", ".join(arms)}. A comparison takes two arms that have '
            "patients. Name one of them."
        )


class UnreachableAggregateError(TwoarmError, ValueError):
    """No weights, or only extreme ones, give a cohort the aggregates asked for."""

    def __init__(self, *, aggregate: str, effective: float) -> None:
        super().__init__(
            f"{aggregate} cannot be reached by weighing these patients ({effective:.0f} would be left in effect). "
            "Weights move a cohort a little, and keep 1 patient in 20 in effect. Draw more patients, correct the "
            "population, or ask for less."
        )
