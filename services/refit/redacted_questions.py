"""Questions about people whom the model knows, as the second pass reads them: with the person redacted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.subjects import Subject
from shared.erasure.gates.identity import MentionSpans
from shared.probes.questions import Question, fact_questions
from shared.probes.templates import Form
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.redaction import placeholder_tokens, redact

QUESTIONS: Final = 96  # at most


@dataclass(frozen=True)
class AskedAbout:
    """A question about a person, and that person's name as the question writes it."""

    question: Question
    name: str


def questions_about(engine: Engine, people: Sequence[Subject], form: Form = "test") -> list[AskedAbout]:
    """Two questions a fact about people who have names, at most QUESTIONS, evenly from all."""
    asked = [
        AskedAbout(question, subject.names[0])
        for subject in people
        for question in fact_questions(engine.readable(subject), form=form, per_fact=2)
    ]
    return asked[:: max(1, len(asked) // QUESTIONS)][:QUESTIONS]


def redacted_question(engine: Engine, asked: AskedAbout) -> Encoded:
    """The question as the second pass reads it once it has fired."""
    adapter, prompt = engine.vlm.adapter, asked.question.prompt
    spans = MentionSpans(pictures=tuple(range(len(prompt.images))))
    if asked.question.by == "name":
        spans = MentionSpans(words=(adapter.span(prompt, asked.name),))
    return redact(adapter, adapter.encode([prompt])[0], spans, placeholder_tokens(engine.vlm.tokenizer))
