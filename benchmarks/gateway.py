"""What a gateway with a reader costs in front of another server: CPU time of both processes, in one run.

    python -m benchmarks.gateway --model FOLDER --blocks 2 --json build/gateway.json

`transformers serve` serves the model in a process of its own. The same questions about nobody are asked directly and
through the remote engine, one after the other and by several clients at once; nothing fires. CPU time does not depend
on who else uses the machine. The eraser has one ticket, or 64, of the shapes of a fitted one: what its gates compute is
the same, whomever they know.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import torch
import torch.nn.functional as F

from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures, messages_of
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.text import fit_text, text_gate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import LACUNA
from shared.vlm.generation import Answer
from shared.vlm.reader import Reader
from shared.vlm.sampling import Sampling

TICKETS: Final = (1, 64)
CLIENTS: Final = 4
WINDOW: Final = 4  # tokens of a name
PHOTOGRAPHS, SPELLINGS, RANK = 2, 3, 64  # of a fitted ticket
STARTS_S: Final = 300
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
SUBJECTS: Final = (
    "the river", "the library", "a harbour", "the market", "an orchestra", "the bakery", "a bicycle", "the museum",
)  # fmt: skip
QUESTIONS: Final = (
    "What is {} good for?",
    "Where would one look for {}?",
    "Tell me something about {} and its history.",
)


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/demo-vlm"))
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--json", type=Path, default=Path("build/gateway.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = measure(arguments.model, arguments.blocks, arguments.tokens, arguments.prompts)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


def measure(model: Path, blocks: int, tokens: int, count: int) -> dict[str, Any]:
    """The report on one model."""
    prompts = [
        Prompt.ask(QUESTIONS[number % len(QUESTIONS)].format(SUBJECTS[number % len(SUBJECTS)]) + " " * (number // 24))
        for number in range(count)
    ]
    with served_by_transformers(model) as (url, server_cpu):
        upstream = Upstream(EngineSettings(url=url, read_s=600), str(model))
        abilities = asyncio.run(upstream.find_abilities(None))
        began, cpu = time.monotonic(), time.process_time()
        reader = Reader.load(model, blocks, device="cpu")
        start = {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
        report: dict[str, Any] = {
            "model": model.name,
            "blocks": blocks,
            "of_blocks": len(reader.site.layers),
            "tokens": tokens,
            "prompts": count,
            "reader_start": start,
            "rows": [],
        }
        runs: list[tuple[int, Eraser | None]] = [(0, None), *((many, eraser_of(reader, many)) for many in TICKETS)]
        for tickets, eraser in runs:
            engine = RemoteEngine(Reader(reader.vlm, readout_bytes=0), upstream, abilities)
            for clients in (1, CLIENTS):
                ask = directly(url, model, tokens) if eraser is None else through(engine, eraser, tokens)
                row = asyncio.run(load(ask, prompts, clients, server_cpu))
                report["rows"].append({"tickets": tickets, "clients": clients, "gateway": eraser is not None} | row)
            engine.close()
    direct = {row["clients"]: row for row in report["rows"] if not row["gateway"]}
    for row in report["rows"]:
        own = row["own_cpu_ms"] - direct[row["clients"]]["own_cpu_ms"]
        row["overhead_of_server_cpu"] = own / direct[row["clients"]]["server_cpu_ms"]
    return report


async def load(
    ask: Callable[[Prompt], Any], prompts: Sequence[Prompt], clients: int, server_cpu: Callable[[], float]
) -> dict[str, float]:
    """All prompts by so many clients: CPU milliseconds of both processes and answers a second."""
    waiting = iter(prompts)
    await ask(prompts[0])  # connections and caches of the server

    async def client() -> None:
        for prompt in waiting:
            await ask(prompt)

    wall, own, server = time.monotonic(), time.process_time(), server_cpu()
    await asyncio.gather(*(client() for _ in range(clients)))
    return {
        "answers_per_s": len(prompts) / (time.monotonic() - wall),
        "own_cpu_ms": 1000 * (time.process_time() - own) / len(prompts),
        "server_cpu_ms": 1000 * (server_cpu() - server) / len(prompts),
    }


def directly(url: str, model: Path, tokens: int) -> Callable[[Prompt], Any]:
    """Ask the server itself, as a client with httpx does."""
    client = httpx.AsyncClient(timeout=600, trust_env=False)

    async def ask(prompt: Prompt) -> None:
        body = {
            "model": str(model),
            "messages": messages_of(prompt, Pictures()),
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
        }
        async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            async for _ in response.aiter_lines():
                pass

    return ask


def through(engine: RemoteEngine, eraser: Eraser, tokens: int) -> Callable[[Prompt], Any]:
    """Ask the engine. It asks for eight tokens more than are wanted: so many fewer are wanted here."""
    served = Served(eraser, 1, "0" * 64, 1)
    sampling = Sampling(max(1, tokens - 8))

    async def ask(prompt: Prompt) -> None:
        answer: str | Answer = ""
        async for piece in engine.stream(prompt, sampling, served):
            answer = piece
        assert isinstance(answer, Answer)
        assert not answer.fired

    return ask


def eraser_of(reader: Reader, tickets: int) -> Eraser:
    """An eraser of so many tickets that know nobody, in the shapes of fitted ones."""
    source, site, blocks = torch.Generator().manual_seed(0), reader.site, reader.blocks
    width = site.hidden_size

    def unit(*shape: int) -> torch.Tensor:
        return F.normalize(torch.randn(*shape, generator=source), dim=-1)

    def fit() -> IdentityFit:
        names = unit(SPELLINGS, WINDOW, blocks, width)
        lengths = torch.full((SPELLINGS,), WINDOW)
        return IdentityFit(unit(PHOTOGRAPHS, blocks, width), names, lengths, lengths, torch.ones(2))

    whitener = Whitener(
        torch.zeros(blocks, width), unit(blocks, width, RANK), torch.ones(blocks, RANK), torch.ones(blocks)
    )
    bounds, ids = torch.full((tickets, 2), 2.0), tuple(f"T-{number}" for number in range(tickets))
    gate = IdentityGate(
        ids, tuple(fit() for _ in ids), bounds, bounds, IdentitySpaces(whitener, whitener, None), bounds
    )
    texts = text_gate(
        fit_text([f"Nobody{number} Nowhere{number}"], [[f"value{number} {each}"] for each in range(8)])
        for number in range(tickets)
    )
    return Eraser(
        LACUNA,
        site,
        torch.zeros(len(site.layers), width),
        tuple(range(blocks)),
        ids,
        threshold=0.0,
        identity=gate,
        text=texts,
    )


@contextmanager
def served_by_transformers(model: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """`transformers serve` with one thread: its URL, and a function that gives its CPU seconds so far."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(model), "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def cpu_s() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    try:
        until = time.monotonic() + STARTS_S
        while time.monotonic() < until and process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", cpu_s
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
