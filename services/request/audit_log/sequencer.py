"""Assigns every leaf of the log its position, signs what the log then is, and publishes that in the object store.

One process does so at a time (an advisory lock). Nothing is signed that does not continue what was signed before: the
sequencer first compares the last checkpoint of the database with the one in the object store. A restored old database,
an edited hash or a replaced checkpoint stops it, until that is repaired. Whoever holds the log's key can sign another
history; only a checkpoint that somebody else keeps, or a time-stamp on it, shows that.
"""

import logging
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.request.restores import service as restores_service
from shared.core.clock import utc_now
from shared.core.config import Settings
from shared.crypto.signing import Signer
from shared.db.models.transparency import LogCheckpoint
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure, NotFound
from shared.storage.base import ObjectStore
from shared.storage.object_keys import ABANDONED, CHECKPOINTS, NEWEST_CHECKPOINT, TIMESTAMPS, checkpoint_key
from shared.transparency import checkpoints
from shared.transparency.checkpoints import Checkpoint, PublicKey
from shared.transparency.merkle_tree import Tree, leaf_hash

logger = logging.getLogger(__name__)
BATCH = 5000


def log_signer(settings: Settings) -> Signer:
    """The signer with LACUNA_LOG_KEY; raises BadInput where the first of the public keys is not its own."""
    signer = Signer.from_base64(settings.log.key, "LACUNA_LOG_KEY")
    keys = checkpoints.read_keys(settings.log.verify_keys)
    if not keys or keys[0].raw != signer.public:
        raise BadInput("The first of LACUNA_LOG_VERIFY_KEYS has to be the public key of LACUNA_LOG_KEY.")
    return signer


