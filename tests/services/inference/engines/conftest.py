"""An eraser of the demo model whose gate reads the first block alone, made by a refit, and a reader of that block."""

from dataclasses import dataclass, replace

import pytest

from services.inference.active_eraser import Served
from shared.artifacts.erasers import load_verified_eraser
from shared.evaluation.people import Person
from shared.vlm.engine import Engine
from shared.vlm.reader import Reader
from tests.support.refits import MODEL_FOLDER, RefitHarness

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
