"""Above every error this package raises on purpose."""

from __future__ import annotations


class TwoarmError(Exception):
    """Above every error this package raises on purpose."""
