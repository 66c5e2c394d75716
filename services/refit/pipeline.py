"""The refit, whole: from the tickets in force to a signed candidate version. Read it from top to bottom.

    gather -> statistics -> for each ticket: payload -> probes -> base answers -> fit
           -> assemble -> self-test -> manifest, sign, seal, store, publish

Raw material is in memory only inside `_fit_ticket` and, while photographs are hashed, in `PhotoHashCache`. Every write
is fenced or immutable, so a run may be repeated or killed at any line. The pipeline knows nothing of queues
(`tasks.py`) or of HTTP; what it reads and writes in the database is in `run_record.py`.
"""

import enum
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from services.refit.context import RefitContext
from services.refit.fitting import fit_subject, probes, resemblance, unused_material
from services.refit.retain_set import RetainSide
from services.refit.run_record import RunRecord
from services.refit.steering_vectors import hyperparameter_choice
from shared.artifacts.erasers import canonical
from shared.artifacts.subject_material import material_source, open_material
from shared.core.clock import utc_now
from shared.core.progress import Progress
from shared.db.models.refits import StoredTicketFit
from shared.db.models.tickets import Ticket
from shared.db.repositories import erasers
from shared.domain.prompts import Prompt
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.serialization import dump
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput, IntegrityFailure, NeedsResubmission, NotFound, SiteMismatch
from shared.evaluation.known_facts import other_people, with_facts_to_ask
from shared.evaluation.scorers import reveals
from shared.storage.object_keys import eraser_key, rows_key
from shared.transparency.coverage import coverage_root
from shared.transparency.media_types import MANIFEST_TYPE

logger = logging.getLogger(__name__)
LEAK_FLOOR = 0.05  # where the base model reveals less than this share of the facts, there is nothing to forget
FEWEST_PROBES = 3  # different wordings; a person recognised from fewer is recognised by the wording


class Outcome(enum.Enum):
    """How a refit ended."""

    PUBLISHED = "published"
    NOTHING_TO_DO = "nothing_to_do"


def refit(context: RefitContext, run: RunRecord, progress: Progress, recipe: str | None = None) -> Outcome:
    """Build the next version from all tickets in force and publish it as a candidate.

    `recipe` is that of a forward rollback: the version is then built by that recipe, even where the latest version
    covers everybody. A ticket that cannot be fitted fails alone, with its reason, unless it must stay forgotten: then
    nothing is published without it.

    Raises Unavailable where a part is away (nothing is half done), Conflict where the lease was lost, and any other
    LacunaError where no version can be built; the version that is served stays.
    """
    progress.enter("gathering")
    gathered = run.gather()
    tickets, latest = gathered.tickets, gathered.latest
    _delete_retired_fits(context, gathered.retired_objects)
    _check_model(context, latest)
    context.ensure_profile(progress)
    if recipe is not None:
        context = replace(context, recipe=context.recipe_named(recipe))
    retain_side = context.retain_side(gathered.retain_set, tickets)
    run.write_notes(retain_side.notes)
    for note in retain_side.notes:
        logger.info("refit %s: %s", run.short_id, note)
    digest = context.statistics_digest(retain_side)
    tickets = [*tickets, *run.tickets_to_retry(digest)]
    same_statistics = (
        recipe is None and latest is not None and latest.usable and latest.manifest.get("statistics") == digest
    )
    if same_statistics and latest is not None and latest.tickets == {ticket.id for ticket in tickets}:
        run.mark_fitted(ticket.id for ticket in tickets)
        return Outcome.NOTHING_TO_DO

    statistics = context.statistics(retain_side, progress)

    progress.enter("fitting")
    unused: list[str] = []
    fits = _fit_tickets(context, run, statistics, digest, tickets, progress, unused)
    if unused:
        run.write_notes([*retain_side.notes, *unused])
    if same_statistics and latest is not None and latest.tickets == {fit.ticket for fit in fits}:
        return Outcome.NOTHING_TO_DO  # every new ticket failed, or the model reveals nothing about its person

    progress.enter("assembling")
    eraser = assemble(context.recipe, statistics, context.engine.vlm.site, fits)
    _self_test(context, eraser)

    progress.enter("publishing")
    _publish(context, run, eraser, fits, digest, retain_side, progress)
    return Outcome.PUBLISHED


def _delete_retired_fits(context: RefitContext, object_keys: Sequence[str]) -> None:
    """Delete the objects of fits whose keys were taken away: no process reads them any more."""
    for key in object_keys:
        context.store.delete(key)
    if object_keys:
        logger.info("the fits of tickets that are over are removed: %d", len(object_keys))


