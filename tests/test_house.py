"""The rules of the house that no other tool checks."""

import ast
import importlib.util
import io
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "twoarm"
LIBRARY = SOURCE / "library"
PYTHON = sorted(SOURCE.rglob("*.py"))
ROOMS = ("src", "tests", "docs", "examples", "benchmarks", "decisions", ".ci")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".csv",
    ".ant",
    ".bib",
    ".cff",
    ".yml",
    ".lock",
    ".html",
    ".css",
    ".js",
    ".txt",
    "",
}
LONGEST = 650  # lines; a file near this has two jobs

FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "base",
    "core",
    "manager",
    "handler",
    "tools",
}


def tracked() -> list[Path]:
    """Files of the project, found without git: a checkout may have none."""
    rooms = [path for room in ROOMS for path in (ROOT / room).rglob("*")]
    files = [path for path in [*ROOT.iterdir(), *rooms] if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in files if path.suffix in TEXT and not path.name.endswith(".tmp")]


def load_builder():
    spec = importlib.util.spec_from_file_location("build_reference", ROOT / "docs" / "build_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_architecture_lists_every_module_in_its_own_words():
    builder = load_builder()
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    written = text.split(builder.BEGIN)[1].split(builder.END)[0].strip()
    assert written == builder.table(), "run `python docs/build_reference.py --architecture`"


def test_every_module_begins_with_a_sentence():
    silent = [path for path, line in load_builder().modules() if len(line) < 10]
    assert not silent


@pytest.mark.parametrize("path", [*PYTHON, *(ROOT / "tests").rglob("*.py")], ids=lambda path: path.stem)
def test_no_drawer_for_things_without_a_home(path):
    assert path.stem.strip("_") not in FORBIDDEN_NAMES
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).parts)


def calls_and_arguments(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "call", node.func.id, node.lineno
        if isinstance(node, ast.FunctionDef | ast.Lambda) and node.args.kwarg:
            yield "wildcard", node.args.kwarg.arg, node.lineno


def test_the_library_prints_nothing_and_runs_no_text():
    found = [
        f"{path.name}:{line} {name}"
        for path in PYTHON
        for kind, name, line in calls_and_arguments(path)
        if kind == "call" and name in {"print", "exec", "eval", "breakpoint"}
    ]
    assert not found


def test_no_wildcard_keywords():
    found = [
        f"{path.name}:{line}"
        for path in PYTHON
        for kind, name, line in calls_and_arguments(path)
        if kind == "wildcard" and name in {"kwargs", "options", "kw", "kwds"}
    ]
    assert not found


def test_no_random_state_shared_by_all():
    pattern = re.compile(
        r"np\.random\.(seed|rand|randn|normal|uniform|choice|shuffle|RandomState)\b|\bimport random\b"
    )
    found = [path.name for path in PYTHON if pattern.search(path.read_text(encoding="utf-8"))]
    assert not found


def drug_names() -> set[str]:
    names = set()
    for path in (LIBRARY / "molecules").glob("*.toml"):
        card = tomllib.loads(path.read_text(encoding="utf-8"))
        names |= {
            str(name).lower() for name in [path.stem, card.get("name", path.stem), *card.get("aliases", [])]
        }
    return names


def without_examples(text: str) -> str:
    """A docstring less its `>>>` lines and what they print."""
    kept, example = [], False
    for line in text.splitlines():
        words = line.strip()
        example = words.startswith((">>>", "...")) or (example and bool(words))
        kept.append("" if example else line)
    return "\n".join(kept)


def words_of_python(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kinds = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT}
    if hasattr(tokenize, "FSTRING_MIDDLE"):
        kinds.add(tokenize.FSTRING_MIDDLE)
    said = " ".join(without_examples(token.string) for token in tokens if token.type in kinds)
    return words(said)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9][a-z0-9_-]*", text.lower()))


def test_no_drug_has_a_name_in_code_or_equations():
    names = drug_names()
    assert names, "the library has molecules"
    code = {
        path.name: words_of_python(path) for path in PYTHON if path.name != "cli.py"
    }  # its help teaches by example
    equations = {path.name: words(path.read_text(encoding="utf-8")) for path in LIBRARY.rglob("*.ant")}
    found = {name: said & names for name, said in (code | equations).items() if said & names}
    assert not found


def test_paths_are_relative():
    pattern = re.compile(r"(?<![\w.:/~-])/(?:home|root|work|Users|mnt|opt|usr/local)/\w")
    found = [
        str(path.relative_to(ROOT)) for path in tracked() if pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert not [name for name in found if name != "tests/test_house.py"]


def test_what_builds_the_package_names_no_host():
    """The lock holds hashes, and where packages come from is the machine's business."""
    files = [
        ROOT / "requirements.lock",
        ROOT / "pyproject.toml",
        ROOT / "Makefile",
        *(ROOT / ".ci").iterdir(),
    ]
    pattern = re.compile(r"://|index-url|find-links|trusted-host")
    assert not [path.name for path in files if pattern.search(path.read_text(encoding="utf-8"))]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert lock.count("==") > 50
    entries = [entry for entry in re.split(r"\n(?=\S)", lock) if "==" in entry]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_one_version_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    package = re.search(r'^__version__ = "(.+)"$', (SOURCE / "__init__.py").read_text(encoding="utf-8"), re.M)
    assert changelog[0] == version
    assert citation[1] == version
    assert package[1] == version


def test_files_have_one_job(record_property):
    lengths = {
        path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in PYTHON
    }
    record_property("longest", sorted(lengths.items(), key=lambda item: -item[1])[:5])
    assert not {name: length for name, length in lengths.items() if length > LONGEST}


def test_nothing_says_todo():
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [path.name for path in PYTHON if pattern.search(path.read_text(encoding="utf-8"))]
    assert not found
