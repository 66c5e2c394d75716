"""An eraser of the demo model whose gate reads the first block alone, made by a refit, and a reader of that block;
and a remote engine in front of a stand-in server, with a ticket that only the text gate knows."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from PIL import Image

from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.artifacts.erasers import load_verified_eraser
from shared.core.config import EngineSettings
from shared.erasure.eraser import Eraser
from shared.erasure.gates.text import fit_text, text_gate
from shared.erasure.recipe import LACUNA
from shared.evaluation.people import Person
from shared.vlm.engine import Engine
from shared.vlm.reader import Reader
from tests.support.refits import MODEL_FOLDER, RefitHarness
from tests.support.remote_engines import FACTS, KEY, NAME, Open
from tests.support.tiny_models import gate_that_recognises_nobody
from tests.support.upstream import FakeUpstream

BLOCKS = 1
FORGOTTEN = 2


@dataclass(frozen=True)
class Forgetting:
    """The people whom a version forgets, others whom the model knows, and the model itself."""

    served: Served
    forgotten: tuple[Person, ...]
    others: tuple[Person, ...]
    engine: Engine


_refitted: list[Forgetting] = []  # one refit for the whole run


@pytest.fixture
def forgetting(harness: RefitHarness) -> Forgetting:
    """A version by which two people are forgotten."""
    if not _refitted:
        people = harness.reference.of("forgettable")[:FORGOTTEN]
        for person in people:
            harness.file_and_approve(person)
        context = replace(harness.context, reader_blocks=BLOCKS)
        result = harness.refit(context=context)
        assert result.status == "succeeded", result.error
        number = int(harness.scalar("SELECT max(number) FROM eraser_version"))
        version = harness.version(number)
        eraser = load_verified_eraser(context.store, context.keys, harness.audit_context.verifier, version)
        assert eraser.gated == tuple(range(BLOCKS))
        others = (*harness.reference.of("held_out"), *harness.reference.of("retain_fit"))
        served = Served(eraser, number, version.sha256, 1)
        _refitted.append(Forgetting(served, tuple(people), others, context.engine))
    return _refitted[0]


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The first block of the demo model."""
    return Reader.load(MODEL_FOLDER, BLOCKS, device="cpu")


@pytest.fixture(scope="module")
def eraser(engine: Engine) -> Eraser:
    """One ticket that only the text gate knows: the identity gate recognises nobody."""
    width = engine.vlm.site.hidden_size
    return Eraser(
        LACUNA,
        engine.vlm.site,
        torch.zeros(len(engine.vlm.site.layers), width),
        (0,),
        ("T-1",),
        threshold=0.0,
        identity=gate_that_recognises_nobody(("T-1",), width),
        text=text_gate([fit_text([NAME], FACTS)]),
    )


@pytest.fixture
def served(eraser: Eraser) -> Served:
    return Served(eraser, 1, "0" * 64, 1)


@pytest.fixture
def fake() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture
def open_remote(engine: Engine, listening: Callable[[Any], str], fake: FakeUpstream) -> Iterator[Open]:
    """A function that opens the engine in front of `fake`; its arguments are settings of the engine."""
    opened: list[RemoteEngine] = []
    url = f"{listening(fake)}/v1"

    def open_(system_line: str | None = None, **settings: Any) -> RemoteEngine:
        given: dict[str, Any] = {"url": url, "key": KEY, "connect_s": 1.0, "read_s": 2.0} | settings
        upstream = Upstream(EngineSettings(**given), "fake")
        picture = Pictures().url(Image.new("RGB", (8, 8)))
        statuses, fake.statuses = fake.statuses, []
        abilities = asyncio.run(upstream.find_abilities(picture, pause_s=0.01))
        fake.statuses = statuses
        fake.bodies.clear()
        opened.append(RemoteEngine(Reader(engine.vlm), upstream, abilities, system_line))
        return opened[-1]

    yield open_
    for remote in opened:
        remote.close()
