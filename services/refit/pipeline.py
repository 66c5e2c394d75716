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
from dataclasses import replace
from typing import Any

from services.refit.context import RefitContext
from services.refit.fitting import fit_subject, probes
from services.refit.progress import Report
from services.refit.retain_set import RetainSide
from services.refit.steering_vectors import choice
from shared.artifacts.erasers import canonical
from shared.artifacts.subject_material import material_source, open_material
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.repositories import erasers, refits, ticket_fits
from shared.db.repositories import tickets as tickets_repository
from shared.db.repositories.retain_sets import active_set
from shared.db.session import transaction
from shared.domain.accounts import DEFAULT_TENANT
from shared.domain.prompts import Prompt
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.erasure.serialization import dump
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput, IntegrityFailure, NeedsResubmission, NotFound, SiteMismatch
from shared.evaluation.scorers import reveals
from shared.storage.object_keys import eraser_key, rows_key
from shared.transparency.coverage import coverage_root
from shared.transparency.media_types import MANIFEST_TYPE

logger = logging.getLogger(__name__)
LEAK_FLOOR = 0.05  # where the base model tells less than this share of the facts, there is nothing to forget

FEWEST_PROBES = 3  # different wordings; a person recognised from fewer is recognised by the wording


class Outcome(enum.Enum):
    """How a refit ended."""

    PUBLISHED = "published"
    NOTHING_TO_DO = "nothing_to_do"


def refit(shop: RefitContext, run_id: str, fence: int, report: Report, recipe: str | None = None) -> Outcome:
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
        model = refits.get_model(session, shop.model_id)
        tickets = tickets_repository.tickets_in_force(session, model.id)
        latest = erasers.latest_version(session, model.id)
        active = active_set(session, model.id)
        for ticket in tickets:  # so that a failure before the fit reaches them too
            refits.set_ticket_outcome(session, run_id, fence, ticket.id, "fitting")
    _check_model(shop, latest)
    _shred_rows(shop, model.id)
    kept = shop.retained(active, tickets)
    with transaction(shop.database) as session:
        refits.set_notes(session, run_id, fence, kept.notes)
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


def _as_before(shop: RefitContext, run_id: str, fence: int, tickets: Sequence[Ticket]) -> None:
    with transaction(shop.database) as session:
        for ticket in tickets:
            refits.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")


def _check_model(shop: RefitContext, latest: erasers.LatestVersion | None) -> None:
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
    shop: RefitContext, statistics: BaseStatistics, digest: str, run_id: str, fence: int, ticket: Ticket
) -> TicketFit | None:
    """The rows of one ticket: those made before for the same statistics, else new ones; None where nothing leaks."""
    with transaction(shop.database) as session:
        made = ticket_fits.find_fit(session, ticket.model_id, ticket.id, digest)
    if made is not None and made.wrapped_key is not None:
        blob = shop.store.get(made.object_key)
        if hashlib.sha256(blob).hexdigest() != made.sha256:
            raise IntegrityFailure(f"The stored rows of ticket {ticket.id} were altered: their sha256 differs.")
        fitted = TicketFit.from_bytes(shop.keys.open(blob, made.wrapped_key, made.object_key))
        with transaction(shop.database) as session:
            refits.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")
        return fitted
    try:
        new = _fit_one(shop, statistics, ticket)
    except (BadInput, NotFound) as exc:
        if isinstance(exc, NeedsResubmission):
            with transaction(shop.database) as session:
                refits.set_ticket_outcome(session, run_id, fence, ticket.id, "needs_resubmission", exc.detail)
        if ticket.required_since is not None:
            raise BadInput(
                f"Without {ticket.id}, which must stay forgotten, nothing is published: {exc.detail}"
            ) from exc
        if not isinstance(exc, NeedsResubmission):
            with transaction(shop.database) as session:
                refits.set_ticket_outcome(session, run_id, fence, ticket.id, "failed", exc.detail)
        logger.warning("ticket %s cannot be fitted: %s", ticket.id, exc.detail)
        return None
    with transaction(shop.database) as session:
        if new is None:
            refits.set_ticket_outcome(session, run_id, fence, ticket.id, "no_leak_found")
            return None
        key = rows_key(ticket.tenant_id, shop.model_id, ticket.id, digest, f"{run_id[:8]}.{fence}")
        sealed = shop.keys.seal(new.to_bytes(), key)
        shop.store.put(key, sealed.blob)
        ticket_fits.record_fit(
            session,
            model_id=ticket.model_id,
            ticket_id=ticket.id,
            digest=digest,
            object_key=key,
            sha256=hashlib.sha256(sealed.blob).hexdigest(),
            wrapped_key=sealed.wrapped_key,
        )
        refits.set_ticket_outcome(session, run_id, fence, ticket.id, "fitted")
    return new


def _fit_one(shop: RefitContext, statistics: BaseStatistics, ticket: Ticket) -> TicketFit | None:
    subject = open_material(shop.store, shop.keys, ticket, lambda: _again(shop, ticket))
    if material_source(ticket) == "kit":
        logger.info("ticket %s: its rows are made from its audit kit", ticket.id)
    asked = probes(subject, ticket.id)
    if len({question.prompt.turns[-1].text for question in asked}) < FEWEST_PROBES:
        raise BadInput(
            f"Ticket {ticket.id} gives too few forget prompts: {len(asked)} could be asked, {FEWEST_PROBES} different "
            "ones are needed. Add facts; what a person is called can only be asked with a photo."
        )
    told = [
        reveals(answer.text, question.accept)
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


def _again(shop: RefitContext, ticket: Ticket) -> Ticket:
    with transaction(shop.database) as session:
        return tickets_repository.reload_ticket(session, ticket.id)


def _shred_rows(shop: RefitContext, model_id: str) -> None:
    """Destroy the rows of tickets that are over: their keys, then their objects."""
    with transaction(shop.database) as session:
        gone = ticket_fits.destroy_fits_of_closed_tickets(session, model_id)
    for key in gone:
        shop.store.delete(key)
    if gone:
        logger.info("the rows of %d tickets that are over are destroyed", len(gone))


def _self_test(shop: RefitContext, eraser: Eraser) -> None:
    """The cheapest proof that the candidate can be served: it fits this model, and the model answers under it.

    What it does to answers is the audit's to say: a stated share of them may fire.
    """
    eraser.site.check(shop.engine.vlm.site)
    shop.engine.generate([Prompt.ask(shop.reference.general.fit[0])], eraser=eraser, max_new_tokens=2)


def _publish(
    shop: RefitContext,
    eraser: Eraser,
    fitted: Sequence[TicketFit],
    statistics: str,
    kept: RetainSide,
    run_id: str,
    fence: int,
    model_id: str,
    seconds: Callable[[], Any],
) -> None:
    """Write the object first and the row second: a version that is seen can be fetched."""
    with transaction(shop.database) as session:
        number = erasers.next_version_number(session, model_id)
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
        new = erasers.NewVersion(
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
        version = erasers.add_version(session, run_id, fence, new)
        refits.finish_run(session, run_id, fence, "succeeded", version_id=version.id, seconds=seconds())
    logger.info("version %d is a candidate: %d tickets, %.0f kB", number, len(fitted), len(sealed.blob) / 1000)
