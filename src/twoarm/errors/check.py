"""What can be wrong with the prediction of a cohort, and with the rules that map evidence to one."""

from __future__ import annotations

from collections.abc import Sequence

from twoarm.errors.root import TwoarmError


class NoSuchEndpointError(TwoarmError, ValueError):
    """A cohort is asked for an endpoint that is not worked out."""

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f'no endpoint "{name}" is worked out for a cohort. There are {", ".join(known)}. Choose among them.'
        )


class CohortError(TwoarmError, ValueError):
    """A cohort cannot be predicted as it was asked for."""

    def __init__(self, *, what: str, value: object, rule: str) -> None:
        super().__init__(f"{what} of the cohort is {value!r}. {rule}")


class NothingToCheckError(TwoarmError, ValueError):
    """No row of the evidence can be set beside a prediction."""

    def __init__(self, *, rows: int, reasons: Sequence[str]) -> None:
        said = "; ".join(reasons[:5]) or "no row was chosen"
        super().__init__(
            f"of {rows} rows none can be predicted: {said}. At least one row must map to a population, "
            "a regimen and an endpoint. Choose other rows, or add a rule to the mapping."
        )


class EnsembleError(TwoarmError, ValueError):
    """Hardly any draw of a prior is a population that patients can be drawn from."""

    def __init__(self, *, population: str, prior: str, drawn: int, possible: int) -> None:
        super().__init__(
            f'of {drawn} draws of the prior "{prior}" of {population}, {possible} are populations that patients '
            "can be drawn from. Its ranges contradict the population's correlations or bounds. Narrow them."
        )
