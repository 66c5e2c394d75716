"""Job of the control loop: send the codes of public forms, and forget forms that nobody filed."""

import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select

from services.request.context import AppContext
from services.request.public_form import links, service
from services.request.public_form.language import form_language
from services.request.public_form.mail import MailSender, compose
from services.request.public_form.paths import page_of
from shared.core.clock import utc_now
from shared.core.config import FormSettings
from shared.db.models.intake import FormRequest
from shared.db.session import transaction
from shared.errors import IntegrityFailure, Unavailable

logger = logging.getLogger(__name__)
AT_ONCE: Final = 20
CLAIM: Final = timedelta(minutes=10)  # longer than a mail may take: a dozen steps of mail.TIMEOUT_S, and some more
PAUSE: Final = timedelta(minutes=2)  # after a failed attempt, times the attempts
MOST_ATTEMPTS: Final = 5
FORGET_EVERY_S: Final = 300.0


@dataclass(frozen=True)
class Claim:
    """A mail that this control loop sends: of which form, and which attempt it is."""

    form: uuid.UUID
    attempts: int


@dataclass
class FormMailer:
    """Sends mails that are due. `sender` is the address in From."""

    context: AppContext
    settings: FormSettings
    mails: MailSender
    sender: str
    _forget_at: float = field(default=0.0)

    def run(self) -> float | None:
        """Send what is due; returns after how many seconds to look again. A mail that fails is tried again later."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_EVERY_S
            with transaction(self.context.database) as session:
                session.execute(select(func.forget_old_forms()))
        failed: Unavailable | None = None
        tried = 0
        while tried < AT_ONCE and (claim := self._claim()) is not None:
            tried += 1
            try:
                self._send(claim.form)
            except Unavailable as exc:
                failed = exc
            except Exception as exc:  # noqa: BLE001 - one that cannot be written must not keep back others
                logger.error("the mail of a form cannot be written (%s)", type(exc).__name__)
            else:
                self._end(claim, None)
                continue
            self._end(claim, PAUSE * claim.attempts if claim.attempts < MOST_ATTEMPTS else None)
        if failed is not None:
            raise failed
        return 0.0 if tried == AT_ONCE else FORGET_EVERY_S

    def _claim(self) -> Claim | None:
        """The mail that is due first, so claimed that no other control loop sends it; None where none is due.

        It is claimed just before it is sent: a mail that waits for others would outlive its claim, and be sent twice.
        """
        now = utc_now()
        with transaction(self.context.database) as session:
            due = select(FormRequest).where(FormRequest.mail_next_at <= now, FormRequest.expires_at > now)
            due = due.order_by(FormRequest.mail_next_at).limit(1).with_for_update(skip_locked=True)
            form = session.scalar(due)
            if form is None:
                return None
            form.mail_attempts += 1
            form.mail_next_at = now + CLAIM if form.mail_attempts < MOST_ATTEMPTS else None
            return Claim(form.id, form.mail_attempts)

    def _send(self, number: uuid.UUID) -> None:
        """Send the code of one form, unless it is filed or too old."""
        with transaction(self.context.database) as session:
            form = session.get(FormRequest, number)
            if form is None or form.sealed is None or form.wrapped_key is None:
                return
            sealed, wrapped, language = form.sealed, form.wrapped_key, form_language(form.language)
        keys = self.context.keys
        try:
            address = keys.open(sealed, wrapped, service.form_key(number)).decode()
        except IntegrityFailure:
            logger.warning("the address of a form cannot be unsealed")
            return
        code = links.code_of(keys, number)
        values = {
            "code": f"{code[:4]} {code[4:]}",
            "link": self.settings.url.rstrip("/") + page_of(links.token_of(keys, number)),
            "controller": self.context.controller.name,
        }
        text = language.gettext(
            "Your code is %(code)s\n\nType it on the page from which you asked for it, or open this page again:\n"
            "%(link)s\n\nKeep the address of the page: it shows how far your request is, to whoever has it. If you did "
            "not ask for this, do nothing: without the code nothing is filed."
        )
        subject = language.gettext("Your code: a request to be forgotten")
        signed = f"{text % values}\n\n{values['controller']}".rstrip() + "\n"
        self.mails.send(compose(self.sender, address, subject, signed))

    def _end(self, claim: Claim, pause: timedelta | None) -> None:
        """Note when the mail is sent again, None: not at all; unless another control loop has taken it up since."""
        with transaction(self.context.database) as session:
            form = session.get(FormRequest, claim.form, with_for_update=True)
            if form is not None and form.ticket_id is None and form.mail_attempts == claim.attempts:
                form.mail_next_at = None if pause is None else utc_now() + pause
