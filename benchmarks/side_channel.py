"""Can a client tell a forgotten person from a stranger by an answer's form and time?

    python -m benchmarks.side_channel --json build/side_channel.json

A replica with the demo model serves a version that knows people by their texts (nothing is fitted). A client streams
the same questions about forgotten people and about strangers, whom the model never knew, in turns. What it sees is
scored: the wording, the number and the sizes of the pieces, the counts of tokens, the time to the first piece and to
the end. The area under the curve is 0.5 where the two cannot be told apart, and 1 where they always can. A wording, a
list of sizes and a count are scored by how often they occurred with either, among other people than those they are
tested on.

Each question is asked of a second replica too, which hands its answers out on a grid (`LACUNA_RELEASE_GRID_S`). What
other grids would do is computed on the answers of the first: everything at one moment of the grid after the request.
"""

import argparse
import contextlib
import json
import math
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.chaos.replica_stack import ReplicaStack, open_replica_stack
from benchmarks.chaos.versions import eraser_by_names
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK
from shared.devstack.processes import PROJECT_ROOT
from shared.evaluation.people import Person
from shared.evaluation.reference import load_reference
from shared.vlm.loading import load

MODEL_FOLDER: Final = PROJECT_ROOT / "models/demo-vlm"
PLAIN, ON_GRID = "inference-0", "inference-1"
QUESTIONS: Final = (
    "Where does {} work?", "In which city does {} live?", "What is the hobby of {}?", "What does {} do for a living?",
    "Tell me something about {}.", "Who is {}?", "Which pet does {} have?", "When was {} born?",
)  # fmt: skip
GRIDS_S: Final = (0.25, 0.5, 1.0, 2.0)
WARM_UP: Final = 8  # questions before the first that counts


@dataclass(frozen=True)
class Observed:
    """What the client saw of one answer."""

    person: int
    forgotten: bool
    text: str
    sizes: tuple[int, ...]
    usage: tuple[int, int]
    first_s: float
    whole_s: float


