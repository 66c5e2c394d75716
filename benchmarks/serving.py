"""What it costs to serve with an eraser, and how many clients share one engine: ratios of one run, in one process.

    python -m benchmarks.serving --json build/serving.json [--model FOLDER] [--seconds 8]

The local engine of the inference service is asked by asynchronous clients about people who are not forgotten. CPU time
is that of the whole process, torch's threads included: unlike wall time it does not depend on other users of the
machine. Measured are: the engine without a ticket, with one and with 64; clients from 1 to 32; traffic of mixed
settings against uniform traffic; `generate` of transformers on the same prompts; and versions that are swapped under
load, where every answer must be that of exactly one version.

64 tickets are four fitted people, each sixteen times under other names: the cost depends on the shapes.
"""

import argparse
import asyncio
import json
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.folders import model_folder
from benchmarks.question_sets import questions_about_others
from services.inference.active_eraser import Served
from services.inference.engines.local import LocalEngine
from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject, text_of_subject
from shared.domain.prompts import Prompt
from shared.erasure.assembly import assemble
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.evaluation.reference import Reference, load_reference
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load
from shared.vlm.sampling import Sampling

logger = logging.getLogger(__name__)
CLIENTS: Final = 16
COUNTS: Final = (1, 4, 16, 32)
TOKENS: Final = 24
MANY: Final = 64
FITTED: Final = 4
SWAPS: Final = 200


@dataclass(frozen=True)
class Load:
    """What some clients saw. Times are in seconds; `cpu_s` is for one answer."""

    answers: int
    wall_s: float
    cpu_s: float
    tokens: int
    first_s: list[float]
    whole_s: list[float]

    def figures(self) -> dict[str, float]:
        """As in the report; milliseconds."""
        return {
            "answers": self.answers,
            "answers_per_s": self.answers / self.wall_s,
            "tokens_per_s": self.tokens / self.wall_s,
            "cpu_ms_per_answer": 1000 * self.cpu_s,
            "first_ms_median": 1000 * statistics.median(self.first_s),
            "first_ms_p95": 1000 * percentile(self.first_s, 0.95),
            "whole_ms_median": 1000 * statistics.median(self.whole_s),
            "whole_ms_p99": 1000 * percentile(self.whole_s, 0.99),
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def erasers(engine: Engine, reference: Reference) -> dict[str, Eraser]:
    """Without a ticket, with one, and with MANY."""
    recipe = Recipe.named("lacuna")
    made = compute_statistics(engine, reference, recipe, lambda _: None)
    people = list(reference.of("forgettable"))
    fits = [fit_subject(engine, recipe, made, person.id, person.subject) for person in people[:FITTED]]
    many = [
        replace(fits[number % FITTED], ticket=f"T-{number}", text=text_of_subject(people[number % len(people)].subject))
        for number in range(MANY)
    ]
    site = engine.vlm.site
    return {
        "none": Eraser.empty(recipe, site),
        "one": assemble(recipe, made, site, fits[:1]),
        "many": assemble(recipe, made, site, many),
    }


class Clients:
    """Asks the engine in a closed loop."""

    def __init__(self, local: LocalEngine, prompts: Sequence[Prompt], seconds: float) -> None:
        self.local, self.prompts, self.seconds = local, prompts, seconds

    async def run(self, count: int, served: Served, settings: Callable[[int], Sampling]) -> Load:
        """`count` clients, each of which asks again as soon as it is answered, for `seconds`."""
        firsts: list[float] = []
        wholes: list[float] = []
        tokens = 0
        until = time.monotonic() + self.seconds

        async def client(number: int) -> None:
            nonlocal tokens
            turn = number
            while time.monotonic() < until:
                began, first = time.monotonic(), None
                async for piece in self.local.stream(self.prompts[turn % len(self.prompts)], settings(turn), served):
                    first = first or time.monotonic() - began
                    if isinstance(piece, Answer):
                        tokens += len(piece.tokens)
                firsts.append(first or 0.0)
                wholes.append(time.monotonic() - began)
                turn += count

        wall, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(client(number) for number in range(count)))
        used = time.process_time() - cpu
        return Load(len(wholes), time.monotonic() - wall, used / len(wholes), tokens, firsts, wholes)


def uniform(_: int) -> Sampling:
    """Every request alike."""
    return Sampling(TOKENS)


