"""A log with a sequencer over the test's own database and a folder as object store."""

from collections.abc import Callable
from typing import Any

import pytest

from services.request.sequencer import Sequencer
from shared.contracts import LOG_NAME
from shared.crypto import Signer
from shared.db import repository
from shared.db.session import transaction
from shared.log.note import PublicKey

LOG_SIGNER = Signer(bytes(range(1, 33)))
LOG_KEY = PublicKey(LOG_NAME, LOG_SIGNER.public)


@pytest.fixture
def sequencer(database: Any, store: Any) -> Sequencer:
    return Sequencer(database.engine("request"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME)


@pytest.fixture
def happen(database: Any) -> Callable[[int], None]:
    """Writes leaves as a service does."""

    def write(count: int) -> None:
        with transaction(database.engine("request")) as session:
            for number in range(count):
                repository.log(session, "olivia", "ticket.received", f"T-{number}", {"version": 1})

    return write
