"""The documents name what exists: links, paths, commands, modules and settings are held against the repository.

Reads files that git tracks, the Makefile, the command line and the settings; starts nothing.
"""

import importlib.util
import re
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel
from pydantic_settings import BaseSettings
from typer.main import get_command

from services.cli.main import app
from shared.core.config import Settings
from tests.docs import markdown
from tests.docs.markdown import Document

ROOT: Final = Path(__file__).resolve().parents[2]
MOST_README_WORDS: Final = 500
MOST_COLUMNS: Final = 100

# Built by a command that the documents name, so not tracked.
BUILT: Final = ("models/bench-vlm", "models/bench-vlm/*", "models/smol-lm", "models/smol-vlm-built")
# Files of other projects that the documents tell a reader to look at.
ELSEWHERE: Final = ("modeling_*.py", "processing_*.py")
# Written by a program, which does not break lines.
GENERATED: Final = ("docs/results/*",)
# Variables that are read by the command line and by a test, not by a service.
NO_SETTINGS: Final = frozenset(
    {"LACUNA_KEY", "LACUNA_URL", "LACUNA_INFERENCE_URL", "LACUNA_FUZZ_EXAMPLES", "LACUNA_FIGURES", "LACUNA_SCREENSHOTS"}
)
# What keys are derived for, stored with what they sealed; they begin like the command.
NO_COMMANDS: Final = frozenset({"lacuna tag", "lacuna secret v1"})

PATH: Final = re.compile(r"[\w.*<>{},/-]+")
MAKE: Final = re.compile(r"(?:^|[\s;&|(])make ([a-z][a-z-]*)")
LACUNA: Final = re.compile(r"(?:^|[;&|(]\s*|\$ |bin/)lacuna((?: [^\s;&|>]+)+)")
MODULE: Final = re.compile(r"\bpython3? -m ([A-Za-z_][\w.]*)")
SETTING: Final = re.compile(r"\bLACUNA_[A-Z0-9_]+")


@cache
def tracked() -> frozenset[str]:
    """The files of the repository, relative to its root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return frozenset(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def existing() -> frozenset[str]:
    """The tracked files and the folders that hold one."""
    folders = {str(parent) for name in tracked() for parent in PurePosixPath(name).parents}
    return tracked() | folders


@cache
def document(name: str) -> Document:
    """One Markdown file, taken apart."""
    return markdown.parse(Path(name), (ROOT / name).read_text(encoding="utf-8"))


DOCUMENTS: Final = sorted(name for name in tracked() if name.endswith(".md"))
every_document = pytest.mark.parametrize("name", DOCUMENTS)


# --- what a document may be held against -----------------------------------------------------------------------------


def dead_links(page: Document) -> list[str]:
    """Links of `page` that lead to no tracked file or to no heading of it."""
    dead = []
    for target in page.links():
        if markdown.is_external(target):
            continue
        address, _, anchor = target.partition("#")
        name = str(_normal(Path(address[1:]) if address.startswith("/") else page.path.parent / address))
        anchors = page.anchors if not address else _anchors_of(name)
        if (address and name not in existing()) or (anchor and anchors is not None and anchor not in anchors):
            dead.append(target)
    return dead


def _anchors_of(name: str) -> frozenset[str] | None:
    """The anchors of a tracked document, None for what is none."""
    return document(name).anchors if name.endswith(".md") and name in existing() else None


def missing_paths(page: Document) -> list[str]:
    """Paths in backticks that look like ones of this repository and are not there."""
    top_level = {name.partition("/")[0] for name in tracked() if "/" in name}
    missing = []
    for text in page.code_spans():
        if not PATH.fullmatch(text):
            continue
        if not (("/" in text and text.partition("/")[0] in top_level) or text.endswith(".py")):
            continue
        missing += [path for path in _written_out(text) if not _exists(path, page.path.parent)]
    return missing


def missing_targets(page: Document) -> list[str]:
    """Targets of `make` in code that the Makefile does not have."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [target for text in page.code_texts() for target in MAKE.findall(_uncommented(text))]
    return [target for target in named if target not in targets]


def missing_commands(page: Document) -> list[str]:
    """Commands `lacuna a b` in code that the command line does not have."""
    return [
        f"lacuna{words}"
        for text in page.code_texts()
        for words in LACUNA.findall(_uncommented(text))
        if f"lacuna{words}" not in NO_COMMANDS and not _is_command(words.split())
    ]


def missing_modules(page: Document) -> list[str]:
    """Modules of `python -m` in code that cannot be found."""
    named = [module for text in page.code_texts() for module in MODULE.findall(text)]
    return [module for module in named if not _is_module(module)]


