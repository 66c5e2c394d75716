"""How the console calls what the API names by codes, and which colour and sign a state has.

A colour never stands alone: each chip has a sign and a word.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.request.documents.language import mark

Tone = Literal["calm", "good", "busy", "warn", "bad"]

LABELS: Final = {
    # states of a ticket
    "received": mark("received"),
    "identity_pending": mark("identity in doubt"),
    "under_review": mark("to review"),
    "approved": mark("approved"),
    "scheduled": mark("scheduled"),
    "fitting": mark("being fitted"),
    "auditing": mark("being audited"),
    "deploying": mark("being deployed"),
    "completed": mark("completed"),
    "rejected": mark("refused"),
    "withdrawn": mark("withdrawn"),
    "duplicate": mark("duplicate"),
    "expired": mark("expired"),
    "failed": mark("failed"),
    "regressed": mark("exposed again"),
    # reviews
    "possible_namesake": mark("possible namesake"),
    "adds_material": mark("says more than an earlier request"),
    "original_ended": mark("no duplicate any more"),
    "no_leak_found": mark("the model tells nothing"),
    "set_aside": mark("set aside after its audit"),
    "own_audit_failed": mark("its own audit failed"),
    "nightly_audit_failed": mark("a nightly audit was told facts"),
    "needs_resubmission": mark("has to be filed again"),
    # grounds of an approval, Article 17(1) GDPR
    "no_longer_necessary": mark("(a) no longer necessary"),
    "consent_withdrawn": mark("(b) consent withdrawn"),
    "objection": mark("(c) objection"),
    "unlawful_processing": mark("(d) unlawful processing"),
    "legal_obligation": mark("legal obligation"),
    "child_services": mark("(f) services offered to a child"),
    "deletion_request": mark("the request itself"),
    # reasons of a refusal; each law has some of them (services/request/letters/laws.py)
    "freedom_of_expression": mark("freedom of expression"),
    "public_health": mark("public health"),
    "archiving": mark("archiving, research or statistics"),
    "legal_claims": mark("legal claims"),
    "manifestly_unfounded": mark("manifestly unfounded"),
    "excessive": mark("excessive"),
    "no_match": mark("nobody found"),
    "not_applicable": mark("the law does not apply"),
    "insufficient_verification": mark("identity not proved"),
    "transaction": mark("a transaction or contract"),
    "security": mark("security and integrity"),
    "debugging": mark("repair of errors"),
    "electronic_communications": mark("electronic communications act"),
    "research": mark("research with consent"),
    "internal_use": mark("expected internal use"),
    # letters to the person, and the buttons that write them
    "letter.receipt": mark("confirmation of receipt"),
    "letter.extension": mark("extension of the deadline"),
    "letter.information": mark("request for information"),
    "letter.completion": mark("completion"),
    "letter.refusal": mark("refusal"),
    "write.receipt": mark("Confirm the receipt"),
    "write.extension": mark("Tell of the extension"),
    "write.information": mark("Ask for information"),
    "write.completion": mark("Tell of the completion"),
    "write.refusal": mark("Tell of the refusal"),
    # identity
    "assumed": mark("assumed"),
    "verified": mark("verified"),
    "doubted": mark("in doubt"),
    "account_login": mark("login to an account"),
    "email_link": mark("link by e-mail"),
    "id_document": mark("identity document"),
    "in_person": mark("in person"),
    "representative": mark("representative"),
    "other": mark("other"),
    # events of a ticket and its clock
    "assigned": mark("assigned"),
    "unassigned": mark("assigned to nobody"),
    "edited": mark("material changed"),
    "distinguished": mark("decided to be another person"),
    "material.shown": mark("material looked at"),
    "contact.shown": mark("contact looked at"),
    "drop.removed": mark("request taken back at DROP"),
    "drp.received": mark("sent by an agent"),
    "drp.revoked": mark("taken back by the agent"),
    "email": mark("e-mail address"),
    "phone_number": mark("telephone number"),
    "address": mark("postal address"),
    "hold.set": mark("legal hold set"),
    "hold.release_asked": mark("release of the hold asked for"),
    "hold.released": mark("legal hold released"),
    "clock.extended": mark("deadline extended"),
    "clock.paused": mark("clock paused"),
    "clock.resumed": mark("clock goes on"),
    "identity.verified": mark("identity verified"),
    "identity.doubted": mark("identity doubted"),
    "paused": mark("paused"),
    "resumed": mark("goes on"),
    "extended": mark("extended"),
    "stopped": mark("stopped"),
    "running": mark("running"),
    # laws
    "gdpr": mark("GDPR"),
    "uk_gdpr": mark("UK GDPR"),
    "ccpa": mark("CCPA"),
    "fit": mark("fit"),
    "calibration": mark("calibration"),
    "held_out": mark("held out"),
    # refits, audits, replicas, deliveries
    "queued": mark("waits for its audit"),
    "waiting": mark("waiting"),
    "ordered": mark("ordered"),
    "succeeded": mark("succeeded"),
    "passed": mark("passed"),
    "serving": mark("serving"),
    "delivered": mark("delivered"),
    "given_up": mark("given up"),
    # stages of a refit, what is counted in them, and stages of an audit, as the workers write them
    "claimed": mark("a worker has begun"),
    "gathering": mark("gathering the requests"),
    "profiling the model": mark("profiling the model"),
    "finding the steering vectors": mark("finding the steering vectors"),
    "reading the retain set": mark("reading the retain set"),
    "measuring how sure the model is of its answers": mark("measuring how sure the model is of its answers"),
    "reading the calibration set": mark("reading the calibration set"),
    "assembling": mark("assembling and testing the version"),
    "publishing": mark("storing and signing the version"),
    "people or prompts": mark("people or prompts"),
    "steps": mark("steps"),
    "tickets": mark("requests"),
    "questions": mark("questions"),
    "attacks": mark("attacks"),
    "asking about the tickets": mark("asking about the requests"),
    "attacking the tickets": mark("attacking the requests"),
    "asking near the tickets": mark("asking near the requests"),
    "asking the visible set": mark("asking what anybody sees in the photographs"),
    "integrity": mark("checking that other answers stay the same"),
    "the paper's tasks": mark("asking the paper's tasks"),
    "nightly": mark("nightly"),
    "urgent": mark("urgent"),
    "forward": mark("roll-forward"),
    "initial": mark("first"),
    "asked": mark("asked for"),
    "open": mark("open"),
    "ended": mark("ended"),
    "confirmed": mark("confirmed"),
    "lapsed": mark("lapsed"),
    # roles
    "requester": mark("requester"),
    "officer": mark("officer"),
    "approver": mark("approver"),
    "auditor": mark("auditor"),
    "operator": mark("operator"),
    "admin": mark("administrator"),
    "client": mark("client of the model"),
}

# What a page says after a form was carried out.
DONE: Final = {
    "submit": mark("The request is filed."),
    "approve": mark("The request is approved."),
    "reject": mark("The request is refused. The letter to the person is ready."),
    "withdraw": mark("The request is withdrawn."),
    "edit": mark("The material is changed. Whoever changed it cannot approve it."),
    "identity": mark("The identity check is recorded."),
    "extend": mark("The deadline is extended. The letter to the person is ready."),
    "letter": mark("The letter is recorded."),
    "hold": mark("The material is under a legal hold."),
    "release": mark("The release of the hold is recorded."),
    "distinguish": mark("It is recorded that it is about another person."),
    "assign": mark("It is recorded who handles it."),
    "view": mark("The view is saved."),
    "end-view": mark("The view is deleted."),
    "refit": mark("A refit is ordered."),
    "promote": mark("The version is promoted. The replicas follow within seconds."),
    "rollback": mark("The earlier version is promoted. The replicas follow within seconds."),
    "forward": mark("A new version by the older recipe is ordered."),
    "break-glass": mark("It is asked for. Another administrator has to confirm it."),
    "grant": mark("It is asked for. Another administrator has to confirm it."),
    "disable-person": mark("The account is disabled. Its keys and sessions are refused."),
    "confirm": mark("It is confirmed."),
    "end": mark("It is ended."),
    "revoke": mark("The key is revoked. Its sessions have ended."),
    "retain": mark("The retain set is added. The next refit uses it."),
    "use": mark("The choice is recorded. The next refit uses it."),
    "disable": mark("Nothing more is sent to this address."),
    "test": mark("A test message is on its way: the list below shows what becomes of it."),
}

_TONES: Final[dict[str, Tone]] = {
    "under_review": "warn", "identity_pending": "warn", "approved": "busy", "scheduled": "busy", "fitting": "busy",
    "auditing": "busy", "deploying": "busy", "completed": "good", "failed": "bad", "regressed": "bad",
    "passed": "good", "succeeded": "good", "serving": "good", "delivered": "good", "running": "busy",
    "waiting": "busy", "queued": "busy", "given_up": "bad", "open": "bad", "asked": "warn", "verified": "good",
    "confirmed": "good", "doubted": "warn", "possible_namesake": "warn", "loading": "busy",
}  # fmt: skip
SIGNS: Final[dict[Tone, str]] = {"calm": "○", "good": "✓", "busy": "◔", "warn": "◆", "bad": "■"}
SOON_S: Final = 7 * 86_400  # a week before the last day the light turns to amber


@dataclass(frozen=True)
class Light:
    """The traffic light of a clock: its colour, and the moment or state that the words beside it speak of."""

    tone: Tone
    kind: Literal["overdue", "soon", "later", "paused", "stopped"]


def label(code: str) -> str:
    """The English words for a code; a code that nobody named is shown as it is, with blanks."""
    return LABELS.get(code, code.replace("_", " "))


def tone(code: str) -> Tone:
    """The colour of a state."""
    return _TONES.get(code, "calm")


def light(clock: str, due_at: datetime | None, now: datetime) -> Light:
    """The light of a clock that is `running`, `paused` or `stopped`."""
    if clock == "stopped" or due_at is None:
        return Light("calm", "stopped")
    if clock == "paused":
        return Light("calm", "paused")
    left_s = (due_at - now).total_seconds()
    if left_s < 0:
        return Light("bad", "overdue")
    return Light("warn", "soon") if left_s < SOON_S else Light("good", "later")
