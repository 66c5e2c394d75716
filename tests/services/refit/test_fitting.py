"""The fit asks and looks in the ticket's languages, on a tiny random LLaVA."""

from collections.abc import Sequence

import pytest
import torch

from services.refit.fitting import PROBES_PER_FACT, probes
from shared.domain.subjects import Fact, Subject
from shared.probes.attribute_types import LANGUAGES
from shared.probes.questions import answers_that_name, mention_questions
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap
from training.optimization import new_model
from training.tokenizer import build_processor

LAYERS, HIDDEN = 2, 64


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=LAYERS, hidden=HIDDEN).eval(), processor))


def texts(languages: tuple[str, ...]) -> Sequence[str]:
    facts = (Fact("diagnosis", "asthma"), Fact("note", "was treated for asthma at the Charité in 2019"))
    asked = probes(Subject(("Anna Kowalska",), (), facts, languages), "T-1")
    return [question.prompt.turns[-1].text for question in asked]


def test_probes_are_asked_in_the_languages_of_the_ticket() -> None:
    english, both = texts(("en",)), texts(("en", "de"))
    assert len(english) == 2 * PROBES_PER_FACT
    assert list(both[: len(english)]) == list(english)
    assert len(both) == 2 * len(english)
    assert any("krank" in text or "Krankheit" in text or "Diagnose" in text for text in both[len(english) :])


@pytest.mark.parametrize("name", ["Anna Kowalska", "Émile Żak", "O'Brien", "李小龍"])
def test_name_is_found_in_the_tokens_of_every_language(engine: Engine, name: str) -> None:
    """At least one token for each prompt, in questions about the name and in answers that say it."""
    prompts = [*mention_questions(name, languages=LANGUAGES), *answers_that_name(name, languages=LANGUAGES)]
    states = capture.mention_states(engine, prompts, [name] * len(prompts))
    assert len(states) == len(prompts) >= 6 * 20
    assert all(len(rows) > 0 and rows.shape[1:] == (LAYERS, HIDDEN) for rows in states)