@dataclass
class Sequencer:
    """Gives new leaves their positions and signs checkpoints; `run_once()` is one round.

    `keys` are the public keys of everybody who ever signed this log, the signer's own included.
    """

    database: Engine
    store: ObjectStore
    signer: Signer
    keys: list[PublicKey]
    origin: str
    _tree: Tree | None = None
    _published: int | None = None
    _compared_with_list: bool = False

    def run_once(self) -> int:
        """Assign positions to the leaves that wait, sign and publish; return how many leaves that were.

        Raises IntegrityFailure where the past is not what was signed, Unavailable where a backend cannot be reached.
        """
        if not self._compared_with_list:
            self._put_newest_back()
        try:
            with transaction(self.database) as session:
                count = self._assign_positions(session) if audit_log.try_sequencer_lock(session) else 0
        except BaseException:
            self._tree = None  # it may hold leaves that were not committed
            raise
        self._publish()
        return count

    def tree(self, session: Session) -> Tree:
        """The log as this transaction sees it, checked against the newest signed checkpoint."""
        tree = self._tree = self._tree or Tree()
        known = tree.size
        audit_log.extend_tree(session, tree)
        if audit_log.sequenced_count(session) != tree.size:
            raise IntegrityFailure(
                f"{tree.size} leaves of the log have a position, but these are not 0 to {tree.size - 1}."
            )
        newest = audit_log.newest_checkpoint(session)
        if newest is not None and (known == 0 or newest.size > known):
            if newest.size > tree.size:
                raise IntegrityFailure(f"The log ends at {tree.size} leaves, but {newest.size} were signed.")
            if tree.root(newest.size) != newest.root:
                raise IntegrityFailure(f"The first {newest.size} leaves of the log are not those that were signed.")
        return tree

    def _assign_positions(self, session: Session) -> int:
        leaves = audit_log.unsequenced(session, BATCH)
        if not leaves:
            return 0
        tree = self.tree(session)
        self._compare(session)
        first, hashes = tree.size, [leaf_hash(audit_log.leaf_bytes(leaf)) for leaf in leaves]
        audit_log.assign_positions(session, [leaf.id for leaf in leaves], first, hashes)
        for value in hashes:
            tree.append(value)
        checkpoint = Checkpoint(self.origin, tree.size, tree.root())
        note = checkpoints.sign(checkpoint, self.signer)
        session.add(LogCheckpoint(size=checkpoint.size, root=checkpoint.root, note=note, at=utc_now()))
        return len(leaves)

    def _compare(self, session: Session) -> None:
        """Raise IntegrityFailure unless the checkpoint in the object store is one of the database's."""
        stored = self._stored()
        if stored is None:
            return
        own = session.get(LogCheckpoint, stored.size)
        if own is None or own.root != stored.root:
            newest = audit_log.newest_checkpoint(session)
            if restores_service.is_abandoned(session, self.store.get(NEWEST_CHECKPOINT)):
                self._abandon(newest)
                return
            if newest is None or newest.size < stored.size:
                size = newest.size if newest else 0
                raise IntegrityFailure(
                    f"The database is older than the object store: the log was signed at {stored.size} leaves, and "
                    f"here it ends at {size}. Restore a newer backup; nothing is signed until then."
                )
            raise IntegrityFailure(
                f"The checkpoint in the object store ({stored.size} leaves) belongs to another history."
            )

    def _put_newest_back(self) -> None:
        """Once after the start: where the store lists a checkpoint above the newest note, that is the newest note.

        So whoever deletes the note, or puts an older one back, does not make an old database look like the newest.
        """
        listed = max(self.store.list(CHECKPOINTS), key=_size, default="")
        stored = self._stored()
        if _size(listed) > (stored.size if stored else 0):
            note = self.store.get(listed)
            checkpoints.read(note.decode(errors="replace"), self.keys)
            logger.warning("the newest checkpoint was missing from the object store: it is put back from %s", listed)
            self.store.put(NEWEST_CHECKPOINT, note)
        self._compared_with_list = True

    def _abandon(self, newest: LogCheckpoint | None) -> None:
        """Keep apart what was signed after `newest`, as evidence of the past that two people gave up, and go on.

        The newest note in the store is changed last, so that a crash before that repeats everything.
        """
        size = newest.size if newest else 0
        stored = [key for prefix in (CHECKPOINTS, TIMESTAMPS) for key in self.store.list(prefix)]
        abandoned = [key for key in stored if _size(key) > size]
        for key in (*abandoned, NEWEST_CHECKPOINT):
            content = self.store.get(key)
            name = key.removeprefix("log/").replace("/", "-")
            self.store.put(f"{ABANDONED}{name}-{sha256(content).hexdigest()[:16]}", content)
        for key in abandoned:
            self.store.delete(key)
        if newest is None:
            self.store.delete(NEWEST_CHECKPOINT)
        else:
            self.store.put(NEWEST_CHECKPOINT, newest.note.encode())
        self._published = size
        logger.warning(
            "%d signed checkpoints and tokens above %d leaves are kept apart: two people gave them up",
            len(abandoned),
            size,
        )

    def _publish(self) -> None:
        if self._published is None:
            stored = self._stored()
            self._published = stored.size if stored else 0
        with transaction(self.database) as session:
            unpublished = audit_log.checkpoints(session, self._published, 1000)
        for checkpoint in unpublished:
            self.store.put(checkpoint_key(checkpoint.size), checkpoint.note.encode())
        if unpublished:
            self.store.put(NEWEST_CHECKPOINT, unpublished[-1].note.encode())
            self._published = unpublished[-1].size

    def _stored(self) -> Checkpoint | None:
        try:
            return checkpoints.read(self.store.get(NEWEST_CHECKPOINT).decode(errors="replace"), self.keys)
        except NotFound:
            return None
        except IntegrityFailure as exc:
            raise IntegrityFailure(
                "The checkpoint in the object store was altered: no key of this log signed it."
            ) from exc


def _size(key: str) -> int:
    """The size of the checkpoint that the key of an object names."""
    digits = key.rpartition("/")[2].removesuffix(".tsr")
    return int(digits) if digits.isdigit() else 0
