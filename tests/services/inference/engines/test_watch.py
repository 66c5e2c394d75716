"""Answers that are read as they grow: the same as when they are read whole, and as costly as they are long."""

import time

import pytest
import torch

from services.inference.engines.watch import OVERLAP, TokenCounter, Watch, strings_in, text_of_calls, visible
from shared.erasure.eraser import Eraser, PromptEvidence
from shared.erasure.gates.text import fit_text, text_gate
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.recipe import LACUNA
from shared.erasure.site import Site
from shared.vlm.sampling import ToolCall
from training.tokenizer import build_processor

SITE = Site((0,), 4, "", "", "", "float32")
NAME, FACTS = "Mara Lindqvist", ["Marble & Finch", "Tallinn", "otter", "rowing"]
NOBODY = torch.zeros(1, 1, dtype=torch.bool)
FILLER = "the weather is fine and nothing else is to be said about it today, "


@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return TokenCounter(build_processor(900).tokenizer)


@pytest.fixture
def eraser() -> Eraser:
    gate = text_gate([fit_text([NAME], [[fact] for fact in FACTS])])
    return Eraser(LACUNA, SITE, Eraser.empty(LACUNA, SITE).directions, (0,), ("T-1",), text=gate)


def watch(eraser: Eraser, *, near: bool = False) -> Watch:
    texts = {0: TextEvidence(weakly=True)} if near else {}
    return Watch(eraser, PromptEvidence((texts,), NOBODY, torch.zeros(1).bool(), None))


@pytest.mark.parametrize(("length", "words"), [(0, 1), (10, 5), (60, 40), (200, 300)])
def test_growing_answer_is_recognised_as_the_whole_one_is(eraser: Eraser, length: int, words: int) -> None:
    for told in (NAME, FILLER.join(["in Tallinn ", "an otter ", "rowing "])):
        text = f"{FILLER * length}{told}. {FILLER * length}"
        parts = text.split(" ")
        growing = watch(eraser)
        seen = [growing.told(" ".join(parts[:end])) for end in range(1, len(parts) + words, words)]
        assert seen[-1] == watch(eraser).told_by_whole(text) == "T-1"


def test_answer_about_somebody_else_is_left_alone(eraser: Eraser) -> None:
    text = FILLER * 100 + "Mara Novak lives in Tallinn."
    assert watch(eraser).told(text) is None
    assert watch(eraser).told_by_whole(text) is None


def test_fact_counts_where_the_prompt_is_near(eraser: Eraser) -> None:
    assert watch(eraser).told("In Tallinn.") is None
    assert watch(eraser, near=True).told("In Tallinn.") == "T-1"


def test_facts_of_an_answer_make_suspects(eraser: Eraser) -> None:
    own = watch(eraser)
    own.told("In Tallinn.")
    assert list(own.suspects()) == ["T-1"]
    own.told("In Tallinn. " + FILLER * 100)
    assert list(own.suspects()) == ["T-1"]


def test_long_answer_costs_as_much_as_it_is_long(eraser: Eraser) -> None:
    """A word at a time, so that each check reads the last part alone."""
    text, own = FILLER * 260, watch(eraser)
    own.told(text)
    began = time.thread_time()
    for end in range(len(text) - 50, len(text), 10):
        own.told(text[:end])
    by_parts, began = time.thread_time() - began, time.thread_time()
    watch(eraser).told_by_whole(text)
    whole = (time.thread_time() - began) * 5
    assert len(text) > 20 * OVERLAP
    assert by_parts < whole / 3


@pytest.mark.parametrize("text", ["\\u004dara Lindqvist", "\\ud83d lone", "\\\\ \\n Mara\\nLindqvist", "\ud83d"])
def test_escapes_of_json_are_read_and_never_fail(eraser: Eraser, text: str) -> None:
    told = watch(eraser).told(text.encode(errors="replace").decode())
    assert (told == "T-1") == ("Lindqvist" in text)


def test_all_texts_of_a_call_are_read() -> None:
    call = ToolCall("1", "find", '{"people": [{"name": "Mara", "age": 42}], "deep": {"x": true}}')
    assert text_of_calls([call]).splitlines()[2:] == ["people", "name", "Mara", "age", "42", "deep", "x"]
    assert text_of_calls([ToolCall("1", "find", "not JSON")]) == "find\nnot JSON"
    assert strings_in([None, 1.5, "a"]) == ["1.5", "a"]


def test_answer_is_cut_by_tokens_and_stop_words(counter: TokenCounter) -> None:
    text = "Where does this person live and work?"
    count = len(counter.ids(text))
    assert visible(counter, text, count, ()) == (text, None)
    assert visible(counter, text, count + 5, ()) == (text, None)
    shorter, reason = visible(counter, text, count - 2, ())
    assert (len(counter.ids(shorter)), reason) == (count - 2, "length")
    assert visible(counter, text, count, (" live",)) == ("Where does this person", "stop")
    assert visible(counter, "", 3, ()) == ("", None)
    assert counter.first(text, 0) == ""
    assert text.startswith(counter.without_last(text, 4))
    assert counter.without_last("Who", 4) == ""
