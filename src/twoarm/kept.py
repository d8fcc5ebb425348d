"""What was worked out before, kept on disk by content: where, and how to read and write it safely."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

__all__ = ["cache_directory", "read_kept", "write_kept"]

_VARIABLE = "TWOARM_CACHE_DIR"


def cache_directory() -> Path:
    """Directory of what is kept: ``$TWOARM_CACHE_DIR``, or the platform's cache directory.

    Examples
    --------
    >>> cache_directory().is_absolute() or "TWOARM_CACHE_DIR" in os.environ
    True
    """
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return Path(chosen)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "twoarm" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "twoarm"


def read_kept(path: Path) -> bytes | None:
    """Read what `write_kept` wrote; None where there is nothing, or its sum is wrong (cut short, damaged)."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    head, _, content = whole.partition(b"\n")
    return content if head == hashlib.sha256(content).hexdigest().encode() else None


def write_kept(path: Path, content: bytes) -> None:
    """Write so that no other process ever sees half a file; a cache that cannot be written is no error.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "a" / "b"
    >>> write_kept(path, b"kept")
    >>> read_kept(path)
    b'kept'
    """
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(name, path)
    except OSError:
        if name and os.path.exists(name):
            os.unlink(name)
