"""Every exception of the package, on as few screens as possible.

A message says what is wrong with which value, whose it is and where; the rule; what to do. It is built
here from the facts, never at the ``raise``.
"""

from __future__ import annotations


class TwoarmError(Exception):
    """Above every error this package raises on purpose."""
