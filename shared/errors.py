"""The project's own errors. Each has the HTTP status and the problem type (RFC 9457) that it becomes in an answer.

`problem()` gives the body, which shared/core/http.py sends. The command line prints `detail`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

PROBLEM_BASE = "/v1/problems/"  # served by the request service; RFC 9457 allows a relative reference


class LacunaError(Exception):
    """Something went wrong. `detail` tells a user what, in a sentence."""

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
    """An unknown path, a wrong method or a body that cannot be read: the status says which."""

    status, code, title = 400, "http", "The request cannot be served"


class BadInput(LacunaError):
    status, code, title = 422, "bad-input", "The request cannot be used as it is"


class Diverged(BadInput):
    """A training whose loss is not a finite number any more."""

    code, title = "diverged", "The training diverged"


class BadCursor(LacunaError):
    status, code, title = 400, "bad-cursor", "The cursor cannot be used here"


class KeyReused(BadInput):
    code, title = "idempotency-key-reused", "This Idempotency-Key was used for another request"


class RequestTimeout(LacunaError):
    status, code, title = 408, "request-timeout", "The request took too long to arrive"


class LengthRequired(LacunaError):
    status, code, title = 411, "length-required", "A request with a body has to state its length"


class UnsupportedMedia(LacunaError):
    status, code, title = 415, "unsupported-media", "The media type is not supported"


class TooManyRequests(LacunaError):
    status, code, title = 429, "too-many-requests", "Too many requests"


class TooLarge(LacunaError):
    status, code, title = 413, "too-large", "The request is larger than allowed"


class Unauthorized(LacunaError):
    status, code, title = 401, "unauthorized", "No valid key was given"


class Forbidden(LacunaError):
    status, code, title = 403, "forbidden", "This key is not allowed to do this"


class NotFound(LacunaError):
    status, code, title = 404, "not-found", "What was asked for does not exist"


class Conflict(LacunaError):
    status, code, title = 409, "conflict", "The current state does not allow this"


class InFlight(Conflict):
    code, title = "in-flight", "The first request with this Idempotency-Key is still being processed"


class NeedsResubmission(NotFound):
    status, code, title = 409, "needs-resubmission", "The material of the ticket is gone: it has to be filed again"


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


class MaterialUnseen(Conflict):
    code, title = "material-unseen", "Whoever approves a ticket has to know whom it is about"


class IdentityInDoubt(Conflict):
    code, title = "identity-in-doubt", "The identity of the person who asks is in doubt (Article 12(6))"


class ReasonMissing(LacunaError):
    status, code, title = 422, "reason-missing", "A decision has to state its reason"


class OwnAuditFailed(Conflict):
    code, title = "own-audit-failed", "The ticket's own figures did not pass the audit"


class NotAcknowledged(Conflict):
    code, title = "not-acknowledged", "Not every live replica serves a version that covers the ticket"


class OnHold(Conflict):
    code, title = "legal-hold", "The ticket is under a legal hold"


class TooLateToExtend(Conflict):
    code, title = "too-late-to-extend", "The period can only be extended before it ends (Article 12(3))"


class StaleRestore(LacunaError):
    """The database is older than what was already served."""

    status, code, title = 503, "stale-restore", "The database was restored from an old backup"


class PreconditionFailed(LacunaError):
    status, code, title = 412, "precondition-failed", "Somebody else has changed it in the meantime"


class PreconditionRequired(LacunaError):
    status, code, title = 428, "precondition-required", "A change has to state the version that it is based on"


class NotReady(LacunaError):
    status, code, title = 503, "not-ready", "The service is not ready"


class Unavailable(LacunaError):
    """A backend (database, broker, object store) cannot be reached. Trying again may help."""

    status, code, title = 503, "unavailable", "A backend cannot be reached"


class StoreUnavailable(Unavailable):
    code, title = "store-unavailable", "The object store cannot be reached"


class KeysUnavailable(Unavailable):
    code, title = "keys-unavailable", "The key service cannot be used"


class IntegrityFailure(LacunaError):
    """Bytes do not match their digest, signature, schema or model."""

    status, code, title = 500, "integrity-failure", "An artifact was altered, or is not what it claims to be"


class SiteMismatch(IntegrityFailure):
    code, title = "site-mismatch", "The eraser was made for another model"


def problem_types() -> dict[str, type[LacunaError]]:
    """Every problem type by its code."""
    types, pending = {LacunaError.code: LacunaError}, [LacunaError]
    while pending:
        for kind in pending.pop().__subclasses__():
            if kind.__module__ == __name__:
                types[kind.code] = kind
                pending.append(kind)
    return dict(sorted(types.items()))
