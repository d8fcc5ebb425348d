"""Antimony's parser in a process of its own; this file alone, without the rest of the package.

As a script it reads lines of JSON, ``{"text", "parts"}``, and answers each with ``{"xml"}`` or ``{"error"}``.
A text that makes the parser crash, hang or eat all memory then ends that process only.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["translate"]

_MEMORY = 8 << 30  # bytes of address space
_SECONDS = 120  # of computing, for whoever is not waited for anymore because the parent was killed


def translate(text: str, parts: Mapping[str, str]) -> dict[str, str]:
    """SBML of an Antimony text and the parts it imports by file name, or what Antimony says is wrong."""
    import antimony

    def clear() -> None:
        antimony.clearPreviousLoads()
        antimony.freeAll()
        antimony.clearDirectories()

    with tempfile.TemporaryDirectory() as folder:
        for part, body in parts.items():
            (Path(folder) / part).write_text(body, encoding="utf-8")
        clear()
        antimony.addDirectory(folder)
        if antimony.loadAntimonyString(text) < 0:
            said = str(antimony.getLastError()).replace(folder + "/", "")
            return {"error": " ".join(said.split()).rstrip(".")}
        xml = str(antimony.getSBMLString(antimony.getMainModuleName()))
        clear()
    return {"xml": xml}


def main() -> None:
    """Translate every line of standard input."""
    if sys.platform.startswith("linux"):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        memory = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the parser prints is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(translate(asked["text"], asked["parts"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
