"""Reads Markdown as far as the tests of the documents need it: prose, code, links, headings.

Knows GitHub's rules for fences, indented code, tables and heading anchors; knows nothing of what the documents say.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FENCE: Final = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
CODE_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION: Final = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HTML_LINK: Final = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
HTML_ANCHOR: Final = re.compile(r"<a\b[^>]*?\b(?:id|name)=\"([^\"]+)\"")
HEADING: Final = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")


@dataclass(frozen=True)
class Line:
    """One line of a document, with its number counted from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Document:
    """A Markdown file taken apart. `path` is relative to the root of the repository."""

    path: Path
    prose: tuple[Line, ...]  # neither in a fence nor indented as code; tables and headings included
    code: tuple[Line, ...]  # lines of fences and of indented code, except diagrams
    anchors: frozenset[str] = field(default_factory=frozenset)

    @property
    def prose_text(self) -> str:
        """The prose with its line breaks."""
        return "\n".join(line.text for line in self.prose)

    def code_spans(self) -> list[str]:
        """What stands in backticks, each on one line."""
        return [" ".join(match[2].split()) for match in CODE_SPAN.finditer(self.prose_text)]

    def code_texts(self) -> list[str]:
        """Code spans and lines of code: where a command may stand."""
        return [*self.code_spans(), *(line.text for line in self.code)]

    def links(self) -> list[str]:
        """Targets of links and pictures, those in code left out."""
        text = CODE_SPAN.sub("``", self.prose_text)
        targets = [match[3] for match in LINK.finditer(text)]
        for match in LINK.finditer(text):
            targets += [inner[3] for inner in LINK.finditer(match[2])]  # a picture that is itself a link
        return targets + DEFINITION.findall(text) + HTML_LINK.findall(text)


def parse(path: Path, text: str) -> Document:
    """Take `text` apart; `path` is only recorded."""
    prose: list[Line] = []
    code: list[Line] = []
    fence, language, indented, after_blank, in_list = "", "", False, True, False
    for number, line in enumerate(text.splitlines(), start=1):
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2]:
                fence = ""
            elif language != "mermaid":
                code.append(Line(number, line))
            continue
        if mark:
            fence, language = mark[1], mark[2]
            continue
        blank = not line.strip()
        deep = line.startswith(("    ", "\t"))
        if not blank and not deep:
            in_list = bool(re.match(r"\s{0,3}(?:[-*+]|\d+[.)])\s", line)) or (in_list and line.startswith(" "))
        indented = deep and not in_list and (indented or after_blank)
        (code if indented else prose).append(Line(number, line))
        after_blank = blank
    return Document(path, tuple(prose), tuple(code), _anchors(prose))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = LINK.sub(lambda match: match[2], heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def words_before_first_page_link(text: str) -> int:
    """Words, code and diagrams included, before the first link that leads to another page of the repository.

    Pictures and links to the outside do not count as such a link. Signs without a letter or digit are no words.
    """
    end = len(text)
    for match in LINK.finditer(text):
        if not match[1] and not is_external(match[3]) and not match[3].startswith("#"):
            end = match.start()
            break
    return sum(1 for word in text[:end].split() if any(sign.isalnum() for sign in word))


def visible_length(line: str) -> int:
    """The length of a line without the addresses of its links, which cannot be broken."""
    return len(re.sub(r"\]\([^)]*\)", "]", line))


def is_external(target: str) -> bool:
    """Whether a link leads out of the repository."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*:", target)) or target.startswith("//")


def _anchors(prose: list[Line]) -> frozenset[str]:
    anchors: set[str] = set()
    seen: dict[str, int] = {}
    for line in prose:
        anchors.update(HTML_ANCHOR.findall(line.text))
        if heading := HEADING.match(line.text):
            name = slug(heading[2])
            times = seen.get(name, 0)
            seen[name] = times + 1
            anchors.add(f"{name}-{times}" if times else name)
    return frozenset(anchors)