def _check_model(context: RefitContext, latest: erasers.LatestVersion | None) -> None:
    """Raise SiteMismatch where the model under this id is not the one that its versions were made for.

    Another precision (a GPU instead of the CPU) does not make another model: its statistics are computed anew. Its
    weights then have another digest, so they cannot be compared; chat template and processor always are.
    """
    site = context.engine.vlm.site
    before = (latest.manifest.get("site") if latest is not None else None) or {}
    if not before:
        return
    compared = {"template": "chat template", "processor": "tokenizer or image processor"}
    if before["dtype"] == site.dtype:
        compared = {"base_model": "weights"} | compared
    differ = [word for name, word in compared.items() if before.get(name) != getattr(site, name)]
    if differ and latest is not None:
        raise SiteMismatch(
            f"The model behind {context.model_id} is not the one that version {latest.number} and its cached "
            f"statistics were made for: {' and '.join(differ)} differ. Put it back, or serve the new model under an id "
            "of its own (LACUNA_MODEL_ID)."
        )


def _fit_tickets(
    context: RefitContext,
    run: RunRecord,
    statistics: BaseStatistics,
    digest: str,
    tickets: Sequence[Ticket],
    progress: Progress,
    unused: list[str],
) -> list[TicketFit]:
    """The fits of `tickets`, in their order: those stored for the same statistics, else new ones.

    Sentences about what a new fit could not use of its ticket are added to `unused`.
    """
    stored = run.stored_fits(tickets, digest)
    fits: dict[str, TicketFit] = {}
    for ticket_id, row in stored.items():
        fits[ticket_id] = _open_fit(context, row)
        progress.count(len(fits), len(tickets), "tickets")
    run.mark_fitted(fits)
    without_fit = [ticket for ticket in tickets if ticket.id not in stored]
    for done, ticket in enumerate(without_fit, len(stored) + 1):
        fit = _fit_or_fail(context, run, statistics, digest, ticket, unused)
        if fit is not None:
            fits[ticket.id] = fit
        progress.count(done, len(tickets), "tickets")
    return [fits[ticket.id] for ticket in tickets if ticket.id in fits]


def _open_fit(context: RefitContext, row: StoredTicketFit) -> TicketFit:
    """A stored fit; raises IntegrityFailure where it was altered."""
    blob = context.store.get(row.object_key)
    if row.wrapped_key is None or hashlib.sha256(blob).hexdigest() != row.sha256:
        raise IntegrityFailure(f"The stored rows of ticket {row.ticket_id} were altered: their sha256 differs.")
    return TicketFit.from_bytes(context.keys.open(blob, row.wrapped_key, row.object_key))


def _fit_or_fail(
    context: RefitContext,
    run: RunRecord,
    statistics: BaseStatistics,
    digest: str,
    ticket: Ticket,
    unused: list[str],
) -> TicketFit | None:
    """Fit the ticket, store the fit and record the outcome; None where there is no fit in this version.

    Raises BadInput where the ticket cannot be fitted and must stay forgotten.
    """
    try:
        fit = _fit_ticket(context, run, statistics, ticket, unused)
    except (BadInput, NotFound) as exc:
        outcome = "needs_resubmission" if isinstance(exc, NeedsResubmission) else "failed"
        if outcome == "needs_resubmission" or ticket.required_since is None:
            run.set_outcome(ticket.id, outcome, exc.detail)
        if ticket.required_since is not None:
            raise BadInput(
                f"Without {ticket.id}, which must stay forgotten, nothing is published: {exc.detail}"
            ) from exc
        logger.warning("ticket %s cannot be fitted: %s", ticket.id, exc.detail)
        return None
    if fit is None:
        run.set_outcome(ticket.id, "no_leak_found")
        return None
    key = rows_key(ticket.tenant_id, context.model_id, ticket.id, digest, f"{run.short_id}.{run.fence}")
    sealed = context.keys.seal(fit.to_bytes(), key, shreddable=True)
    context.store.put(key, sealed.blob)
    run.add_fit(ticket, digest, key, hashlib.sha256(sealed.blob).hexdigest(), sealed.wrapped_key)
    return fit


