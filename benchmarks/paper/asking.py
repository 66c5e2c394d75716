"""Asks one system one task, end to end: every question goes through engine and eraser, nothing is taken over."""

from collections.abc import Sequence

from shared.erasure.eraser import Eraser
from shared.evaluation.paper_tasks import NEW_TOKENS, ROTATIONS, Replies, Task, by_letter, rotate_options
from shared.probes.questions import Question
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood


def ask(
    engine: Engine, eraser: Eraser | None, task: Task, questions: Sequence[Question], declining: Sequence[str]
) -> Replies:
    """Replies to `questions`. A choice is asked by letter, and weighed by likelihood: its options in four orders, and
    the sentences that decline beside them.
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
