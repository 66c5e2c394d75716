"""How a model declines, for models that say nothing, think aloud, or speak a language of which no grammar is known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.refit.profile.declining import observe_declining
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.evaluation.model_profile import Declining
from shared.evaluation.reference import default_reference
from shared.vlm.adapters.templates import template_of
from shared.vlm.engine import Engine
from tests.support.tiny_models import tiny_engine

SENTENCE = "I do not know this person."
KOREAN = "저는 그 사람을 모릅니다."  # in none of the grammars of shared/text/declining


def observed(answer: Callable[[Prompt], str], *, sentence: str = SENTENCE, template_ends: str = "") -> Declining:
    """What is observed of a model that answers like that."""
    whole = default_reference()
    few = tuple(whole.of("stranger_fit")[:4])
    engine: Any = tiny_engine()
    if template_ends:
        processor = engine.vlm.processor
        processor.chat_template = template_of(processor) + "{{ '" + template_ends + "' }}"
    plain = Engine.generate

    def generate(prompts: Sequence[Prompt], **_: Any) -> list[Any]:
        first = plain(engine, list(prompts[:1]), max_new_tokens=1)[0]
        return [replace(first, text=answer(prompt)) for prompt in prompts]

    engine.generate = generate
    return observe_declining(engine, replace(whole, people=few), sentence)


@pytest.mark.parametrize("silence", ["", "  \n"])
def test_model_that_says_nothing_is_refused(silence: str) -> None:
    with pytest.raises(BadInput, match=r"answers nothing: every answer is empty.*eos_token_id"):
        observed(lambda _: silence)


def test_model_that_answers_some_questions_only_is_observed() -> None:
    declining = observed(lambda prompt: SENTENCE if prompt.turns[-1].text.startswith("W") else "")
    assert sum(shares.empty * shares.n for shares in declining.kinds.values()) > 0


def test_model_that_only_thinks_is_refused() -> None:
    """With the tag that opens a thought in the answer, or written by the chat template."""
    with pytest.raises(BadInput, match=r"thinks aloud, and within .*an empty thought"):
        observed(lambda _: "<think>Okay, the user asks about")
    with pytest.raises(BadInput, match="thinks aloud"):
        observed(lambda _: "Okay, the user asks about", template_ends="<think>")


@pytest.mark.parametrize(("answer", "template_ends"), [("<think>Hm.</think> {}", ""), ("Hm.</think> {}", "<think>")])
def test_what_follows_a_thought_counts(answer: str, template_ends: str) -> None:
    declining = observed(lambda _: answer.format(SENTENCE), template_ends=template_ends)
    assert all(shares.declines == 1 for shares in declining.kinds.values())
    assert declining.wordings == (SENTENCE,)


def test_sentence_of_the_operator_declines_in_any_language() -> None:
    """Another sentence of that language does not: nobody knows what it says."""
    assert all(shares.declines == 1 for shares in observed(lambda _: KOREAN, sentence=KOREAN).kinds.values())
    assert all(shares.declines == 0 for shares in observed(lambda _: KOREAN).kinds.values())
