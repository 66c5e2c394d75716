"""The refit, whole: from the tickets in force to a signed candidate version. Read it from top to bottom.

    gather -> statistics -> (payload -> probes -> base answers -> activations -> rows) for each ticket
           -> assemble -> self-test -> manifest, sign, seal, store, publish

Raw material lives only inside `_fit_one`. Every write is fenced or immutable, so a run may be repeated or killed at any
line. Knows nothing of queues (`tasks.py`) or of HTTP.
"""

import enum
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database

from services.refit.fitting import fit_subject, probes
from services.refit.preparation import compute_statistics, statistics_digest
from shared.artifact import canonical
from shared.bench.reference import Reference
from shared.bench.scorers import tells
from shared.clock import utc_now
from shared.contracts import DEFAULT_TENANT, MANIFEST_TYPE, eraser_key, rows_key, statistics_key
from shared.crypto import KeyRing, Signer
from shared.db import repository_refit as rows
from shared.db.models import Ticket
from shared.db.session import transaction
from shared.erasure.eraser import Eraser, assemble, dump
from shared.erasure.recipe import Recipe
from shared.erasure.rows import TicketRows
from shared.erasure.statistics import BaseStatistics
from shared.errors import IntegrityFailure, NotFound
from shared.material import open_material
from shared.prompt import Prompt
from shared.store.base import Store
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
LEAK_FLOOR = 0.05  # where the base model tells less than this share of the facts, there is nothing to forget


class Outcome(enum.Enum):
    """How a refit ended."""

    PUBLISHED = "published"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass
class Workshop:
    """All that a refit needs, made once at the worker's door. Keeps the statistics of the base model."""

    engine: Engine
    reference: Reference
    reference_folder: Path
    recipe: Recipe
    model_id: str
    store: Store
    keys: KeyRing
    signer: Signer
    database: Database
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def statistics(self, progress: Callable[[str], None]) -> tuple[str, BaseStatistics]:
        """Digest and statistics; from memory, else from the store, else computed and stored."""
        digest = statistics_digest(self.engine, self.reference_folder, self.recipe)
        if digest not in self._statistics:
            self._statistics[digest] = self._stored_statistics(digest) or self._new_statistics(digest, progress)
        return digest, self._statistics[digest]

    def _stored_statistics(self, digest: str) -> BaseStatistics | None:
        key = statistics_key(self.model_id, digest)
        try:
            return BaseStatistics.from_bytes(self.keys.open(self.store.get(key), self.store.get(f"{key}.key"), key))
        except NotFound:
            return None
        except IntegrityFailure as exc:
            logger.warning("the stored statistics are computed anew: %s", exc.detail)
            return None

    def _new_statistics(self, digest: str, progress: Callable[[str], None]) -> BaseStatistics:
        statistics = compute_statistics(self.engine, self.reference, self.reference_folder, self.recipe, progress)
        key = statistics_key(self.model_id, digest)
        sealed = self.keys.seal(statistics.to_bytes(), key)
        self.store.put(key, sealed.blob)
        self.store.put(f"{key}.key", sealed.wrapped_key)
        return statistics


def refit(shop: Workshop, run_id: str, fence: int, enter: Callable[[str], None], seconds: Callable[[], Any]) -> Outcome:
    """Build the next version from all tickets in force and publish it as a candidate.

    Raises Unavailable where a part is away (nothing is half done) and Conflict where the lease was lost.
    """
    enter("gathering")
    with transaction(shop.database) as session:
        model = rows.get_model(session, shop.model_id)
        tickets = rows.tickets_in_force(session, model.id)
        latest = rows.latest_version(session, model.id)
        if latest is not None and latest.usable and latest.tickets == {ticket.id for ticket in tickets}:
            return Outcome.NOTHING_TO_DO

    digest, statistics = shop.statistics(enter)

    enter("fitting")
    fitted = [one for ticket in tickets if (one := _rows_of(shop, statistics, digest, run_id, fence, ticket))]

    enter("assembling")
    eraser = assemble(shop.recipe, statistics, shop.engine.vlm.site, fitted)
    _self_test(shop, eraser)

    enter("publishing")
    _publish(shop, eraser, fitted, digest, run_id, fence, model.id, seconds)
    return Outcome.PUBLISHED