def unknown_settings(text: str) -> list[str]:
    """Names `LACUNA_...` that no setting has; `LACUNA_S3_*` stands for all that begin so."""
    known = setting_names() | NO_SETTINGS
    return [
        name
        for name in SETTING.findall(text)
        if name not in known and not (name.endswith("_") and any(other.startswith(name) for other in known))
    ]


@cache
def setting_names() -> frozenset[str]:
    """The environment variables of all settings, also of those in nested groups."""
    return frozenset(_variables(Settings, str(Settings.model_config.get("env_prefix", ""))))


def _variables(group: type[BaseModel], prefix: str) -> Iterator[str]:
    delimiter = str(Settings.model_config.get("env_nested_delimiter") or "_")
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            own = inner.model_config.get("env_prefix") if issubclass(inner, BaseSettings) else None
            yield from _variables(inner, f"{prefix}{name}{delimiter}" if own is None else str(own))
        elif isinstance(field.validation_alias, str):
            yield field.validation_alias.upper()
        else:
            yield f"{prefix}{name}".upper()


@cache
def _command_line() -> Any:
    return get_command(app)


def _is_command(words: list[str]) -> bool:
    """Whether the words, up to the first option or placeholder, are a command or a group of commands."""
    current = _command_line()
    for word in words:
        commands = getattr(current, "commands", None)
        if commands is None or not re.fullmatch(r"[a-z][a-z-]*", word):
            return True
        if word not in commands:
            return False
        current = commands[word]
    return True


def _is_module(module: str) -> bool:
    path = module.replace(".", "/")
    if any(name in tracked() for name in (f"{path}.py", f"{path}/__main__.py")):
        return True
    top = module.partition(".")[0]
    return top not in existing() and importlib.util.find_spec(top) is not None


def _exists(path: str, folder: Path) -> bool:
    """Whether a path is tracked: from the root, beside its document or, a module, by its last parts. `*` is allowed."""
    path = path.rstrip("/")
    if any(fnmatchcase(path, pattern) for pattern in (*BUILT, *ELSEWHERE)):
        return True
    places = {path, str(_normal(folder / path))} | ({f"*/{path}"} if path.endswith(".py") else set())
    if places & existing():
        return True
    return any("*" in place and any(fnmatchcase(name, place) for name in existing()) for place in places)


def _written_out(path: str) -> list[str]:
    """`a/{b,c}/<d>.py` as `a/b/*.py` and `a/c/*.py`."""
    parts = [part.split(",") for part in re.split(r"[{}]", re.sub(r"<\w[\w-]*>|NNNN", "*", path))]
    return ["".join(choice) for choice in product(*parts)]


def _uncommented(code: str) -> str:
    return re.sub(r"(?:^|\s)#\s.*$", "", code)


def _normal(path: Path) -> PurePosixPath:
    """The path without `.` and `..`, relative to the root."""
    return (
        PurePosixPath((ROOT / path).resolve().relative_to(ROOT)) if _inside(path) else PurePosixPath("outside") / path
    )


def _inside(path: Path) -> bool:
    return (ROOT / path).resolve().is_relative_to(ROOT)


def _too_long(page: Document) -> Iterable[str]:
    """Lines of `page` that could be broken and are not: rows of tables and headings cannot."""
    for line in page.prose:
        if not line.text.lstrip().startswith(("|", "#")) and markdown.visible_length(line.text) > MOST_COLUMNS:
            yield f"line {line.number}: {markdown.visible_length(line.text)} columns"


# --- the documents ----------------------------------------------------------------------------------------------------


@every_document
def test_every_relative_link_leads_to_a_file_and_heading(name: str) -> None:
    dead = dead_links(document(name))
    assert not dead, "\n".join(dead)


@every_document
def test_every_path_in_backticks_exists(name: str) -> None:
    missing = missing_paths(document(name))
    assert not missing, "\n".join(missing)


@every_document
def test_every_make_target_exists(name: str) -> None:
    missing = missing_targets(document(name))
    assert not missing, "\n".join(missing)


@every_document
def test_every_lacuna_command_exists(name: str) -> None:
    missing = missing_commands(document(name))
    assert not missing, "\n".join(missing)


@every_document
def test_every_python_module_exists(name: str) -> None:
    missing = missing_modules(document(name))
    assert not missing, "\n".join(missing)


@every_document
def test_every_variable_is_a_setting(name: str) -> None:
    unknown = unknown_settings((ROOT / name).read_text(encoding="utf-8"))
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize(
    "name", [name for name in DOCUMENTS if not any(fnmatchcase(name, pattern) for pattern in GENERATED)]
)
def test_prose_lines_are_short(name: str) -> None:
    long = list(_too_long(document(name)))
    assert not long, "\n".join(long)


