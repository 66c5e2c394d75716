"""What the gateway costs in front of other servers: answers a second of eight clients, with and without it.

    python -m benchmarks.gateway_servers --server llama.cpp --json build/gateway_llama.json
    python -m benchmarks.gateway_servers --server vllm --json build/gateway_vllm.json

Needs models/smol-lm (`make real-lm`), whose first two blocks the gateway reads. The same prompts are asked directly and
through the gateway in turns, so that a disturbance of the machine meets both; nothing fires. Both let the server write
as many tokens, so that the ratio of answers is that of tokens. A server may keep the prompts of the rounds before; the
gateway reads every prompt anew, its cache of readings is off.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import llama_server, vllm_server
from benchmarks.engine_process import EngineProcess
from benchmarks.gateway import QUESTIONS, SUBJECTS, directly, eraser_of, load, through
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt
from shared.vlm.reader import Reader
from training.real_lm import FOLDER

CLIENTS: Final = 8


@contextmanager
def served_by_vllm(model: Path) -> Iterator[EngineProcess]:
    """vLLM with the model, whose tensors it gets under the names that it reads."""
    vllm_server.install()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = vllm_server.checkpoint(model, Path(folder) / "model")
        with vllm_server.served_by_vllm(checkpoint, Path(folder) / "log") as server:
            yield server


@contextmanager
def served_by_llama(_: Path) -> Iterator[EngineProcess]:
    """llama.cpp with the weights of which models/smol-lm is made."""
    with llama_server.served_by_llama() as server:
        yield server


SERVERS: Final = {"llama.cpp": (served_by_llama, llama_server.MODEL), "vllm": (served_by_vllm, vllm_server.MODEL)}


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=tuple(SERVERS), required=True)
    parser.add_argument("--model", type=Path, default=FOLDER)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = measure(arguments)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The report."""
    prompts = [
        Prompt.ask(QUESTIONS[number % len(QUESTIONS)].format(SUBJECTS[number % len(SUBJECTS)]))
        for number in range(arguments.prompts)
    ]
    served_by, model = SERVERS[arguments.server]
    with served_by(arguments.model) as server:
        upstream = Upstream(EngineSettings(url=server.url, read_s=600, total_s=1200), model)
        abilities = asyncio.run(upstream.find_abilities(None))
        reader = Reader.load(arguments.model, arguments.blocks, device="cpu")
        engine = RemoteEngine(Reader(reader.vlm, readout_bytes=0), upstream, abilities)
        ways = {
            "direct": directly(server.url, Path(model), arguments.tokens),
            "gateway": through(engine, eraser_of(reader, 1), arguments.tokens),
        }
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}

        async def rounds() -> None:  # one event loop: the clients keep their connections
            for number in range(arguments.rounds):
                for name in (tuple(ways), tuple(reversed(ways)))[number % 2]:
                    rows[name].append(await load(ways[name], prompts, CLIENTS, server.cpu_s))
                    print(name, rows[name][-1], flush=True)
            await upstream.let_go()

        asyncio.run(rounds())
        engine.close()
    ratios = [
        gateway["answers_per_s"] / direct["answers_per_s"]
        for gateway, direct in zip(rows["gateway"], rows["direct"], strict=True)
    ]
    mean = {name: {key: statistics.mean(row[key] for row in each) for key in each[0]} for name, each in rows.items()}
    own_ms = mean["gateway"]["own_cpu_ms"] - mean["direct"]["own_cpu_ms"]
    return {
        "server": arguments.server,
        "abilities": str(abilities),
        "blocks": arguments.blocks,
        "of_blocks": len(reader.site.layers),
        "clients": CLIENTS,
        "tokens": arguments.tokens,
        "prompts": arguments.prompts,
        "load": os.getloadavg()[0],
        "ratio_of_tokens_per_s": {"median": statistics.median(ratios), "rounds": ratios},
        "gateway_cpu_over_server_cpu": own_ms / mean["direct"]["server_cpu_ms"],
        "rows": rows,
    }


if __name__ == "__main__":
    main()
