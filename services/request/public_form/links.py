"""The secret link of a form, and the code that proves a mail address: both follow from the form's id and our keys.

Neither is stored, so that whoever reads the database has neither; the control loop makes them again for the mail.
"""

import base64
import hmac
import uuid
from typing import Final

from shared.crypto.keyring import KeyRing
from shared.errors import NotFound

MAC_BYTES: Final = 16
CODE_DIGITS: Final = 8
NO_PAGE: Final = "There is no such page."


def token_of(keys: KeyRing, form: uuid.UUID) -> str:
    """The part of the link that is secret: 43 letters, digits, - and _."""
    return base64.urlsafe_b64encode(form.bytes + _mac(keys, form)).decode().rstrip("=")


def form_of(keys: KeyRing, token: str) -> uuid.UUID:
    """The form of a link. Raises NotFound where it is none of ours; no database is asked."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as exc:
        raise NotFound(NO_PAGE) from exc
    if len(raw) != 16 + MAC_BYTES:
        raise NotFound(NO_PAGE)
    form = uuid.UUID(bytes=raw[:16])
    if not hmac.compare_digest(token.encode(), token_of(keys, form).encode()):  # the last letter has two idle bits
        raise NotFound(NO_PAGE)
    return form


def code_of(keys: KeyRing, form: uuid.UUID) -> str:
    """The code of a form: eight digits."""
    number = int.from_bytes(hmac.digest(keys.secret("form code"), form.bytes, "sha256")[:8])
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def _mac(keys: KeyRing, form: uuid.UUID) -> bytes:
    return hmac.digest(keys.secret("form link"), form.bytes, "sha256")[:MAC_BYTES]
