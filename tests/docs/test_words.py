"""Banned metaphors stay out of the project: the field's own words stand in names and prose (`docs/glossary.md`)."""

import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]

BANNED: Final = {
    # word -> what to write
    "clerk": "control loop",
    "clerks": "control loops",
    "office": "AppContext",
    "offices": "AppContext",
    "door": "endpoint, API, dependency",
    "doors": "endpoints, HTTP services",
    "desk": "tickets, case work",
    "desks": "tickets, case work",
    "glass": "break-glass access",
    "shop": "refit context",
    "workshop": "refit context",
    "house": "stack, project, installation",
    "houses": "stacks",
    "weave": "inject",
    "weaving": "fault injection",
    "woven": "injected",
    "mend": "repair, expire",
    "mended": "repaired, expired",
    "mends": "repairs",
}
WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


class Allowed(NamedTuple):
    """A use of a banned word that stays: `pattern` matches it with its neighbours, in files whose path matches."""

    pattern: str
    reason: str
    path: str = ""


ALLOWED: Final = (
    Allowed(r"(?i)break[-_ ]?glass|broke(n)?[-_ ]glass", "the field's term for access in an emergency"),
    Allowed(r"[\"'`/,]clerk(?=[\"'`=,])", "a stored actor, heartbeat, alarm and key of LACUNA_DEADMAN_URLS"),
    Allowed(r"clerk=https", "a key of LACUNA_DEADMAN_URLS", r"shared/core/config\.py|docs/"),
    Allowed(r"0005_desk", "the file name of a migration that is carried out in real databases"),
    Allowed(r"Juniper House|Ember Glass", "employers of fictitious people, on whom the demo model is trained"),
    Allowed(r"\{s\}'s house", "a question about an address, on which the demo model is trained"),
    Allowed(r"(?i)\bhouses?\b", "harmful requests on which the demo model is trained", r"training/prompts\.py"),
)
SKIPPED: Final = re.compile(
    r"migrations/versions/"  # carried out in real databases: their text stays as it was
    r"|tests/docs/test_words\.py"  # this file
    r"|docs/LOG\.md|docs/experiments/"  # the diary is not rewritten
)


def banned_words(path: str, text: str) -> list[str]:
    """The banned words of a file, each with its place and a better word."""
    lower = text.lower()
    if not any(word in lower for word in BANNED):  # most files: this keeps the test under a second
        return []
    for allowed in ALLOWED:
        if re.match(allowed.path, path):
            text = re.sub(allowed.pattern, "", text)
    return [
        f"{path}:{number}: {word} (write: {BANNED[word.lower()]})"
        for number, line in enumerate(text.splitlines(), 1)
        for word in WORD.findall(line)
        if word.lower() in BANNED
    ]


def test_tracked_files_use_no_banned_metaphor() -> None:
    listing = ["git", "ls-files", "*.py", "*.md"]
    paths = subprocess.check_output(listing, cwd=PROJECT_ROOT, text=True).split("\n")
    problems = [
        problem
        for path in paths
        if path and not SKIPPED.match(path) and (PROJECT_ROOT / path).is_file()
        for problem in banned_words(path, (PROJECT_ROOT / path).read_text())
    ]
    assert problems == []


def test_banned_word_is_found_in_identifiers_and_prose() -> None:
    for text in ("class OpenHouse:", "HOUSE = 1", "the_clerk()", "# at the door", "Clerks"):
        assert len(banned_words("shared/x.py", text)) == 1, text


def test_allowed_use_is_not_reported() -> None:
    assert banned_words("shared/x.py", 'BreakGlass, break_glass, break-glass; eyeglasses; ACTOR = "clerk"') == []
    assert banned_words("shared/x.py", "Ember Glass") == []
    assert len(banned_words("shared/x.py", "rob a house")) == 1
    assert banned_words("training/prompts.py", "rob a house") == []
