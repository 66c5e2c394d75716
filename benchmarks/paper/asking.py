"""Asks one system the questions of one task: every question goes through the engine and the eraser."""

from collections.abc import Sequence

from shared.erasure.eraser import Eraser
from shared.evaluation.paper_tasks import NEW_TOKENS, ROTATIONS, Replies, Task, by_letter, rotate_options
from shared.probes.questions import Question
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood


def ask(
    engine: Engine, eraser: Eraser | None, task: Task, questions: Sequence[Question], declining: Sequence[str]
) -> Replies:
    """Return the replies to `questions`.

    A multiple choice is asked twice: by letter, and by the likelihoods of its options in four orders, with the
    `declining` sentences as further options.
    """
    prompts = [question.prompt for question in questions]
    if task != "classification":
        answers = engine.generate(prompts, eraser=eraser, max_new_tokens=NEW_TOKENS[task])
        return Replies([answer.text for answer in answers])
    letters = engine.generate(
        [by_letter(prompt) for prompt in prompts], eraser=eraser, max_new_tokens=NEW_TOKENS["classification"]
    )
    weighed = []
    for turn in range(ROTATIONS):
        moved = [rotate_options(question, turn) for question in questions]
        options = [(*question.options, *declining) for question in moved]
        weighed.append(option_likelihood(engine, [question.prompt for question in moved], options, eraser=eraser))
    return Replies([answer.text for answer in letters], weighed)
