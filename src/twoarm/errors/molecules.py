"""What can be wrong with a molecule card, the arms on it, and a regimen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twoarm.errors.root import TwoarmError


class CardEntryError(TwoarmError, ValueError):
    """An entry of a card breaks the rule of its field."""

    def __init__(self, *, path: object, place: str, reason: str) -> None:
        super().__init__(f"{path}: {place}: {reason}")


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


class MoleculeTwiceError(TwoarmError, ValueError):
    """Two different molecules of a protocol have one name."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f'two different cards of the protocol are named "{name}". Draws and files go by that name, so each card '
            "has its own. Rename one of them."
        )


class AssayMissingError(TwoarmError, ValueError):
    """An IL-2 arm gives readings, or too little, and does not say how its affinities were measured."""

    def __init__(self, *, readings: Sequence[str], missing: Sequence[str]) -> None:
        what = f'"{readings[0]}"' if readings else "affinities"
        lacks = "" if readings else f' and no "{missing[0]}"'
        super().__init__(
            f"il2_arm gives {what} but no `assay`{lacks}. A sensor reads the same molecule many times tighter than a cell "
            'meets it, so where a number comes from is not guessed. Add assay = "interferometry" with sensor_kd_il2ra '
            'and sensor_kd_il2rbg for readings of a sensor, or assay = "solution" with kd_il2ra and kd_il2rb for '
            "affinities in solution; either fills in the rest."
        )
