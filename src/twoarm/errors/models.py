"""What can be wrong with a model: its text, what it asks for, its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


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
