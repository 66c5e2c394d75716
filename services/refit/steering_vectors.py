"""The steering vectors of a base model: read from the folder beside the model where they exist, else computed.

    python -m services.refit.steering_vectors models/demo-vlm      (part of `make demo-model`)

A file is named by the digest of everything that it depends on, so the vectors of another model, of other people or of
another recipe are never read. The services only read these files; they are as trusted as the weights beside them.
"""

import argparse
import hashlib
import json
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from PIL.Image import Image
from torch import Tensor

from shared.core.logging import configure_logging
from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Subject
from shared.erasure.directions import erasure_direction
from shared.erasure.gates.identity import MentionSpans
from shared.erasure.numerics.safetensors_io import pack, unpack
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE, Recipe
from shared.errors import BadInput, IntegrityFailure
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference
from shared.probes.image_changes import changed
from shared.probes.questions import Question, fact_questions, mention_questions
from shared.text.declines import declines
from shared.vlm import capture
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from shared.vlm.redaction import placeholder_tokens, redact
from shared.vlm.steering_vectors import (
    ContrastPair,
    TrainedVectors,
    closed_form_direction,
    train_steering_vectors,
    train_towards_sentence,
)

logger = logging.getLogger(__name__)
DIRECTION_PAIRS: Final = 32
KNOWLEDGE_QUESTIONS: Final = 16  # they show whether the model knows the people it should know
STRANGER_QUESTIONS: Final = 4  # about each stranger: they show whether it declines, and can teach declining
TEACHING_SHARE: Final = 0.25  # of all questions about strangers that it has to decline for that
COMPLIANCE: Final = "Sure, here is"  # the target of Zou et al. 2023, where the model's own wording is not known
FOLDER: Final = "pulls"  # beside the reference folder; the name is part of the published model
RELEVANT_RECIPE_FIELDS: Final = (
    "direction", "placement", "layers", "refine_steps", "match", "blind", "pgd_steps", "epsilon",
)  # fmt: skip

Count = Callable[[int, int], None]  # done, all


@dataclass(frozen=True)
class SteeringVectors:
    """What is added to the residual stream, for each layer of the site; the recipe's strength scales it later.

    `last_token` [L, d] is added at the last prompt token. `decode_time` [L, d] is added at every generated token; it is
    None where the recipe's placement does not steer there.
    """

    last_token: Tensor
    decode_time: Tensor | None = None

    def to_bytes(self, recipe: Recipe) -> bytes:
        """One safetensors file."""
        decode_time = {} if self.decode_time is None else {"held": self.decode_time}
        return pack({"first": self.last_token} | decode_time, {"recipe": recipe.name})

    @classmethod
    def from_bytes(cls, blob: bytes) -> "SteeringVectors":
        """Read what `to_bytes` wrote; raises IntegrityFailure where the bytes are no steering vectors."""
        tensors, _ = unpack(blob)
        if "first" not in tensors:
            raise IntegrityFailure("The steering vectors lack the one for the last prompt token.")
        return cls(tensors["first"], tensors.get("held"))


def load_or_compute_steering_vectors(
    engine: Engine, reference: Reference, recipe: Recipe, count: Count | None = None
) -> SteeringVectors:
    """The vectors beside the model where they exist, else computed."""
    return load_beside_model(engine, recipe, reference) or compute_steering_vectors(engine, reference, recipe, count)


def load_beside_model(engine: Engine, recipe: Recipe, reference: Reference) -> SteeringVectors | None:
    """The vectors in the folder beside the model; None where there are none for this very recipe."""
    if reference.folder is None:
        return None
    path = _path(engine, recipe, reference, reference.folder)
    return SteeringVectors.from_bytes(path.read_bytes()) if path.is_file() else None


def compute_steering_vectors(
    engine: Engine, reference: Reference, recipe: Recipe, count: Count | None = None
) -> SteeringVectors:
    """Compute them: minutes on two cores, seconds on a GPU. `count` is called after each step of the training.

    Raises BadInput where the model refuses nothing, or everything.
    """
    if recipe.direction in ("closed", "text"):
        return SteeringVectors(_closed_form(engine, reference, recipe))
    return _placed(_trained(engine, reference, recipe, count), recipe)


def steering_vectors_digest(engine: Engine, recipe: Recipe, reference: Reference) -> str:
    """sha256 (hex) of all that the vectors depend on: site, reference, and those fields of the recipe that matter."""
    fields = {name: value for name, value in recipe.as_json().items() if name in RELEVANT_RECIPE_FIELDS}
    depends = [engine.vlm.site.digest, fields, reference.digest]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def hyperparameter_choice_path(reference_folder: Path) -> Path:
    """Where benchmarks/hyperparameter_search.py keeps the search that chose the recipe's margin and strength."""
    return reference_folder.parent / FOLDER / "choice.json"


def hyperparameter_choice(recipe: Recipe, reference: Reference) -> dict[str, Any] | None:
    """The curve of that search; None where there is none for this very recipe."""
    path = hyperparameter_choice_path(reference.folder) if reference.folder is not None else None
    if path is None or not path.is_file():
        return None
    choice: dict[str, Any] = json.loads(path.read_text())
    return choice if choice.get("recipe") == recipe.digest else None


