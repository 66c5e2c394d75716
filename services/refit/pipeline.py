"""The refit, whole: from the tickets in force to a signed candidate version. Read it from top to bottom.

    gather -> statistics -> (payload -> probes -> base answers -> activations -> rows) for each ticket
           -> assemble -> self-test -> manifest, sign, seal, store, publish

Raw material lives only inside `_fit_one` and, while looks are taken, in `Looks`. Every write is fenced or immutable, so
a run may be repeated or killed at any line. Knows nothing of queues (`tasks.py`) or of HTTP.
"""

import enum
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine as Database

from services.refit.fitting import fit_subject, probes
from services.refit.preparation import compute_statistics, statistics_digest
from services.refit.progress import Report
from services.refit.pulls import Pulls, beside_model, choice, compute_pulls, from_bytes, pulls_digest, to_bytes
from services.refit.retained import Looks, Retained, retained
from shared.artifact import canonical
from shared.bench.reference import Reference
from shared.bench.scorers import tells
from shared.clock import utc_now
from shared.contracts import DEFAULT_TENANT, MANIFEST_TYPE, eraser_key, pulls_key, rows_key, statistics_key
from shared.crypto import KeyRing, Signer
from shared.db import repository_refit as rows
from shared.db.models import RetainSet, Ticket
from shared.db.repository_retain import active_set
from shared.db.session import transaction
from shared.erasure.eraser import Eraser, assemble, dump
from shared.erasure.recipe import Recipe
from shared.erasure.rows import TicketRows
from shared.erasure.statistics import BaseStatistics
from shared.errors import BadInput, IntegrityFailure, NeedsResubmission, NotFound, SiteMismatch
from shared.log.coverage import coverage_root
from shared.material import open_material, source
from shared.prompt import Prompt
from shared.retained import open_rows
from shared.store.base import Store
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
LEAK_FLOOR = 0.05  # where the base model tells less than this share of the facts, there is nothing to forget
T = TypeVar("T")
FEWEST_PROBES = 3  # different wordings; a person recognised from fewer is recognised by the wording


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
    lease_s: float = 30.0
    beat: Callable[[], None] = lambda: None  # the worker's pulse
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._looks = Looks(self.store, self.keys)

    def retained(self, found: RetainSet | None, tickets: Sequence[Ticket]) -> Retained:
        """Who is kept as they are in this fit: reference and set, without whoever `tickets` speak of."""
        rows = open_rows(self.store, self.keys, found) if found is not None else ()
        return retained(self.reference, found, rows, tickets, self.keys, self._looks)

    def digest(self, kept: Retained) -> str:
        """Of all that the statistics depend on."""
        return statistics_digest(self.engine, self.reference_folder, self.recipe, kept.key)

    def statistics(self, kept: Retained, report: Report) -> tuple[str, BaseStatistics]:
        """Digest and statistics; from memory, else from the store, else computed and stored."""
        digest = self.digest(kept)
        if digest not in self._statistics:
            stored = self._stored(statistics_key(self.model_id, digest), BaseStatistics.from_bytes)
            self._statistics = {digest: stored or self._new_statistics(digest, kept, report)}
        return digest, self._statistics[digest]

    def _new_statistics(self, digest: str, kept: Retained, report: Report) -> BaseStatistics:
        kept.check()
        found = self._pulls(kept, report)
        statistics = compute_statistics(
            self.engine,
            kept.reference,
            self.reference_folder,
            self.recipe,
            report.enter,
            own=kept.rows,
            count=lambda done, total: report.count(done, total, "people or prompts"),
            found=found,
        )
        self._put(statistics_key(self.model_id, digest), statistics.to_bytes())
        return statistics

    def _pulls(self, kept: Retained, report: Report) -> Pulls:
        """From beside the model, else from the store, else computed and stored: no retain set changes them."""
        report.enter("finding the pull")
        recipe, folder = self.recipe, self.reference_folder
        key = pulls_key(self.model_id, pulls_digest(self.engine, recipe, folder))
        found = beside_model(self.engine, recipe, folder) or self._stored(key, from_bytes)
        if found is None:
            found = compute_pulls(
                self.engine, kept.reference, recipe, lambda done, total: report.count(done, total, "steps")
            )
            self._put(key, to_bytes(found, recipe))
        return found

    def _stored(self, key: str, read: Callable[[bytes], T]) -> T | None:
        """What was made before; None where it is not there, or not what was stored."""
        try:
            return read(self.keys.open(self.store.get(key), self.store.get(f"{key}.key"), key))
        except NotFound:
            return None
        except IntegrityFailure as exc:
            logger.warning("%s is computed anew: %s", key, exc.detail)
            return None

    def _put(self, key: str, blob: bytes) -> None:
        sealed = self.keys.seal(blob, key)
        self.store.put(key, sealed.blob)
        self.store.put(f"{key}.key", sealed.wrapped_key)


