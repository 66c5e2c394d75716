"""What to do about each type of problem; `python -m services.request.problems.catalogue` writes docs/problems.md."""

from pathlib import Path
from typing import Final

from shared.errors import PROBLEM_BASE, problem_types

ADVICE: Final[dict[str, str]] = {
    "bad-cursor": "Start the list again: a cursor belongs to the query that made it, with its filters.",
    "bad-input": "The detail names the member and what is wrong with it. What was sent is not repeated.",
    "conflict": "Read the resource again: its state does not allow this now.",
    "diverged": "The step size of the recipe is too large for this set.",
    "duties-mixed": "Use another key or account: auditors hold no other role, operators none that reads payloads.",
    "forbidden": "Ask an administrator for one of the roles that the detail names.",
    "four-eyes": "Another person has to do it: nobody who filed, edited or asked for it, under whatever key.",
    "http": "The path, the method or the media type is wrong; the status says which.",
    "idempotency-key-reused": "Draw a new Idempotency-Key for a new request.",
    "identity-in-doubt": "Record how the identity was checked, then decide.",
    "in-flight": "Wait and send the same request again: it gets the answer of the first one.",
    "integrity-failure": "A caller cannot repair this: tell the operator, and do not use the artifact.",
    "internal": "Try again; if it happens again, give the operator the request_id of the answer.",
    "keys-unavailable": "Try again after the seconds of Retry-After; the operator checks Vault and its token.",
    "legal-hold": "Two people have to release the hold first.",
    "length-required": "Send Content-Length (any ordinary client does).",
    "material-unseen": "Send every name of the ticket in names, or look at its material first.",
    "needs-resubmission": "File the person's ticket again, then withdraw the old one.",
    "not-acknowledged": "Wait until every live replica serves a version that covers it.",
    "not-audited": "Wait for the audit to pass, or find out why it failed.",
    "not-found": "It does not exist, or not for your tenant.",
    "not-ready": "Try again after the seconds of Retry-After.",
    "own-audit-failed": "Look at the audit of the version and refit.",
    "precondition-failed": "Read it again, look at what changed, and send the new ETag in If-Match.",
    "precondition-required": "Read the resource and send its ETag in If-Match.",
    "reason-missing": "Give the ground or code and the words that the person is told.",
    "request-timeout": "Send the body faster, or in smaller parts: the connection may be too slow for it.",
    "rollback-would-reexpose": "Choose a version that covers the listed tickets, or refit.",
    "scope": "Use a key that has the scope, or have one created.",
    "site-mismatch": "The eraser belongs to another model: refit for this one.",
    "stale-restore": "Restore a newer backup, or two admins accept the loss (docs/runbooks/backup-and-restore.md).",
    "store-unavailable": "Try again after the seconds of Retry-After.",
    "too-large": "Send less: the detail gives the limit.",
    "too-late-to-extend": "Answer in time: an extension is possible once, inside the first period.",
    "too-many-requests": "Wait for the seconds of Retry-After; the RateLimit header says how much is left.",
    "unauthorized": "Send a valid API key or token: Authorization: Bearer ...",
    "unavailable": "Try again after the seconds of Retry-After.",
    "unsupported-media": "Send the Content-Type that the detail names.",
}


def page() -> str:
    """The text of docs/problems.md."""
    lines = [
        "# Problems",
        "",
        "Every error is an `application/problem+json` document (RFC 9457) with the members",
        "`type`, `title`, `status`, `detail` and `request_id`.",
        "`type` is stable and can be fetched: `GET /v1/problems/{code}`.",
        "This page is generated from `shared/errors.py` by",
        "`python -m services.request.problems.catalogue`; a test compares the two.",
        "",
        "| type | status | means | what to do |",
        "|---|---|---|---|",
    ]
    for code, kind in problem_types().items():
        lines.append(f"| `{PROBLEM_BASE}{code}` | {kind.status} | {kind.title} | {ADVICE.get(code, '')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/problems.md").write_text(page())
