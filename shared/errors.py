"""The project's own errors. Each carries the HTTP status and the problem type (RFC 9457) that an API answers with.

Knows nothing of HTTP frameworks: `problem()` gives the body, the services render it. A command line prints `detail`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

PROBLEM_BASE = "/v1/problems/"  # answered by the request service; RFC 9457 allows a relative reference


class LacunaError(Exception):
    """Something went wrong that a user can be told in a sentence (`detail`)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, Any] = extra

    def problem(self) -> dict[str, Any]:
        """The `application/problem+json` body (RFC 9457, section 3)."""
        return {
            "type": PROBLEM_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class HttpError(LacunaError):
    """An unknown path, a wrong method, a body that is not what it says: the status tells which."""

    status, code, title = 400, "http", "The request cannot be served"


class BadInput(LacunaError):
    status, code, title = 422, "bad-input", "The request cannot be used as it is"


class Diverged(BadInput):
    """A training whose loss is no number any more."""

    code, title = "diverged", "The training ran away"


class BadCursor(LacunaError):
    status, code, title = 400, "bad-cursor", "The cursor cannot be used here"


class KeyReused(BadInput):
    code, title = "idempotency-key-reused", "This Idempotency-Key was used for another request"


class LengthRequired(LacunaError):
    status, code, title = 411, "length-required", "A body has to say how long it is"


class UnsupportedMedia(LacunaError):
    status, code, title = 415, "unsupported-media", "Not a media type that is read here"


class TooManyRequests(LacunaError):
    status, code, title = 429, "too-many-requests", "Too many requests"


class TooLarge(LacunaError):
    status, code, title = 413, "too-large", "The request is larger than allowed"


class Unauthorized(LacunaError):
    status, code, title = 401, "unauthorized", "No valid key was given"


class Forbidden(LacunaError):
    status, code, title = 403, "forbidden", "This key may not do that"


class NotFound(LacunaError):
    status, code, title = 404, "not-found", "There is no such thing"


class Conflict(LacunaError):
    status, code, title = 409, "conflict", "The present state does not allow that"


class InFlight(Conflict):
    code, title = "in-flight", "The first request with this Idempotency-Key is still being carried out"


class NeedsResubmission(NotFound):
    status, code, title = 409, "needs-resubmission", "Nothing is left from which it could be made anew"


class FourEyes(Forbidden):
    code, title = "four-eyes", "A second person has to do this"


class DutiesMixed(Forbidden):
    code, title = "duties-mixed", "These roles exclude each other"


class InsufficientScope(Forbidden):
    code, title = "scope", "This key was not given that scope"


class RollbackWouldReexpose(Conflict):
    code, title = "rollback-would-reexpose", "That version does not cover everyone who must stay forgotten"


class NotAudited(Conflict):
    code, title = "not-audited", "Only a version that passed its audit can be promoted"


class IdentityInDoubt(Conflict):
    code, title = "identity-in-doubt", "First it has to be known who asks (Article 12(6))"


class ReasonMissing(LacunaError):
    status, code, title = 422, "reason-missing", "A decision needs its reason"


class OwnAuditFailed(Conflict):
    code, title = "own-audit-failed", "The ticket's own figures did not pass"


class NotAcknowledged(Conflict):
    code, title = "not-acknowledged", "Not every replica serves a version that covers it"


class OnHold(Conflict):
    code, title = "legal-hold", "A legal hold keeps it as it is"


class TooLateToExtend(Conflict):
    code, title = "too-late-to-extend", "The time can only be extended inside the first period (Article 12(3))"


class StaleRestore(LacunaError):
    """The database is older than what was served before."""

    status, code, title = 503, "stale-restore", "The database was restored from an old backup"


class PreconditionFailed(LacunaError):
    status, code, title = 412, "precondition-failed", "It was changed by somebody else in the meantime"


class PreconditionRequired(LacunaError):
    status, code, title = 428, "precondition-required", "A change has to say what it is based on"


class NotReady(LacunaError):
    status, code, title = 503, "not-ready", "Not ready to serve"


class Unavailable(LacunaError):
    """A part that Lacuna stands on (database, broker, object store) cannot be reached; trying again may help."""

    status, code, title = 503, "unavailable", "A needed part cannot be reached"


class StoreUnavailable(Unavailable):
    code, title = "store-unavailable", "The object store cannot be reached"


class KeysUnavailable(Unavailable):
    code, title = "keys-unavailable", "The key service cannot be used"


class IntegrityFailure(LacunaError):
    """Bytes are not what their digest, signature, schema or site says."""

    status, code, title = 500, "integrity-failure", "An artifact is not what it claims to be"


class SiteMismatch(IntegrityFailure):
    code, title = "site-mismatch", "The eraser was made for another model"


def problem_types() -> dict[str, type[LacunaError]]:
    """Every problem type by its code."""
    found, waiting = {LacunaError.code: LacunaError}, [LacunaError]
    while waiting:
        for one in waiting.pop().__subclasses__():
            if one.__module__ == __name__:
                found[one.code] = one
                waiting.append(one)
    return dict(sorted(found.items()))
