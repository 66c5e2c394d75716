"""What stands in ordinary questions, so that it is no name: "who", "person", "the person in the picture".

A ticket with such a name would silence questions about everybody. Read from the wordings and nouns of a language
(shared/probes) and from its prompts of everyday use (shared/evaluation/data); words that are capital inside a sentence
may be names and do not count, except for nouns. "Kim" is a name in English and a pronoun in Polish.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from shared.text.canonical import Word, renderings

SHARED: Final = Path(__file__).parents[1]
NOUNS: Final = SHARED / "probes" / "nouns"
WORDINGS: Final = SHARED / "probes" / "languages"
PROMPTS: Final = SHARED / "evaluation" / "data" / "ordinary_prompts.jsonl"
MOST_WORDS: Final = 4


def is_ordinary(name: str, languages: Iterable[str]) -> bool:
    """Whether the words of `name`, in this order, stand in an ordinary question without being anybody's name.

    `languages` are those in which people ask, as codes; one without wordings has none.
    """
    spelled = [tuple(word.text for word in words) for words in renderings(name)]
    return any(words in _runs_of_words(language) for language in languages for words in spelled)


@cache
def _runs_of_words(language: str) -> frozenset[tuple[str, ...]]:
    """All runs of one to MOST_WORDS ordinary words of a language."""
    runs: set[tuple[str, ...]] = set()
    for text in _sentences(language):
        for words in renderings(text):
            runs.update(_runs(words))
    for text in _read(NOUNS, language):
        runs.update((word.text,) for words in renderings(text) for word in words)
    return frozenset(runs)


def _sentences(language: str) -> Iterator[str]:
    yield from _read(WORDINGS, language)
    for line in PROMPTS.read_text().splitlines():
        prompt = json.loads(line)
        if prompt["language"] == language:
            yield prompt["text"]


def _read(folder: Path, language: str) -> Iterator[str]:
    file = folder / f"{language}.toml"
    return _strings(tomllib.loads(file.read_text())) if file.is_file() else iter(())


def _runs(words: Iterable[Word]) -> Iterator[tuple[str, ...]]:
    """The runs of words between those that may be names."""
    for may_be_name, group in groupby(words, key=lambda word: word.capital and not word.opens):
        if may_be_name:
            continue
        spelled = [word.text for word in group]
        for start in range(len(spelled)):
            for end in range(start + 1, min(len(spelled), start + MOST_WORDS) + 1):
                yield tuple(spelled[start:end])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
