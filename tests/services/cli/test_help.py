"""The help of `lacuna`: every group, command and option explains itself, and asking for help starts quickly."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from services.cli.main import app

HEAVY_MODULES = ("torch", "transformers", "numpy", "pydantic", "httpx", "shared.devstack", "shared.evaluation.scorers")
LIST_MODULES = """
import sys
from services.cli.main import main
sys.argv = ["lacuna", "--help"]
try:
    main()
finally:
    print("modules:", *sorted(sys.modules))
"""


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command below `command`, with the words that call it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, f"{path} {name}")


COMMANDS = dict(walk(get_command(app), "lacuna"))


def options(command: Any) -> list[Any]:
    """The options and arguments of a command, without --help."""
    return [parameter for parameter in command.params if parameter.name != "help"]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_group_has_a_help_sentence(path: str) -> None:
    assert len((COMMANDS[path].help or "").split()) >= 3


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_has_a_help_sentence(path: str) -> None:
    assert [parameter.name for parameter in options(COMMANDS[path]) if not parameter.help] == []


def test_command_walk_finds_options_and_arguments() -> None:
    names = {parameter.name for parameter in options(COMMANDS["lacuna ticket approve"])}
    assert names == {"ticket", "name", "ground", "urgent", "data", "account", "as_json"}


def test_former_name_of_key_rotation_works_and_is_hidden() -> None:
    former, present = COMMANDS["lacuna keys"], COMMANDS["lacuna key-rotation"]
    assert former.hidden
    assert not present.hidden
    assert set(former.commands) == set(present.commands) == {"rewrap", "status"}


def test_help_imports_nothing_heavy() -> None:
    ran = subprocess.run([sys.executable, "-c", LIST_MODULES], capture_output=True, text=True, check=True)
    words, _, modules = ran.stdout.partition("modules:")
    assert "forget a person" in words
    loaded = modules.split()
    assert "services.cli.commands.verify" in loaded
    assert [name for name in HEAVY_MODULES if name in loaded] == []