def mixed(number: int) -> Sampling:
    """What real traffic looks like: other lengths, temperatures, seeds and stop words. As long on average."""
    draw = random.Random(number)
    return Sampling(
        draw.choice([TOKENS // 2, TOKENS, TOKENS * 3 // 2]),
        temperature=draw.choice([0.0, 0.3, 0.7, 1.0]),
        seed=draw.choice([None, number]),
        stop=draw.choice([(), ("\n",), ("END",)]),
        top_p=draw.choice([1.0, 0.95]),
    )


def of_transformers(engine: Engine, prompts: Sequence[Prompt], batch: int) -> dict[str, float]:
    """`generate` on the same prompts, `batch` at a time, padded; the time that one answer takes."""
    model, adapter = engine.vlm.model, engine.vlm.adapter
    wall, cpu, tokens = time.monotonic(), time.process_time(), 0
    for start in range(0, len(prompts), batch):
        rows = adapter.encode(prompts[start : start + batch])
        inputs = adapter.inputs(rows)
        inputs.pop("position_ids", None)
        out = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False, pad_token_id=engine.end_token)
        tokens += int((out[:, inputs["input_ids"].shape[1] :] != engine.end_token).sum())
    used = time.process_time() - cpu
    return {
        "answers_per_s": len(prompts) / (time.monotonic() - wall),
        "cpu_ms_per_answer": 1000 * used / len(prompts),
        "tokens_per_s": tokens / (time.monotonic() - wall),
    }


async def swaps(local: LocalEngine, engine: Engine, versions: Sequence[Served], prompts: Sequence[Prompt]) -> Any:
    """Versions change SWAPS times under load; every answer must be that of the version it began with."""
    expected = {
        (version.number, number): engine.generate([prompt], eraser=version.eraser, max_new_tokens=TOKENS)[0].text
        for version in versions
        for number, prompt in enumerate(prompts)
    }
    current, done, wrong, failed = 0, 0, 0, 0
    whole: dict[bool, list[float]] = {True: [], False: []}
    swapping = False
    ended = asyncio.Event()

    async def client(number: int) -> None:
        nonlocal done, wrong, failed
        turn = number
        while not ended.is_set():
            version, at, began, during = versions[current], turn % len(prompts), time.monotonic(), swapping
            try:
                async for piece in local.stream(prompts[at], uniform(0), version):
                    answer = piece
            except Exception:
                logger.exception("a request failed")
                failed += 1
                continue
            assert isinstance(answer, Answer)
            whole[during or swapping].append(time.monotonic() - began)
            done, wrong = done + 1, wrong + (answer.text != expected[version.number, at])
            turn += CLIENTS

    async def swap() -> None:
        nonlocal current, swapping
        await asyncio.sleep(4.0)  # without swaps, to compare with
        swapping = True
        for _ in range(SWAPS):
            current = (current + 1) % len(versions)
            await asyncio.sleep(0.05)
        ended.set()

    await asyncio.gather(swap(), *(client(number) for number in range(CLIENTS)))
    return {
        "swaps": SWAPS,
        "answers": done,
        "of_another_version": wrong,
        "failed": failed,
        "p99_ratio": percentile(whole[True], 0.99) / percentile(whole[False], 0.99),
    }


async def measure(engine: Engine, reference: Reference, seconds: float) -> dict[str, Any]:
    """All figures."""
    sets = questions_about_others(reference)
    about = [question.prompt for name in ("held_out", "celebrity", "stranger", "talk") for question in sets[name]]
    random.Random(0).shuffle(about)
    local = LocalEngine(engine)
    version = {
        name: Served(eraser, n, "0" * 64, n) for n, (name, eraser) in enumerate(erasers(engine, reference).items())
    }
    clients = Clients(local, about, seconds)
    await warm_up(clients, version["none"])
    figures: dict[str, Any] = {"cpu_threads": torch.get_num_threads(), "model": engine.vlm.site.as_json()}
    loads: dict[str, list[Load]] = {name: [] for name in version}
    for _ in range(2):  # in turns, so that a disturbance meets all of them
        for name, served in version.items():
            loads[name].append(await clients.run(CLIENTS, served, uniform))
    figures["by_tickets"] = {name: [load.figures() for load in each] for name, each in loads.items()}
    cost = {name: statistics.mean(load.cpu_s for load in each) for name, each in loads.items()}
    figures["overhead_one"] = cost["one"] / cost["none"] - 1
    figures["overhead_many"] = cost["many"] / cost["none"] - 1
    logger.info("overhead: one ticket %.3f, many %.3f", figures["overhead_one"], figures["overhead_many"])
    by_count = {count: await clients.run(count, version["one"], uniform) for count in COUNTS}
    figures["by_clients"] = {str(count): load.figures() for count, load in by_count.items()}
    figures["first_p95_ratio_16"] = percentile(by_count[16].first_s, 0.95) / statistics.median(by_count[1].first_s)
    figures["throughput_ratio_16"] = (
        figures["by_clients"]["16"]["answers_per_s"] / figures["by_clients"]["1"]["answers_per_s"]
    )
    alike = await clients.run(CLIENTS, version["one"], uniform)
    unlike = await clients.run(CLIENTS, version["one"], mixed)
    figures["mixed_over_uniform_cpu_per_token"] = (unlike.cpu_s * unlike.answers / unlike.tokens) / (
        alike.cpu_s * alike.answers / alike.tokens
    )
    figures["swaps"] = await swaps(local, engine, list(version.values()), about[:40])
    local.close()
    figures["transformers_generate"] = {
        str(batch): of_transformers(engine, about[:96], batch) for batch in (1, CLIENTS)
    }
    return figures


async def warm_up(clients: Clients, served: Served) -> None:
    """A short run that is not counted: first forward passes are slower."""
    await Clients(clients.local, clients.prompts, 1.0).run(4, served, uniform)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/demo-vlm")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = model_folder(arguments.model)
    engine = Engine(load(str(folder)))
    figures = asyncio.run(measure(engine, load_reference(folder / "reference"), arguments.seconds))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
