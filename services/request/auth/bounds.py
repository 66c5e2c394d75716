"""No key gives more than it has: what a new key may do is bounded by the key that asks for it."""

from collections.abc import Sequence
from datetime import datetime

from services.request.auth.permissions import SCOPES
from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.errors import BadInput, Forbidden, InsufficientScope


def check_possible(scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Raise BadInput for a scope that there is not, and for an end that has passed."""
    if unknown := set(scopes) - SCOPES:
        raise BadInput(f"There is no scope {', '.join(sorted(unknown))}.")
    if expires_at is not None and expires_at <= utc_now():
        raise BadInput("expires_at: has passed already.")


def check_new_key(principal: Principal, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Raise InsufficientScope or Forbidden where a key with these scopes and this end would outdo the principal's.

    Raises what `check_possible` raises too.
    """
    check_possible(scopes, expires_at)
    if principal.scopes and not (scopes and set(scopes) <= set(principal.scopes)):
        raise InsufficientScope(f"This key gives no other scopes than its own: {', '.join(sorted(principal.scopes))}.")
    if principal.expires_at is not None and (expires_at is None or expires_at > principal.expires_at):
        raise Forbidden(f"This key expires at {principal.expires_at.isoformat()}: so does what it gives, or earlier.")