def refit(shop: Workshop, run_id: str, fence: int, report: Report, recipe: str | None = None) -> Outcome:
    """Build the next version from all tickets in force and publish it as a candidate.

    With `recipe` (a forward rollback) by that one, and even where the latest version covers everybody.
    Raises Unavailable where a part is away (nothing is half done), Conflict where the lease was lost, and any other
    LacunaError where no version can be made; the version that is served stays. A ticket that cannot be fitted fails
    alone, with its reason, unless it must stay forgotten: then nothing without it is published.
    """
    if recipe is not None:
        shop = replace(shop, recipe=Recipe.named(recipe))
    report.enter("gathering")
    with transaction(shop.database) as session:
        model = rows.get_model(session, shop.model_id)
        tickets = rows.tickets_in_force(session, model.id)
        latest = rows.latest_version(session, model.id)
        active = active_set(session, model.id)
        for ticket in tickets:  # so that a failure before the fit reaches them too
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitting")
    _check_model(shop, latest)
    _shred_rows(shop, model.id)
    kept = shop.retained(active, tickets)
    with transaction(shop.database) as session:
        rows.set_notes(session, run_id, fence, kept.notes)
    for note in kept.notes:
        logger.info("refit %s: %s", run_id[:8], note)
    same = (
        recipe is None
        and latest is not None
        and latest.usable
        and latest.manifest.get("statistics") == shop.digest(kept)
    )
    if same and latest is not None and latest.tickets == {ticket.id for ticket in tickets}:
        _as_before(shop, run_id, fence, tickets)
        return Outcome.NOTHING_TO_DO

    digest, statistics = shop.statistics(kept, report)

    report.enter("fitting")
    fitted = []
    for done, ticket in enumerate(tickets, 1):
        one = _rows_of(shop, statistics, digest, run_id, fence, ticket)
        fitted += [one] if one is not None else []
        report.count(done, len(tickets), "tickets")
    if same and latest is not None and latest.tickets == {one.ticket for one in fitted}:
        return Outcome.NOTHING_TO_DO  # whoever is new could not be fitted, or leaks nothing

    report.enter("assembling")
    eraser = assemble(shop.recipe, statistics, shop.engine.vlm.site, fitted)
    _self_test(shop, eraser)

    report.enter("publishing")
    _publish(shop, eraser, fitted, digest, kept, run_id, fence, model.id, report.seconds)
    return Outcome.PUBLISHED


def _as_before(shop: Workshop, run_id: str, fence: int, tickets: Sequence[Ticket]) -> None:
    with transaction(shop.database) as session:
        for ticket in tickets:
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")


def _check_model(shop: Workshop, latest: rows.Latest | None) -> None:
    """Raise SiteMismatch where the model under this id is not the one that its versions were made for.

    Another precision (a GPU instead of the CPU) is no other model: its statistics are computed anew. Its weights have
    another digest then, so they cannot be compared; chat template and processor always are.
    """
    site = shop.engine.vlm.site
    before = (latest.manifest.get("site") if latest is not None else None) or {}
    if not before:
        return
    names = {"template": "chat template", "processor": "tokenizer or image processor"}
    if before["dtype"] == site.dtype:
        names = {"base_model": "weights"} | names
    differ = [word for name, word in names.items() if before.get(name) != getattr(site, name)]
    if differ and latest is not None:
        raise SiteMismatch(
            f"The model behind {shop.model_id} is not the one that version {latest.number} and its cached statistics "
            f"were made for: {' and '.join(differ)} differ. Put it back, or serve the new model under an id of its own "
            "(LACUNA_MODEL_ID)."
        )