def _rows_of(
    shop: Workshop, statistics: BaseStatistics, digest: str, run_id: str, fence: int, ticket: Ticket
) -> TicketRows | None:
    """The rows of one ticket: those made before for the same statistics, else new ones; None where nothing leaks."""
    with transaction(shop.database) as session:
        made = rows.get_rows(session, ticket.model_id, ticket.id, digest)
    if made is not None:
        blob = shop.store.get(made.object_key)
        if hashlib.sha256(blob).hexdigest() != made.sha256:
            raise IntegrityFailure(f"The stored rows of ticket {ticket.id} were altered: their sha256 differs.")
        fitted = TicketRows.from_bytes(shop.keys.open(blob, made.wrapped_key, made.object_key))
        with transaction(shop.database) as session:
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")
        return fitted
    with transaction(shop.database) as session:
        rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitting")
    new = _fit_one(shop, statistics, ticket)
    with transaction(shop.database) as session:
        if new is None:
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "no_leak_found")
            return None
        key = rows_key(shop.model_id, ticket.id, digest)
        sealed = shop.keys.seal(new.to_bytes(), key)
        shop.store.put(key, sealed.blob)
        rows.put_rows(
            session,
            model_id=ticket.model_id,
            ticket_id=ticket.id,
            digest=digest,
            object_key=key,
            sha256=hashlib.sha256(sealed.blob).hexdigest(),
            wrapped_key=sealed.wrapped_key,
        )
        rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")
    return new


def _fit_one(shop: Workshop, statistics: BaseStatistics, ticket: Ticket) -> TicketRows | None:
    subject = open_material(shop.store, shop.keys, ticket)
    asked = probes(subject, ticket.id)
    told = [
        tells(answer.text, question.accept)
        for question, answer in zip(asked, shop.engine.generate([q.prompt for q in asked]), strict=True)
    ]
    share = sum(told) / len(told)
    logger.info("ticket %s: the model tells %.0f %% of %d probes", ticket.id, 100 * share, len(told))
    if share < LEAK_FLOOR:
        return None
    return fit_subject(shop.engine, shop.recipe, statistics, ticket.id, subject)


def _self_test(shop: Workshop, eraser: Eraser) -> None:
    """The cheapest proof that the candidate can be served: it fits this model and leaves small talk alone."""
    eraser.site.check(shop.engine.vlm.site)
    shop.engine.generate([Prompt.ask(shop.reference.general.fit[0])], eraser=eraser, max_new_tokens=2)


def _publish(
    shop: Workshop,
    eraser: Eraser,
    fitted: Sequence[TicketRows],
    statistics: str,
    run_id: str,
    fence: int,
    model_id: str,
    seconds: Callable[[], Any],
) -> None:
    """Write the object first and the row second: a version that is seen can be fetched."""
    with transaction(shop.database) as session:
        number = rows.next_version_number(session, model_id)
    commitments = {one.ticket: one.sha256 for one in fitted}
    blob, manifest = dump(
        eraser,
        {
            "model": shop.model_id,
            "tenant": DEFAULT_TENANT,
            "number": number,
            "run": run_id,
            "created_at": utc_now().isoformat(),
            "statistics": statistics,
            "tickets": [{"ticket": ticket, "rows_sha256": sha} for ticket, sha in sorted(commitments.items())],
        },
    )
    key = eraser_key(shop.model_id, number, hashlib.sha256(blob).hexdigest())
    sealed = shop.keys.seal(blob, key)
    shop.store.put(key, sealed.blob)
    with transaction(shop.database) as session:
        version = rows.add_version(
            session,
            run_id=run_id,
            fence=fence,
            model_id=model_id,
            number=number,
            recipe=shop.recipe.name,
            object_key=key,
            sha256=hashlib.sha256(sealed.blob).hexdigest(),
            size_bytes=len(sealed.blob),
            manifest=manifest,
            envelope=shop.signer.sign(canonical(manifest), MANIFEST_TYPE),
            wrapped_key=sealed.wrapped_key,
            tickets=commitments,
        )
        rows.finish_run(session, run_id, fence, "succeeded", version_id=version.id, seconds=seconds())
    logger.info("version %d is a candidate: %d tickets, %.0f kB", number, len(fitted), len(sealed.blob) / 1000)
