"""Populations that were fitted and frozen: read with their posterior, refused when evidence has changed."""

from __future__ import annotations

from twoarm.frozen.fields import Member, Texts, member_of, read_field, set_field, written_out
from twoarm.frozen.read import Frozen, frozen_files, frozen_names, members_of, read_frozen

frozen_members = members_of  # the public name, where "members" alone could be anybody's

__all__ = [
    "Frozen",
    "Member",
    "Texts",
    "frozen_files",
    "frozen_members",
    "frozen_names",
    "member_of",
    "members_of",
    "read_field",
    "read_frozen",
    "set_field",
    "written_out",
]
