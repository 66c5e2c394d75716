"""What each steering vector does by itself, when every request fires: refined, closed-form, and controls.

    python -m benchmarks.directions [--model models/demo-vlm] [--questions 160] [--json FILE]

The questions are about forgettable people in held-out wordings. Measured for each vector: revealed facts, answers that
are exactly the not-knowing sentence or the refusal (which of the two a vector leads to is the question) or decline in
any wording, answers that never end, and how often the true one of four options is the likeliest (chance: 25 %). The
controls have the same norm in each layer: a random vector, shuffled pairs (no difference but noise), refused requests
alone, and not-knowing (strangers minus known people) before any training. Each vector is measured on redacted prompts,
as the recipe `lacuna` has it, and on unchanged ones. Split-half cosines say how far a direction is more than noise.
"""

import argparse
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.forgetting import MAX_TOKENS, ForgettingBenchmark
from benchmarks.question_sets import draw_people, questions_about_forgotten
from services.refit.steering_vectors import SteeringVectors, load_or_compute_steering_vectors
from shared.domain.prompts import Prompt
from shared.erasure.directions import erasure_direction, split_half_cosine
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.readout import Readout
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE
from shared.evaluation.comparison import sample
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question, fact_questions
from shared.text.declines import declines
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import load


@dataclass(frozen=True)
class Always(Eraser):
    """An eraser that fires for every request, with the nearest ticket."""

    def decide(self, readout: Readout) -> Decision:
        """Decide that every request fires."""
        assert self.identity is not None
        score, nearest = self.identity.scores(readout.at(self.gated)).max(dim=1)
        names: list[str | None] = [self.tickets[place] for place in nearest.tolist()]
        return Decision(torch.ones(readout.count, dtype=torch.bool), names, score)


def main() -> None:
    """Read the command line, measure every vector, print and write the report."""
    parser = argparse.ArgumentParser(description="Steering vectors and their controls, with every request fired.")
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--questions", type=int, default=160)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    engine = Engine(load(args.model))
    reference = load_reference(args.model / "reference")
    draws = draw_people(reference, 5, 6)
    people = [person for draw in draws.evaluation for person in draw]
    question_sets = questions_about_forgotten(people, reference)
    benchmark = ForgettingBenchmark(engine, reference, draws)
    gate = benchmark.eraser(LACUNA, people)
    asked = sample(question_sets["test"], args.questions)
    choices = sample(question_sets["mcq"], args.questions)
    compared = candidates(engine, reference)
    report: dict[str, Any] = {
        "n": len(asked),
        "n_choices": len(choices),
        "split_half_cosine": compared.cosines,
        "pulls": {},
    }
    for name, vectors in tqdm(compared.vectors.items(), desc="vectors"):
        placement: Literal["last", "hold"] = "last" if vectors.decode_time is None else "hold"
        for redact in (True, False):
            recipe = replace(LACUNA, placement=placement, check_answers=False, redact=redact)
            always = Always(
                recipe,
                gate.site,
                vectors.last_token,
                gate.gated,
                gate.tickets,
                threshold=0.0,
                decode_directions=vectors.decode_time,
                identity=gate.identity,
            )
            key = f"{name}, {'nobody there' if redact else 'sighted'}"  # the keys of docs/results/directions.json
            report["pulls"][key] = measure(engine, reference, asked, choices, always)
    for name, shares in report["pulls"].items():
        print(f"{name:50s} " + "  ".join(f"{key} {value:.1%}" for key, value in shares.items()))
    means = {name: round(sum(cosines) / len(cosines), 3) for name, cosines in compared.cosines.items()}
    print("split-half cosine, mean over layers:", means)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1) + "\n")


@dataclass(frozen=True)
class Candidates:
    """Steering vectors by name, and the split-half cosines by layer of the contrasts behind them."""

    vectors: dict[str, SteeringVectors]
    cosines: dict[str, list[float]]


