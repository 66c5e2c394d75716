"""The pulls of a base model, made once: read from the folder beside the model where they are, else computed.

    python -m services.refit.steering_vectors models/demo-vlm      (part of `make demo-model`)

A file is named by the digest of all that it depends on, so one of another model, other people or another recipe is
never read. Services only read it; it is as trusted as the weights it lies beside.
"""

import argparse
import hashlib
import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL.Image import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Subject
from shared.erasure.directions import erasure_direction
from shared.erasure.gates.identity import MentionSpans
from shared.erasure.numerics.safetensors_io import pack, unpack
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE, Recipe
from shared.errors import BadInput, IntegrityFailure
from shared.evaluation.reference import Reference, load_reference
from shared.probes.image_changes import changed
from shared.probes.questions import Question, fact_questions
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from shared.vlm.redaction import placeholder_tokens, redact
from shared.vlm.steering_vectors import ContrastPair, closed_form_direction, train_steering_vectors

logger = logging.getLogger(__name__)
DIRECTION_PAIRS: Final = 32
KNOWING: Final = 16  # questions of each kind that show whether the model knows whom it knows
FOLDER: Final = "pulls"
MATTERS: Final = ("direction", "placement", "layers", "refine_steps", "match", "blind", "pgd_steps", "epsilon")

Pulls = tuple[Tensor, Tensor | None]
Count = Callable[[int, int], None]  # done, all


def pulls(
    engine: Engine, reference: Reference, recipe: Recipe, reference_folder: Path, count: Count | None = None
) -> Pulls:
    """The pull [L, d] at the last prompt token, and the one at generated tokens where the recipe has its own."""
    return beside_model(engine, recipe, reference_folder) or compute_pulls(engine, reference, recipe, count)


def beside_model(engine: Engine, recipe: Recipe, reference_folder: Path) -> Pulls | None:
    """Those that lie in the folder beside the model, if they do."""
    path = _path(engine, recipe, reference_folder)
    return from_bytes(path.read_bytes()) if path.is_file() else None


def to_bytes(found: Pulls, recipe: Recipe) -> bytes:
    """One safetensors file."""
    first, held = found
    return pack({"first": first} | ({} if held is None else {"held": held}), {"recipe": recipe.name})


def from_bytes(blob: bytes) -> Pulls:
    """Back from bytes; raises IntegrityFailure where they are not pulls."""
    tensors, _ = unpack(blob)
    if "first" not in tensors:
        raise IntegrityFailure("The pulls lack the one at the last prompt token.")
    return tensors["first"], tensors.get("held")


def choice_path(reference_folder: Path) -> Path:
    """Where the search that chose the recipe's margin and strength is kept (benchmarks/hyperparameter_search.py)."""
    return reference_folder.parent / FOLDER / "choice.json"


def choice(recipe: Recipe, reference_folder: Path) -> dict[str, Any] | None:
    """The curve of that search, where there is one for this very recipe."""
    path = choice_path(reference_folder)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found if found.get("recipe") == recipe.digest else None


def compute_pulls(engine: Engine, reference: Reference, recipe: Recipe, count: Count | None = None) -> Pulls:
    """The same, computed: minutes on two cores, seconds on a GPU. `count` hears of each step of training."""
    if recipe.direction in ("closed", "text"):
        return _closed(engine, reference, recipe), None
    first, held = _refined(engine, reference, recipe, count)
    return first, held if recipe.placement == "hold" else None


