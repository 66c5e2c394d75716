"""A log with a sequencer over the test's own database and a folder as object store."""

from collections.abc import Callable

import pytest

from services.request.audit_log.sequencer import Sequencer
from shared.crypto.signing import Signer
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.storage.local import LocalStore
from shared.transparency.checkpoints import PublicKey
from shared.transparency.media_types import LOG_NAME
from tests.support.databases import Databases

LOG_SIGNER = Signer(bytes(range(1, 33)))
LOG_KEY = PublicKey(LOG_NAME, LOG_SIGNER.public)


@pytest.fixture
def sequencer(database: Databases, store: LocalStore) -> Sequencer:
    """A sequencer over the test's own database and store."""
    return Sequencer(database.engine("control"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME)


@pytest.fixture
def happen(database: Databases) -> Callable[[int], None]:
    """Appends as many leaves as are asked for, as a service does."""

    def write(count: int) -> None:
        with transaction(database.engine("request")) as session:
            for number in range(count):
                audit_log.append_leaf(session, "olivia", "ticket.received", f"T-{number}", {"version": 1})

    return write
