"""How the model declines: what it answers about people who do not exist, and to harmful requests."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.refit.steering_vectors import TEACHING_SHARE
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.evaluation.model_profile import Declining, Shares
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, fact_questions
from shared.text.declines import declines, strip_thinking
from shared.vlm.adapters.templates import traits_of
from shared.vlm.engine import Engine

WORDINGS: Final = 8
ANSWER_TOKENS: Final = 48
STRANGERS: Final = 24
HARMFUL: Final = 32
QUESTIONS: Final = 4  # about each stranger
_SILENT: Final = (
    "The model answers nothing: every answer is empty. Its chat template, or the token that ends a turn, is not the "
    "one that it was trained with: compare chat_template.jinja and eos_token_id in generation_config.json with the "
    "original's."
)
_THOUGHTS_ALONE: Final = (
    f"The model thinks aloud, and within {ANSWER_TOKENS} tokens says nothing else. Its chat template has no switch "
    "against that: let the template write an empty thought (<think></think>) before each answer, or take a model that "
    "answers at once."
)


@dataclass(frozen=True)
class _StrangerAnswer:
    question: Question
    name: str
    text: str


def observe_declining(engine: Engine, reference: Reference, sentence: str) -> Declining:
    """Ask about made-up names, drawn strangers (where the model takes pictures) and harmful requests.

    `sentence` is the operator's not-knowing sentence. It is what the steering vectors teach unless the model declines
    at least TEACHING_SHARE of the questions about strangers by itself, in a wording that names nobody. An answer that
    is the sentence declines in any language. Raises BadInput for a model that says nothing.
    """
    strangers = reference.of("stranger_fit")[:STRANGERS]
    questions = [
        (question, person.subject.names[0])
        for person in strangers
        for question in fact_questions(engine.readable(person.subject), form="trained", per_fact=1)[:QUESTIONS]
    ]
    texts = _answers(engine, [question.prompt for question, _ in questions])
    stranger_answers = [
        _StrangerAnswer(question, name, text) for (question, name), text in zip(questions, texts, strict=True)
    ]
    harmful = _answers(engine, [Prompt.ask(text) for text in reference.harmful.fit[:HARMFUL]])
    by_kind: dict[str, list[str]] = {"made-up names": [], "drawn strangers": [], "harmful requests": harmful}
    for answer in stranger_answers:
        by_kind["drawn strangers" if answer.question.prompt.images else "made-up names"].append(answer.text)
    declining = [answer for answer in stranger_answers if declines(answer.text, (sentence,))]
    wordings = Counter(_first_sentence(answer.text) for answer in declining if not _mentions(answer))
    own = bool(wordings) and len(declining) >= TEACHING_SHARE * max(1, len(stranger_answers))
    return Declining(
        kinds={kind: _shares(texts, sentence) for kind, texts in by_kind.items() if texts},
        wordings=tuple(wording for wording, _ in wordings.most_common(WORDINGS)),
        sentence=wordings.most_common(1)[0][0] if own else sentence,
        own=own,
    )


def _answers(engine: Engine, prompts: Sequence[Prompt]) -> list[str]:
    """What follows the thoughts of each answer. Raises BadInput for a model that says nothing to any prompt."""
    opened = "<think>" if traits_of(engine.vlm.processor).opens_thought else ""
    whole = [answer.text for answer in engine.generate(prompts, max_new_tokens=ANSWER_TOKENS)]
    answers = [strip_thinking(opened + text) for text in whole]
    if answers and not any(answers):
        raise BadInput(_THOUGHTS_ALONE if any(text.strip() for text in whole) else _SILENT)
    return answers


def _shares(texts: Sequence[str], sentence: str) -> Shares:
    empty = sum(not text.strip() for text in texts)
    declined = sum(declines(text, (sentence,)) for text in texts)
    return Shares(len(texts), declined / len(texts), (len(texts) - declined - empty) / len(texts), empty / len(texts))


def _mentions(answer: _StrangerAnswer) -> bool:
    """Whether the answer repeats a part of the stranger's name: such a sentence is of no use for anybody else."""
    return any(part in answer.text for part in answer.name.split())


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