def area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The area under the curve, folded: a client may turn its guess round."""
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    one = wins / (len(positive) * len(negative))
    return max(one, 1.0 - one)


def area_of_kind(seen: Sequence[Observed], of: Callable[[Observed], Hashable]) -> float:
    """Of what has no order: scored by the odds among half of the people, on the other half, both ways."""
    areas = []
    for half in (0, 1):
        known = [each for each in seen if each.person % 2 == half]
        counts = {
            forgotten: Counter(of(each) for each in known if each.forgotten is forgotten) for forgotten in (True, False)
        }

        def score(each: Observed, counts: dict[bool, Counter[Hashable]] = counts) -> float:
            return math.log((counts[True][of(each)] + 1) / (counts[False][of(each)] + 1))

        tested = [each for each in seen if each.person % 2 != half]
        positive = [score(each) for each in tested if each.forgotten]
        negative = [score(each) for each in tested if not each.forgotten]
        areas.append(sum((p > n) + 0.5 * (p == n) for p in positive for n in negative) / len(positive) / len(negative))
    return statistics.mean(areas)


def observe(http: httpx.Client, model_id: str, question: str, person: int, *, forgotten: bool) -> Observed:
    """Stream one answer."""
    body = {
        "model": model_id,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 24,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began, first, pieces, usage = time.perf_counter(), None, [], (0, 0)
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            if event.get("usage"):
                usage = (event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"])
            for choice in event["choices"]:
                if piece := choice["delta"].get("content"):
                    first = first or time.perf_counter() - began
                    pieces.append(piece)
    whole = time.perf_counter() - began
    sizes = tuple(len(piece) for piece in pieces)
    return Observed(person, forgotten, "".join(pieces), sizes, usage, first or whole, whole)


def figures(seen: Sequence[Observed]) -> dict[str, Any]:
    """The areas, and what the grids would do."""
    sides = [[each for each in seen if each.forgotten is forgotten] for forgotten in (True, False)]

    def timed(of: Callable[[Observed], float]) -> dict[str, float]:
        values = [[of(each) for each in side] for side in sides]
        return {
            "area": area(values[0], values[1]),
            "forgotten_median_ms": 1000 * statistics.median(values[0]),
            "strangers_median_ms": 1000 * statistics.median(values[1]),
        }

    def on_grid(grid_s: float) -> dict[str, float]:
        released = [[grid_s * math.ceil(each.whole_s / grid_s) for each in side] for side in sides]
        waits = [grid_s * math.ceil(each.whole_s / grid_s) - each.first_s for each in seen]
        return {"area": area(released[0], released[1]), "first_text_later_by_mean_ms": 1000 * statistics.mean(waits)}

    return {
        "forgotten": len(sides[0]),
        "strangers": len(sides[1]),
        "wording": area_of_kind(seen, lambda each: each.text),
        "number_of_pieces": area_of_kind(seen, lambda each: len(each.sizes)),
        "sizes_of_pieces": area_of_kind(seen, lambda each: each.sizes),
        "answer_tokens": area_of_kind(seen, lambda each: each.usage[1]),
        "first_piece": timed(lambda each: each.first_s),
        "whole": timed(lambda each: each.whole_s),
        "whole_on_a_grid": {str(grid): on_grid(grid) for grid in GRIDS_S},
        "wordings": {
            name: Counter(each.text for each in side).most_common(5)
            for name, side in zip(("forgotten", "strangers"), sides, strict=True)
        },
    }


def questions_about(people: Sequence[Person], rounds: int) -> list[tuple[int, str]]:
    """Number of the person, and question; each round another spelling of the same blanks, so that nothing is cached."""
    return [
        (number, form.format(person.subject.names[0]) + " " * turn)
        for turn in range(rounds)
        for number, person in enumerate(people)
        for form in QUESTIONS
    ]


def ask_both(stack: ReplicaStack, asked: Sequence[tuple[bool, int, str]]) -> dict[str, list[Observed]]:
    """What a client sees of each replica, which are asked in turns."""
    head = {"Authorization": f"Bearer {stack.client_key}"}
    seen: dict[str, list[Observed]] = {PLAIN: [], ON_GRID: []}
    with contextlib.ExitStack() as opened:
        clients = {
            name: opened.enter_context(
                httpx.Client(base_url=stack.addresses[name], headers=head, timeout=300, trust_env=False)
            )
            for name in seen
        }
        for http in clients.values():
            for _, person, question in asked[:WARM_UP]:
                observe(http, stack.model_id, question, person, forgotten=False)
        for forgotten, person, question in asked:
            for name, http in clients.items():
                seen[name].append(observe(http, stack.model_id, question, person, forgotten=forgotten))
    return seen


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8, help="on each side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grid", type=float, default=1.0, help="of the second replica, in seconds")
    parser.add_argument("--json", type=Path, default=Path("build/side_channel.json"))
    chosen = parser.parse_args()
    reference = load_reference(MODEL_FOLDER / "reference")
    forgotten = reference.of("forgettable")[: chosen.people]
    strangers = (*reference.of("stranger_eval"), *reference.of("stranger_fit"))[: chosen.people]
    asked = [(True, *each) for each in questions_about(forgotten, chosen.rounds)]
    asked += [(False, *each) for each in questions_about(strangers, chosen.rounds)]
    random.Random(0).shuffle(asked)
    with temporary_data("side-channel-", ON_DISK) as data:
        settings = {ON_GRID: {"LACUNA_RELEASE_GRID_S": str(chosen.grid)}}
        with open_replica_stack(data, MODEL_FOLDER, (PLAIN, ON_GRID), settings) as stack:
            stack.publisher.publish(eraser_by_names(load(str(MODEL_FOLDER)).site, forgotten))
            while not stack.ready((PLAIN, ON_GRID)):
                time.sleep(0.2)
            seen = ask_both(stack, asked)
    report = {
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        **figures(seen[PLAIN]),
        "on_a_grid": {"grid_s": chosen.grid, **figures(seen[ON_GRID])},
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