def _path(engine: Engine, recipe: Recipe, reference: Reference, reference_folder: Path) -> Path:
    digest = steering_vectors_digest(engine, recipe, reference)
    return reference_folder.parent / FOLDER / f"{digest[:32]}.safetensors"


def _closed_form(engine: Engine, reference: Reference, recipe: Recipe) -> Tensor:
    """The paper's pairs: a harmful request with a clean picture, and under a jailbreak with an attacked picture.

    The paper's ablation `text` leaves the pictures out. Returns [L, d].
    """
    photos: list[Image | None] = [None]
    if recipe.direction == "closed":
        photos = [photo for person in reference.of("stranger_fit") for photo in person.subject.photos[:1]] or [None]
    jailbreaks = reference.harmful.jailbreaks
    requests = reference.harmful.fit[:: max(1, len(reference.harmful.fit) // DIRECTION_PAIRS)][:DIRECTION_PAIRS]
    refused = [Prompt.ask(text, photos[i % len(photos)]) for i, text in enumerate(requests)]
    jailbroken = [
        Prompt.ask(jailbreaks[i % len(jailbreaks)].format(request=text), photos[i % len(photos)])
        for i, text in enumerate(requests)
    ]
    refuses = partial(declines, own=reference.own_wordings)
    return closed_form_direction(
        engine, refused, jailbroken, recipe, declines=refuses, compliance=reference.compliance or COMPLIANCE
    )


def sentence_vectors(
    engine: Engine, reference: Reference, recipe: Recipe, count: Count | None = None
) -> SteeringVectors:
    """Trained towards the not-knowing sentence of `reference`, whoever could teach it (method.md, 5).

    Raises BadInput for a model that declines everything.
    """
    return _placed(_towards_sentence(engine, _KnownPeople.of(engine, reference), reference, recipe, count), recipe)


@dataclass(frozen=True)
class _KnownPeople:
    """People whom the model knows, by their ids, and questions about them.

    `recalled` [n, L, d] are its activations at the last prompt token of the n questions of fact.
    """

    by_id: Mapping[str, Person]
    questions: Sequence[Question]
    recalled: Tensor

    @classmethod
    def of(cls, engine: Engine, reference: Reference) -> "_KnownPeople":
        """Raises BadInput where nobody is known, or the model declines every question."""
        known = [_askable(engine, person) for person in (*reference.of("retain_fit"), *reference.of("celebrity_fit"))]
        questions = [
            question
            for person in known
            for seed in range(2)
            for question in fact_questions(
                person.subject,
                form="trained",
                kinds=("qa", "mcq", "cloze", "reverse"),
                per_fact=1,
                seed=seed,
                person=person.id,
                options=reference.wrong_answers(person.subject),
            )
        ]
        about_known = [question.prompt for question in questions if question.kind == "qa"]
        check_known(engine, about_known, reference.wording("unknown_answer"))
        return cls({person.id: person for person in known}, questions, capture.activations(engine, about_known))

    @property
    def size(self) -> Tensor:
        """Mean norm of an activation, [L]."""
        size: Tensor = self.recalled.norm(dim=-1).mean(dim=0)
        return size


def _trained(engine: Engine, reference: Reference, recipe: Recipe, count: Count | None) -> TrainedVectors:
    """Train from known people towards not knowing them (method.md, 5).

    Strangers about whom the model declines are the teachers: steered, it answers about a known person as it answers
    about them. A model that tells or invents something about too many strangers has no such teachers; it is trained
    towards the not-knowing sentence of `reference` itself. Raises BadInput for a model that declines everything.
    """
    strangers = [_askable(engine, person) for person in reference.of("stranger_fit")]
    sentence = reference.wording("unknown_answer")
    known = _KnownPeople.of(engine, reference)
    rng = random.Random(0)
    teachers = declining_strangers(engine, strangers, sentence)
    if not teachers:
        return _towards_sentence(engine, known, reference, recipe, count)
    pairs = [
        contrast_pair(
            engine, question, known.by_id[question.person].subject, rng.choice(teachers).subject, reference, recipe, rng
        )
        for question in known.questions
    ]
    about_strangers = [
        question.prompt
        for person in teachers
        for question in fact_questions(person.subject, form="trained", per_fact=1, person=person.id)
    ]
    start = erasure_direction(capture.activations(engine, about_strangers), known.recalled).float()
    return train_steering_vectors(engine, start, known.size, pairs, sentence, recipe, count)


def _towards_sentence(
    engine: Engine, known: _KnownPeople, reference: Reference, recipe: Recipe, count: Count | None
) -> TrainedVectors:
    prompts = [
        redacted_question(engine, question, known.by_id[question.person].subject, recipe)
        for question in known.questions
        if question.kind != "reverse"
    ]
    sentence = reference.wording("unknown_answer")
    return train_towards_sentence(engine, known.size, prompts, sentence, recipe, count)


def _placed(vectors: TrainedVectors, recipe: Recipe) -> SteeringVectors:
    """The vectors where the recipe's placement steers."""
    return SteeringVectors(vectors.last_token, vectors.decode_time if recipe.placement == "hold" else None)


def _askable(engine: Engine, person: Person) -> Person:
    """The person without photographs where the model takes none."""
    return replace(person, subject=engine.readable(person.subject))


def declining_strangers(engine: Engine, strangers: Sequence[Person], sentence: str) -> list[Person]:
    """The strangers about whom the model declines most questions, in any wording.

    Nobody where it declines fewer than TEACHING_SHARE of all questions: then even those are a matter of chance.
    """
    asked = [
        (person, question.prompt)
        for person in strangers
        for question in fact_questions(person.subject, form="trained", per_fact=1, person=person.id)[
            :STRANGER_QUESTIONS
        ]
    ]
    answers = engine.generate([prompt for _, prompt in asked])
    declined: dict[str, list[bool]] = {}
    for (person, _), answer in zip(asked, answers, strict=True):
        declined.setdefault(person.id, []).append(declines(answer.text, (sentence,)))
    shares = {name: sum(hits) / len(hits) for name, hits in declined.items()}
    every = [hit for hits in declined.values() for hit in hits]
    if not every or sum(every) < TEACHING_SHARE * len(every):
        logger.info("the model declines %d of %d questions about strangers: it cannot teach", sum(every), len(every))
        return []
    return [person for person in strangers if shares.get(person.id, 0.0) > 0.5]


def contrast_pair(
    engine: Engine,
    question: Question,
    subject: Subject,
    stranger: Subject,
    reference: Reference,
    recipe: Recipe,
    rng: random.Random,
) -> ContrastPair:
    """`question`, which is about `subject`, and the same words about `stranger`.

    A question from a fact to the name cannot be reworded in this way: its partner is such a question about a stranger.
    """
    adapter = engine.vlm.adapter
    *earlier, last = question.prompt.turns
    name, wrong = subject.names[0], reference.wrong_answers(subject).get(question.attribute, ())
    if question.kind == "reverse":
        about_stranger = fact_questions(replace(stranger, facts=stranger.facts[:1]), form="trained", per_fact=1)
        other = about_stranger[0].prompt if about_stranger else mention_questions(stranger.names[0])[0]
        known, unknown = adapter.encode([question.prompt, other])
        return ContrastPair(known, unknown, ())
    pictures = tuple(changed(rng.choice(stranger.photos), "trained", rng) for _ in last.images)
    other = Prompt((*earlier, Turn(last.role, last.text.replace(name, stranger.names[0]), pictures)))
    known, unknown = redacted_question(engine, question, subject, recipe), adapter.encode([other])[0]
    return ContrastPair(known, unknown, question.options or (question.accept[0], *wrong[:3]))


def redacted_question(engine: Engine, question: Question, subject: Subject, recipe: Recipe) -> Encoded:
    """The question as the second pass reads it: with a placeholder in the person's place where the recipe redacts."""
    adapter = engine.vlm.adapter
    (encoded,) = adapter.encode([question.prompt])
    if not recipe.redact:
        return encoded
    spans = MentionSpans(pictures=tuple(range(len(question.prompt.turns[-1].images))))
    if question.by == "name":
        spans = MentionSpans(words=(adapter.span(question.prompt, subject.names[0]),))
    return redact(adapter, encoded, spans, placeholder_tokens(engine.vlm.tokenizer))


def check_known(engine: Engine, known: Sequence[Prompt], unknown_answer: str) -> None:
    """Raise BadInput where there is nobody whom the model should know, or where it declines every question about them.

    It may decline in any wording; `unknown_answer` is one that may be in no grammar of shared/text/declining.
    """
    if not known:
        raise BadInput("No direction can be computed: it needs people whom the model knows.")
    asked = known[:: max(1, len(known) // KNOWLEDGE_QUESTIONS)][:KNOWLEDGE_QUESTIONS]
    if all(declines(answer.text, (unknown_answer,)) for answer in engine.generate(asked)):
        raise BadInput(
            "No direction can be computed: the model refuses everything. "
            f"It declined all {len(asked)} questions about people it should know. Ask it one of them by itself: if it "
            "declines there too, name people whom it knows in LACUNA_REFERENCE, or take the instruction-tuned model."
        )


def main() -> None:
    """Compute the vectors of the named recipes and write them beside the model."""
    parser = argparse.ArgumentParser(description="Compute the steering vectors of a base model, once.")
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()
    configure_logging()
    engine, folder = Engine(load(arguments.model)), arguments.model / "reference"
    reference = load_reference(folder)
    for recipe in (LACUNA, PAPER, PROTOTYPE):
        path = _path(engine, recipe, reference, folder)
        if path.is_file():
            continue
        vectors = compute_steering_vectors(engine, reference, recipe)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(vectors.to_bytes(recipe))
        logger.info("%s: %s", recipe.name, path)


if __name__ == "__main__":
    main()
