"""What an experiment on animals adds: a humane endpoint, growth inhibition, a second tumor in the cured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from twoarm.experiment.groups import Sourced


class Endpoint(Sourced):
    """When an animal is taken out, which ends its course as death would.

    Attributes
    ----------
    readout : str
        A readout that takes "when_above": the day on which the limit is reached, its `end` where it never is.
    """

    readout: str


class Inhibition(Sourced):
    """Tumor growth inhibition: 100 % (1 - T/C), T and C being mean volumes of a group and of the untreated.

    Attributes
    ----------
    readout : str
        A readout that takes the volume on the stated day.
    against : str
        The untreated group.
    """

    readout: str
    against: str


class Rechallenge(Sourced):
    """A second inoculation of animals that the first treatment has cured, and of naive ones.

    Attributes
    ----------
    day : float [day]
        When; the last day of the experiment's courses.
    watch : float [day]
        For how long after.
    cured_output, cured_below : str and float
        An animal is cured if this output is below this number on that day and it was never taken out.
    inoculum : dict of str to float
        States and what they are set to, as tumor cells.
    emptied : tuple of str
        States set to nothing: whatever else the place of the new tumor holds.
    memory_into : str
        The state that says how many tumor-specific cells the body can send, times a naive animal's.
    memory_from : tuple of str
        Outputs that count the tumor-specific cells which outlived the first tumor.
    memory_per : tuple of str
        Parameters whose product is what one unit of `memory_into` stands for.
    take_output, take_above : str and float
        The new tumor has taken if this output is at or above this number on the last day of watching.
    """

    day: Annotated[float, Field(gt=0)]
    watch: Annotated[float, Field(gt=0)]
    cured_output: str
    cured_below: float
    inoculum: dict[str, float]
    emptied: tuple[str, ...] = ()
    memory_into: str
    memory_from: tuple[str, ...]
    memory_per: tuple[str, ...]
    take_output: str
    take_above: float

    def labels(self) -> dict[str, str]:
        """Columns that it adds to the readouts of a course, and what a reader calls them."""
        return {
            "cured": f"Cured, day {self.day:g}",
            "memory": "Tumor-specific cells carried over, times a naive animal's",
            "take": "Second tumor takes: cured",
            "take_forgetful": "Second tumor takes: cured, memory taken away",
            "take_naive": "Second tumor takes: naive",
        }