def test_settings_page_names_every_setting() -> None:
    named = set(SETTING.findall((ROOT / "docs/settings.md").read_text(encoding="utf-8")))
    missing = sorted(setting_names() - named)
    assert not missing, "\n".join(missing)


def test_index_of_the_log_links_every_entry_once() -> None:
    """An entry without a link in the index, or with two, is named."""
    text = (ROOT / "docs/LOG.md").read_text(encoding="utf-8")
    entries = [markdown.slug(heading) for heading in re.findall(r"^## (\d{4}-.*)$", text, re.MULTILINE)]
    index = text.partition("\n## Index\n")[2].partition("\n## ")[0]
    links = [target.removeprefix("#") for target in markdown.parse(Path("docs/LOG.md"), index).links()]
    assert sorted(links) == sorted(entries)


def test_readme_is_short_before_the_first_link_to_a_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    words = markdown.words_before_first_page_link(text)
    assert words < len(text.split()), "the README links to no page"
    assert words <= MOST_README_WORDS


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.startswith("docs/runbooks/")])
def test_every_procedure_of_a_runbook_ends_with_a_check(name: str) -> None:
    """Under each heading with numbered steps stands what shows that they worked."""
    sections = re.split(r"^#+ ", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    unchecked = [
        section.partition("\n")[0] for section in sections if "\n1. " in section and "**Check.**" not in section
    ]
    assert not unchecked, "\n".join(unchecked)


def test_pre_commit_hooks_run_what_make_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    recipe = re.search(r"^lint:[^\n]*\n((?:\t[^\n]*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for repo in hooks for hook in repo["hooks"]] == recipe[1].replace("\t", "").splitlines()
    assert {repo["repo"] for repo in hooks} == {"local"}


# --- the checks themselves: a document that is wrong is noticed -------------------------------------------------------


def _page(text: str) -> Document:
    return markdown.parse(Path("docs/page.md"), text)


@pytest.mark.parametrize("target", ["nowhere.md", "../nowhere/", "#no-such-heading", "../README.md#no-such-heading"])
def test_dead_link_is_noticed(target: str) -> None:
    page = _page(f"# A heading\n\nSee [this]({target}), [that](#a-heading) and [the start](../README.md).\n")
    assert dead_links(page) == [target]


@pytest.mark.parametrize("path", ["shared/nowhere.py", "tests/docs/<no>/x.py", "nowhere.py", "tests/{docs,nowhere}"])
def test_missing_path_is_noticed(path: str) -> None:
    assert len(missing_paths(_page(f"See `{path}`, `tests/docs/`, `tests/*/markdown.py` and `a/b`.\n"))) == 1


@pytest.mark.parametrize(
    "code",
    ["`make nothing`", "```\nmake nothing  # make more\n```", "    make nothing", "`make test; make nothing`"],
)
def test_missing_target_is_noticed(code: str) -> None:
    assert missing_targets(_page(f"To make sure, run `make test`.\n\n{code}\n")) == ["nothing"]


@pytest.mark.parametrize("command", ["lacuna nothing", "lacuna ticket nothing T-1", ".venv/bin/lacuna nothing --json"])
def test_missing_command_is_noticed(command: str) -> None:
    page = _page(f"`lacuna ticket WORD`, `lacuna ticket approve T-1 --as adam`, the recipe `lacuna`.\n\n`{command}`\n")
    assert len(missing_commands(page)) == 1


def test_missing_module_is_noticed() -> None:
    page = _page("`python -m pytest`, `python -m migrations.run`, `python -m migrations.nothing`\n")
    assert missing_modules(page) == ["migrations.nothing"]


def test_unknown_variable_is_noticed() -> None:
    assert unknown_settings("LACUNA_DATA, LACUNA_S3_*, LACUNA_NOTHING, LACUNA_NO_*") == ["LACUNA_NOTHING", "LACUNA_NO_"]


def test_long_line_is_noticed_and_an_address_is_not_counted() -> None:
    page = _page(
        f"{'a ' * 51}\n\n| {'a ' * 60} |\n\n[short](https://example.org/{'a' * 100})\n\n```\n{'a' * 120}\n```\n"
    )
    assert list(_too_long(page)) == ["line 1: 102 columns"]


def test_words_are_counted_up_to_the_first_page() -> None:
    text = "# One\n\ntwo [three](https://example.org) ![four](picture.png) - five\n\n[six](docs/page.md) seven\n"
    assert markdown.words_before_first_page_link(text) == 5
