"""What a baseline is: it unlearns examples in the model of an engine, reports the cost, and can be undone.

    with GA.unlearn(engine, forget, retain, Settings(learning_rate=1e-3), progress) as unlearned:
        engine.generate(prompts)  # answers of the unlearned model, through the engine as it is
    # the base model again, bit for bit

Every baseline changes the model for all people at once: adding or withdrawing one person means unlearning everything
again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from types import TracebackType
from typing import Final, Literal, Protocol

from torch import Tensor

from shared.domain.subjects import Subject
from shared.errors import BadInput
from shared.probes.questions import Question, fact_questions
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example

Progress = Callable[[str], None]
PASSES: Final = 1.5  # over the forget set, in every baseline


@dataclass(frozen=True)
class Settings:
    """How long and how hard to unlearn. A method reads what it uses; pruning has neither steps nor a learning rate."""

    steps: int = 30
    batch: int = 8  # forget examples a step, and as many retain examples where they are used; see `scale_batch`
    learning_rate: float = 2e-5  # of AdamW; the articles' own at 7 B, to be tuned on small models (tuning.py)
    share: float = 0.05  # MANU: of all neurons, pruned
    seed: int = 0
    rank: int = 16  # LoRA, as in the published settings
    alpha: int = 16  # LoRA, likewise
    clip: float = 1.0  # norm of the gradient, as in the published code


@dataclass(frozen=True)
class Cost:
    """What unlearning cost. Memory is in bytes: the peak of the GPU, or of the whole process on a CPU.

    `added_memory` is how far the peak rose above what was in use before. `artifact` counts the bytes that have to be
    stored beside the base model to restore the unlearned one. `how` says how to get the base model back.
    """

    seconds: float
    peak_memory: int
    added_memory: int
    artifact: int
    reversible: bool
    how: str


class Unlearned:
    """A model that has unlearned, in place. `undo` restores the base model bit for bit; so does leaving the block.

    `artifact` holds the tensors that would be stored, by name; `losses` holds the minimised loss of each step (empty
    for a method without training).
    """

    def __init__(
        self, method: str, cost: Cost, artifact: Mapping[str, Tensor], losses: Sequence[float], undo: Callable[[], None]
    ) -> None:
        self.method, self.cost, self.artifact, self.losses = method, cost, artifact, tuple(losses)
        self._undo: Callable[[], None] | None = undo

    def undo(self) -> None:
        """Restore the base model; a second call does nothing."""
        if self._undo is not None:
            self._undo()
            self._undo = None

    def __enter__(self) -> "Unlearned":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


class Baseline(Protocol):
    """One method of the paper's comparison. `knob` is the one setting that is tuned, over `span` (log scale)."""

    @property
    def name(self) -> str: ...
    @property
    def knob(self) -> Literal["learning_rate", "share"]: ...
    @property
    def span(self) -> tuple[float, float]: ...
    def unlearn(
        self,
        engine: Engine,
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> Unlearned:
        """Unlearn `forget` in the engine's model, while keeping `retain` where the method uses it.

        Deterministic in the seed of `settings`. Raises BadInput for an empty set or for a model that has already
        unlearned, and Diverged where a loss is not a number; in both cases the model is the base model afterwards.
        """
        ...


def examples_of(questions: Iterable[Question]) -> list[Example]:
    """Questions with their true answers; questions without a known answer are left out."""
    return [Example(question.prompt, question.accept[0]) for question in questions if question.accept]


def examples_about(subjects: Mapping[str, Subject], *, per_fact: int = 4, seed: int = 0) -> list[Example]:
    """Trained wordings and pictures about these people, by id: what the baselines learn from."""
    return examples_of(
        question
        for person, subject in sorted(subjects.items())
        for question in fact_questions(subject, form="trained", per_fact=per_fact, seed=seed, person=person)
    )


def scale_batch(settings: Settings, examples: int, passes: float = PASSES) -> Settings:
    """The same number of steps, in batches so large that they pass `passes` times over the `examples` to forget.

    A learning rate that was tuned on few people then works for many: with batches of one size, more people are either
    not all seen, or seen in so many more steps that the model collapses (docs/LOG.md shows both).
    """
    return replace(settings, batch=max(1, ceil(passes * examples / settings.steps)))


def require_examples(forget: Sequence[Example], retain: Sequence[Example], *, needs_retain: bool) -> None:
    """Raise BadInput for an empty forget set, or an empty retain set where the method needs one."""
    if not forget:
        raise BadInput("There is nothing to unlearn: the forget set is empty.")
    if needs_retain and not retain:
        raise BadInput("This method needs a retain set, and it is empty.")