def candidates(engine: Engine, reference: Reference) -> Candidates:
    """Form all steering vectors that are compared."""

    def about(split: str) -> Tensor:
        prompts = [
            question.prompt
            for person in reference.of(split)
            for question in fact_questions(person.subject, form="trained", per_fact=1, person=person.id)
        ]
        return capture.activations(engine, prompts)

    known, unknown = about("retain_fit"), about("stranger_fit")
    photo = reference.of("stranger_fit")[0].subject.photos[0]
    requests = list(reference.harmful.fit)
    refused = capture.activations(engine, [Prompt.ask(text, photo) for text in requests])
    wrapped = [reference.harmful.jailbreaks[i % len(reference.harmful.jailbreaks)] for i in range(len(requests))]
    answered = capture.activations(
        engine, [Prompt.ask(frame.format(request=text), photo) for frame, text in zip(wrapped, requests, strict=True)]
    )
    refined = load_or_compute_steering_vectors(engine, reference, LACUNA)
    first = refined.last_token
    alone = load_or_compute_steering_vectors(engine, reference, PROTOTYPE).last_token
    closed = load_or_compute_steering_vectors(engine, reference, PAPER).last_token
    noise = torch.randn(first.shape, generator=torch.Generator().manual_seed(0))
    mixed = torch.cat([known, unknown])[
        torch.randperm(len(known) + len(unknown), generator=torch.Generator().manual_seed(1))
    ]
    shuffled = erasure_direction(mixed[: len(unknown)], mixed[len(unknown) :]).float()

    def as_long_as(vector: Tensor, other: Tensor) -> SteeringVectors:
        norm, wanted = vector.norm(dim=-1, keepdim=True), other.norm(dim=-1, keepdim=True)
        return SteeringVectors(vector * (wanted / norm.clamp(min=1e-12)))

    vectors = {
        "none": SteeringVectors(torch.zeros_like(first)),
        "refined, prompt and answer": refined,
        "refined, its prompt half alone": SteeringVectors(first),
        "refined for the prompt alone": SteeringVectors(alone),
        "not-knowing, untrained": SteeringVectors(erasure_direction(unknown, known).float()),
        "closed form (paper)": SteeringVectors(closed),
        "closed form, as long as refined": as_long_as(closed, first),
        "refused - mean of known people": SteeringVectors(erasure_direction(refused, known).float()),
        "random, as long as refined": as_long_as(noise, first),
        "shuffled pairs": SteeringVectors(shuffled),
        "shuffled, as long as refined": as_long_as(shuffled, first),
    }
    count = min(len(refused), len(answered))
    cosines = {
        "not-knowing": split_half_cosine(unknown, known).tolist(),
        "refused - answered": split_half_cosine(refused[:count], answered[:count]).tolist(),
        "shuffled pairs": split_half_cosine(mixed[: len(unknown)], mixed[len(unknown) :]).tolist(),
    }
    return Candidates(vectors, cosines)


def measure(
    engine: Engine,
    reference: Reference,
    asked: list[Question],
    choices: list[Question],
    eraser: Eraser,
) -> dict[str, float]:
    """Measure what the model answers when every request fires."""
    answers = engine.generate([question.prompt for question in asked], eraser=eraser)
    likely = option_likelihood(engine, [q.prompt for q in choices], [q.options for q in choices], eraser=eraser)
    best = [
        question.options[max(range(4), key=scores.__getitem__)]
        for question, scores in zip(choices, likely, strict=True)
    ]
    picked = [option in question.accept for option, question in zip(best, choices, strict=True)]
    return {
        "told": _share([reveals(a.text, q.accept) for a, q in zip(answers, asked, strict=True)]),
        "not_knowing": _share([a.text == reference.unknown_answer for a in answers]),
        "refusal": _share([a.text == reference.refusal for a in answers]),
        "declined": _share([declines(a.text, reference.own_wordings) for a in answers]),
        "endless": _share([len(a.tokens) >= MAX_TOKENS for a in answers]),
        "true_option_likeliest": _share(picked),
    }


def _share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


if __name__ == "__main__":
    main()
