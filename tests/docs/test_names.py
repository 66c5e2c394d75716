"""A thing is called by its name: five words that say nothing about a value are no identifiers (CONTRIBUTING.md)."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
EMPTY_NAMES: Final = {"found", "made", "one", "said", "told"}
STORED: Final = {("shared/evaluation/model_profile.py", "told")}  # a member of stored profiles


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every variable, argument, function, class and import alias that is defined, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def empty_names(path: str, source: str) -> list[str]:
    """The empty names that a file defines, each with its place."""
    if not any(name in source for name in EMPTY_NAMES):
        return []
    return [
        f"{path}:{line}: {name}"
        for name, line in defined_names(ast.parse(source))
        if name in EMPTY_NAMES and (path, name) not in STORED
    ]


def test_no_identifier_is_an_empty_word() -> None:
    listing = ["git", "ls-files", "*.py"]
    tracked = subprocess.check_output(listing, cwd=PROJECT_ROOT, text=True).split("\n")
    paths = [path for path in tracked if path and (PROJECT_ROOT / path).is_file()]
    assert [problem for path in paths for problem in empty_names(path, (PROJECT_ROOT / path).read_text())] == []


def test_empty_name_is_reported_wherever_it_is_defined() -> None:
    for source in (
        "found = 1",
        "for one in (): pass",
        "def said(): pass",
        "def f(*, told): pass",
        "lambda made: 1",
        "self.told = 1",
        "[1 for one, other in ()]",
        "if (found := 1): pass",
        "import os as made",
    ):
        assert len(empty_names("x.py", source)) == 1, source
    assert empty_names("x.py", "session.execute(query).one()\nf(one=1)\n# one of what was found\nx = 'told'") == []