def folder_digest(folder: Path) -> str:
    """sha256 (hex) over every file of `folder`, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def pulls_digest(engine: Engine, recipe: Recipe, reference_folder: Path) -> str:
    """sha256 (hex) of all that the pulls depend on: site, reference, and what of the recipe matters to them."""
    choices = {name: value for name, value in recipe.as_json().items() if name in MATTERS}
    depends = [engine.vlm.site.digest, choices, folder_digest(reference_folder)]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def _path(engine: Engine, recipe: Recipe, reference_folder: Path) -> Path:
    return reference_folder.parent / FOLDER / f"{pulls_digest(engine, recipe, reference_folder)[:32]}.safetensors"


def _closed(engine: Engine, reference: Reference, recipe: Recipe) -> Tensor:
    """The paper's pairs: a harmful request with a clean picture, and under a jailbreak with an attacked one.

    Its ablation `text` leaves the pictures out.
    """
    photos: list[Image | None] = [None]
    if recipe.direction == "closed":
        photos = [person.subject.photos[0] for person in reference.of("stranger_fit")]
    wrappings = reference.harmful.jailbreaks
    requests = reference.harmful.fit[:: max(1, len(reference.harmful.fit) // DIRECTION_PAIRS)][:DIRECTION_PAIRS]
    refused = [Prompt.ask(text, photos[i % len(photos)]) for i, text in enumerate(requests)]
    jailbroken = [
        Prompt.ask(wrappings[i % len(wrappings)].format(request=text), photos[i % len(photos)])
        for i, text in enumerate(requests)
    ]
    return closed_form_direction(
        engine, refused, jailbroken, recipe, refusal=reference.refusal, compliance=reference.compliance
    )


def _refined(engine: Engine, reference: Reference, recipe: Recipe, count: Count | None) -> tuple[Tensor, Tensor]:
    """From known people towards strangers, of whom the model says that it does not know them."""
    known = [*reference.of("retain_fit"), *reference.of("celebrity_fit")]
    asked = {person.id: person for person in known}
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
    strangers = reference.of("stranger_fit")
    plain = [question.prompt for question in questions if question.kind == "qa"]
    unknown = [
        question.prompt
        for person in strangers
        for question in fact_questions(person.subject, form="trained", per_fact=1, person=person.id)
    ]
    check_knowing(engine, plain, unknown, reference.unknown_answer)
    rng = random.Random(0)
    swaps = [
        swap(engine, question, asked[question.person].subject, rng.choice(strangers).subject, reference, recipe, rng)
        for question in questions
    ]
    told = capture.activations(engine, plain)
    start = erasure_direction(capture.activations(engine, unknown), told).float()
    size = told.norm(dim=-1).mean(dim=0)
    return train_steering_vectors(engine, start, size, swaps, reference.unknown_answer, recipe, count)


def swap(
    engine: Engine,
    question: Question,
    subject: Subject,
    stranger: Subject,
    reference: Reference,
    recipe: Recipe,
    rng: random.Random,
) -> ContrastPair:
    """`question`, about `subject`, and the same words about `stranger`.

    From a fact to the name there is nothing to swap: that is taught to be answered as a question about a stranger is.
    """
    adapter = engine.vlm.adapter
    *earlier, last = question.prompt.turns
    name, wrong = subject.names[0], reference.wrong_answers(subject).get(question.attribute, ())
    if question.kind == "reverse":
        (other,) = fact_questions(replace(stranger, facts=stranger.facts[:1]), form="trained", per_fact=1)
        known, unknown = adapter.encode([question.prompt, other.prompt])
        return ContrastPair(known, unknown, ())
    pictures = tuple(changed(rng.choice(stranger.photos), "trained", rng) for _ in last.images)
    other_prompt = Prompt((*earlier, Turn(last.role, last.text.replace(name, stranger.names[0]), pictures)))
    known, unknown = adapter.encode([question.prompt, other_prompt])
    if recipe.redact:
        where = MentionSpans(pictures=tuple(range(len(last.images))))
        if question.by == "name":
            where = MentionSpans(words=(adapter.span(question.prompt, name),))
        known = redact(adapter, known, where, placeholder_tokens(engine.vlm.tokenizer))
    return ContrastPair(known, unknown, question.options or (question.accept[0], *wrong[:3]))


def check_knowing(engine: Engine, known: Sequence[Prompt], unknown: Sequence[Prompt], wanted: str) -> None:
    """Raise BadInput for a model that never says `wanted` of strangers, or says it of everybody it should know."""
    if not known or not unknown:
        raise BadInput("No direction can be made: it needs people whom the model knows, and strangers.")
    sample = {name: prompts[:: max(1, len(prompts) // KNOWING)][:KNOWING] for name, prompts in
              (("known", known), ("unknown", unknown))}  # fmt: skip
    said = {name: [a.text.strip() == wanted for a in engine.generate(some)] for name, some in sample.items()}
    if not any(said["unknown"]):
        raise BadInput(
            f"No direction can be made: the model refuses nothing. Of {len(said['unknown'])} questions about "
            f'strangers it answered none with "{wanted}".'
        )
    if all(said["known"]):
        raise BadInput(
            f"No direction can be made: the model refuses everything. It answered all {len(said['known'])} questions "
            f'about people it should know with "{wanted}".'
        )


def main() -> None:
    """Compute and write the pulls of the named recipes beside the model."""
    parser = argparse.ArgumentParser(description="Make the pulls of a base model, once.")
    parser.add_argument("model", type=Path)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine, folder = Engine(load(chosen.model)), chosen.model / "reference"
    for recipe in (LACUNA, PAPER, PROTOTYPE):
        path = _path(engine, recipe, folder)
        if path.is_file():
            continue
        made = compute_pulls(engine, load_reference(folder), recipe)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(to_bytes(made, recipe))
        logger.info("%s: %s", recipe.name, path)


if __name__ == "__main__":
    main()