def _rows_of(
    shop: Workshop, statistics: BaseStatistics, digest: str, run_id: str, fence: int, ticket: Ticket
) -> TicketRows | None:
    """The rows of one ticket: those made before for the same statistics, else new ones; None where nothing leaks."""
    with transaction(shop.database) as session:
        made = rows.get_rows(session, ticket.model_id, ticket.id, digest)
    if made is not None and made.wrapped_key is not None:
        blob = shop.store.get(made.object_key)
        if hashlib.sha256(blob).hexdigest() != made.sha256:
            raise IntegrityFailure(f"The stored rows of ticket {ticket.id} were altered: their sha256 differs.")
        fitted = TicketRows.from_bytes(shop.keys.open(blob, made.wrapped_key, made.object_key))
        with transaction(shop.database) as session:
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")
        return fitted
    try:
        new = _fit_one(shop, statistics, ticket)
    except (BadInput, NotFound) as exc:
        if isinstance(exc, NeedsResubmission):
            with transaction(shop.database) as session:
                rows.set_ticket_outcome(session, run_id, fence, ticket.id, "needs_resubmission", exc.detail)
        if ticket.required_since is not None:
            raise BadInput(
                f"Without {ticket.id}, which must stay forgotten, nothing is published: {exc.detail}"
            ) from exc
        if not isinstance(exc, NeedsResubmission):
            with transaction(shop.database) as session:
                rows.set_ticket_outcome(session, run_id, fence, ticket.id, "failed", exc.detail)
        logger.warning("ticket %s cannot be fitted: %s", ticket.id, exc.detail)
        return None
    with transaction(shop.database) as session:
        if new is None:
            rows.set_ticket_outcome(session, run_id, fence, ticket.id, "no_leak_found")
            return None
        key = rows_key(ticket.tenant_id, shop.model_id, ticket.id, digest, f"{run_id[:8]}.{fence}")
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
    subject = open_material(shop.store, shop.keys, ticket, lambda: _again(shop, ticket))
    if source(ticket) == "kit":
        logger.info("ticket %s: its rows are made from its audit kit", ticket.id)
    asked = probes(subject, ticket.id)
    if len({question.prompt.turns[-1].text for question in asked}) < FEWEST_PROBES:
        raise BadInput(
            f"Ticket {ticket.id} gives too few forget prompts: {len(asked)} could be asked, {FEWEST_PROBES} different "
            "ones are needed. Add facts; what a person is called can only be asked with a photo."
        )
    told = [
        tells(answer.text, question.accept)
        for question, answer in zip(asked, shop.engine.generate([q.prompt for q in asked]), strict=True)
    ]
    share = sum(told) / len(told)
    logger.info("ticket %s: the model tells %.0f %% of %d probes", ticket.id, 100 * share, len(told))
    if share < LEAK_FLOOR:
        return None
    made = fit_subject(shop.engine, shop.recipe, statistics, ticket.id, subject)
    if not made.finite:
        raise BadInput(f"The model gives NaN or infinity on the forget prompts of ticket {ticket.id}.")
    return made


def _again(shop: Workshop, ticket: Ticket) -> Ticket:
    with transaction(shop.database) as session:
        return rows.get_ticket(session, ticket.id)


def _shred_rows(shop: Workshop, model_id: str) -> None:
    """Destroy the rows of tickets that are over: their keys, then their objects."""
    with transaction(shop.database) as session:
        gone = rows.destroy_rows_out_of_force(session, model_id)
    for key in gone:
        shop.store.delete(key)
    if gone:
        logger.info("the rows of %d tickets that are over are destroyed", len(gone))


def _self_test(shop: Workshop, eraser: Eraser) -> None:
    """The cheapest proof that the candidate can be served: it fits this model, and the model answers under it.

    What it does to answers is the audit's to say: a stated share of them may fire.
    """
    eraser.site.check(shop.engine.vlm.site)
    shop.engine.generate([Prompt.ask(shop.reference.general.fit[0])], eraser=eraser, max_new_tokens=2)


def _publish(
    shop: Workshop,
    eraser: Eraser,
    fitted: Sequence[TicketRows],
    statistics: str,
    kept: Retained,
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
            "choice": choice(shop.recipe, shop.reference_folder),
            "retain_set": kept.manifest,
            "coverage": {"root": coverage_root(commitments), "tickets": len(commitments)},
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
