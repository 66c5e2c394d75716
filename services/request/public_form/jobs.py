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
CLAIM: Final = timedelta(minutes=2)  # longer than a mail may take
MOST_ATTEMPTS: Final = 5
FORGET_EVERY_S: Final = 300.0


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
        due = self._claim()
        failed: Unavailable | None = None
        for number in due:
            try:
                self._send(number)
            except Unavailable as exc:
                failed = exc
            except Exception as exc:  # noqa: BLE001 - one that cannot be written must not keep back others
                logger.error("the mail of a form cannot be written (%s)", type(exc).__name__)
        if failed is not None:
            raise failed
        return 0.0 if len(due) >= AT_ONCE else FORGET_EVERY_S

    def _claim(self) -> list[uuid.UUID]:
        now = utc_now()
        with transaction(self.context.database) as session:
            due = select(FormRequest).where(FormRequest.mail_next_at <= now, FormRequest.expires_at > now)
            due = due.order_by(FormRequest.mail_next_at).limit(AT_ONCE).with_for_update(skip_locked=True)
            claimed = []
            for form in session.scalars(due):
                form.mail_attempts += 1
                form.mail_next_at = now + CLAIM * form.mail_attempts if form.mail_attempts < MOST_ATTEMPTS else None
                claimed.append(form.id)
            return claimed

    def _send(self, number: uuid.UUID) -> None:
        """Send the code of one form, and note that it is sent."""
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
        with transaction(self.context.database) as session:
            session.get_one(FormRequest, number, with_for_update=True).mail_next_at = None