def _fit_ticket(
    context: RefitContext, run: RunRecord, statistics: BaseStatistics, ticket: Ticket, unused: list[str]
) -> TicketFit | None:
    """Ask the base model about the person and fit the gate; None where the model reveals next to nothing.

    A ticket that lists no facts is asked about by what the model tells of the person.

    Raises BadInput where there is too little to ask, or where the photographs cannot be told from somebody who must
    stay, and NeedsResubmission where the material is gone.
    """
    subject = open_material(context.store, context.keys, ticket, lambda: run.reload_ticket(ticket))
    if material_source(ticket) == "kit":
        logger.info("ticket %s: the fit is made from its audit kit", ticket.id)
    if subject.photos and not subject.names and not context.engine.reads_pictures:
        raise BadInput(f"Ticket {ticket.id} has photographs alone, and the model reads no pictures. Add a name.")
    others = other_people(context.reference)
    subject = with_facts_to_ask(context.engine, subject, others.names)
    if not subject.facts:
        return None
    questions = probes(context.engine.readable(subject), ticket.id)
    if len({question.prompt.turns[-1].text for question in questions}) < FEWEST_PROBES:
        raise BadInput(
            f"Ticket {ticket.id} gives too few forget prompts: {len(questions)} could be asked, {FEWEST_PROBES} "
            "different ones are needed. Add facts; what a person is called can only be asked with a photo."
        )
    answers = context.engine.generate([question.prompt for question in questions])
    revealed = [reveals(answer.text, question.accept) for question, answer in zip(questions, answers, strict=True)]
    share = sum(revealed) / len(revealed)
    logger.info("ticket %s: the model reveals the fact in %.0f %% of %d probes", ticket.id, 100 * share, len(revealed))
    if share < LEAK_FLOOR:
        return None
    fit = fit_subject(
        context.engine,
        context.recipe,
        statistics,
        ticket.id,
        subject,
        context.keys.secret("fingerprints"),
        others,
    )
    if not fit.is_finite:
        raise BadInput(f"The model gives NaN or infinity on the forget prompts of ticket {ticket.id}.")
    notes = unused_material(context.engine, statistics, ticket.id, subject)
    resembled = resemblance(statistics, fit, ticket.id)
    if resembled is not None:
        if ticket.required_since is None:
            raise BadInput(resembled)
        notes.append(resembled)  # it must stay forgotten, and moves nobody else's thresholds
    for note in notes:
        logger.warning("%s", note)
    unused.extend(notes)
    return fit


def _self_test(context: RefitContext, eraser: Eraser) -> None:
    """The cheapest proof that the candidate can be served: it fits this model, and the model answers under it.

    How it changes answers is for the audit to measure: a stated share of them may fire.
    """
    eraser.site.check(context.engine.vlm.site)
    context.engine.generate([Prompt.ask(context.reference.general.fit[0])], eraser=eraser, max_new_tokens=2)


def _publish(
    context: RefitContext,
    run: RunRecord,
    eraser: Eraser,
    fits: Sequence[TicketFit],
    digest: str,
    retain_side: RetainSide,
    progress: Progress,
) -> None:
    """Store the object first and add the version second: a version that can be seen can be fetched."""
    number = run.next_version_number()
    commitments = {fit.ticket: fit.sha256 for fit in fits}
    blob, manifest = dump(
        eraser,
        {
            "model": context.model_id,
            "tenant": run.tenant,
            "number": number,
            "run": run.run_id,
            "created_at": utc_now().isoformat(),
            "statistics": digest,
            **({"profile": profile} if (profile := context.profile_digest()) else {}),
            "choice": hyperparameter_choice(context.recipe, context.reference),
            "retain_set": retain_side.manifest,
            "coverage": {"root": coverage_root(commitments), "tickets": len(commitments)},
            "tickets": [{"ticket": ticket, "rows_sha256": sha} for ticket, sha in sorted(commitments.items())],
        },
    )
    key = eraser_key(context.model_id, number, hashlib.sha256(blob).hexdigest())
    sealed = context.keys.seal(blob, key)
    context.store.put(key, sealed.blob)
    version = erasers.NewVersion(
        model_id=context.model_id,
        number=number,
        recipe=context.recipe.name,
        object_key=key,
        sha256=hashlib.sha256(sealed.blob).hexdigest(),
        size_bytes=len(sealed.blob),
        manifest=manifest,
        envelope=context.signer.sign(canonical(manifest), MANIFEST_TYPE),
        wrapped_key=sealed.wrapped_key,
        tickets=commitments,
    )
    run.publish(version, seconds=progress.seconds())
    logger.info("version %d is a candidate: %d tickets, %.0f kB", number, len(fits), len(sealed.blob) / 1000)
