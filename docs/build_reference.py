"""Write what is derived from the code: docs/reference.md, and the table of modules in ARCHITECTURE.md.

`make docs` writes the reference; `python docs/build_reference.py --architecture` writes the table. Nothing is
imported from the package but its public names; the table of modules is read from the files as text.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "twoarm"
BEGIN, END = "<!-- modules: begin -->", "<!-- modules: end -->"


def modules() -> list[tuple[str, str]]:
    """Every module of the package with the first line of its docstring, in order of path."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found.append((path.relative_to(SOURCE).as_posix(), docstring.split("\n")[0]))
    return found


def table() -> str:
    """Write the table of ARCHITECTURE.md as the code says it should be."""
    rows = [f"| `{path}` | {line} |" for path, line in modules()]
    return "\n".join(["| module | what it is for |", "|---|---|", *rows])


def write_architecture() -> None:
    """Put the table between its marks."""
    path = ROOT / "ARCHITECTURE.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


def write_reference() -> None:
    """List each public name with its signature and docstring, by the steps of the work."""
    import twoarm

    lines = [
        "# Reference",
        "",
        "Public names, in the order of the work; made from the docstrings. Each example runs as a test.",
        "",
    ]
    for step, names in twoarm.STEPS.items():
        lines += [f"## {step}", ""]
        for name in names:
            lines += [f"### `{name}`", "", *_entry(name, getattr(twoarm, name)), ""]
    (ROOT / "docs" / "reference.md").write_text("\n".join(lines), encoding="utf-8")


def _entry(name: str, thing: object) -> list[str]:
    try:
        signature = f"{name}{inspect.signature(thing)}"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = name
    signature = re.sub(r"<[^<>]* at 0x[0-9a-f]+>", "...", signature)
    return ["```python", signature, "```", "", "```text", inspect.getdoc(thing) or "", "```"]


if __name__ == "__main__":
    if "--architecture" in sys.argv:
        write_architecture()
    else:
        write_reference()
