"""The process of the control loop, and the one list of its jobs. Start: `python -m services.request.worker.main`."""

import logging
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine, text

from services.request.api import jobs as api_jobs
from services.request.audit_log import jobs as audit_log_jobs
from services.request.audit_log.sequencer import Sequencer, log_signer
from services.request.audit_log.timestamper import Timestamper
from services.request.break_glass import jobs as break_glass_jobs
from services.request.certificates import jobs as certificates_jobs
from services.request.certificates.issuer import CertificateIssuer
from services.request.context import AlarmThresholds, AppContext, ticket_languages
from services.request.drop.jobs import DropListRunner
from services.request.drop.platform import DropPlatform, PlatformClient
from services.request.drp.jobs import CallbackSender
from services.request.erasers import jobs as erasers_jobs
from services.request.erasers.jobs import NightlyAudit
from services.request.imports.jobs import ImportJobRunner
from services.request.key_rotation.jobs import RewrapJob
from services.request.monitoring import jobs as monitoring_jobs
from services.request.monitoring import pings
from services.request.monitoring.figures import DatabaseFigures
from services.request.public_form.jobs import FormMailer
from services.request.public_form.mail import open_sender
from services.request.refits import jobs as refits_jobs
from services.request.refits.jobs import MissedNightlyRun, NightlySchedule
from services.request.restores.jobs import HighWaterMarkJob
from services.request.retention.compaction import Compactor
from services.request.retention.existing_keys import ExistingKeysJob
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from services.request.tickets import jobs as tickets_jobs
from services.request.tickets.calendars import CalendarJob
from services.request.tickets.name_keys import NameKeysJob
from services.request.tickets.progress import Limits
from services.request.webhooks.jobs import WebhookDispatcher
from services.request.worker import outbox
from services.request.worker.loop import LONGEST_PAUSE_S, ControlLoop, Job
from services.request.worker.per_tenant import PerTenant, Run
from shared.core.config import Settings, load_settings
from shared.core.exits import ends_the_process
from shared.core.messaging import celery_app
from shared.core.metrics import LOOP, MESSAGES
from shared.core.observability import observe
from shared.crypto.keyring import KeyRing
from shared.db.notifications import WORK, Listener
from shared.db.session import make_engine, transaction
from shared.errors import BadInput
from shared.storage.factory import open_store
from shared.transparency.checkpoints import read_keys

logger = logging.getLogger(__name__)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    with ends_the_process("the control loop cannot start"):
        settings = load_settings()
        observe(settings, "control-loop", LOOP, MESSAGES)
        settings.need("database_url", "redis_url", "kek", "log_key", "log_verify_keys")
        context = make_context(settings)
        check_role(context.database)
        loop = build(settings, context)
        LOOP.registry.register(DatabaseFigures(context))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    Listener(context.database, WORK, loop.wake).start()
    logger.info("the control loop is running")
    loop.run()


def make_context(settings: Settings) -> AppContext:
    """What the jobs work with."""
    return AppContext(
        make_engine(settings.database.url, settings.database.idle_s),
        open_store(settings),
        KeyRing.from_settings(settings),
        settings.model.id,
        regime=settings.regime,
        calendar=settings.calendar,
        zone=settings.zone,
        languages=ticket_languages(settings),
        webhook_hosts=settings.webhook.host_list,
        webhook_loopback=settings.webhook.allow_loopback,
        controller=settings.controller,
        alarm_thresholds=AlarmThresholds.from_settings(settings),
    )


def check_role(database: Engine) -> None:
    """Raise BadInput unless the database role is one that may write what the control loop writes."""
    with transaction(database) as session:
        if not session.scalar(text("SELECT has_table_privilege('log_checkpoint', 'INSERT')")):
            raise BadInput("LACUNA_DATABASE_URL of the control loop has to name its own role, lacuna_control.")


def build(settings: Settings, context: AppContext) -> ControlLoop:
    """The loop with all its jobs; raises BadInput where a setting cannot be used."""
    log_keys = read_keys(settings.log.verify_keys)
    sequencer = Sequencer(context.database, context.store, log_signer(settings), log_keys, log_keys[0].name)
    return ControlLoop(
        round_jobs(settings, context, sequencer),
        monitoring_jobs.Watch(context).report,
        background_jobs(settings, context),
        longest_pause_s=min(LONGEST_PAUSE_S, settings.pulse_grace_s / 4),  # else it raises its own alarm
    )


def round_jobs(settings: Settings, context: AppContext, sequencer: Sequencer) -> list[Job]:
    """The jobs of a round, in their order. The first looks whether the database may be trusted at all."""
    queue = celery_app("control-loop", settings.redis_url)
    schedule = NightlySchedule(settings.nightly.hour, timedelta(seconds=settings.nightly.catch_up_s))
    limits = Limits(settings.audit.told_trained, settings.audit.told_test)
    retention = Retention(
        timedelta(days=settings.shred_after_days),
        timedelta(days=settings.kit_days) if settings.kit_days else None,
        timedelta(days=settings.letter_days) if settings.letter_days else None,
    )
    lost_after = timedelta(seconds=settings.lost_after_s)

    def per_tenant(name: str, make: Callable[[AppContext], Run]) -> Job:
        return Job(name, PerTenant(context, make).run)

    def issue(of_tenant: AppContext) -> Run:
        issuer = CertificateIssuer(sequencer, of_tenant.model_id, of_tenant.database, of_tenant.controller)
        return partial(certificates_jobs.issue, issuer)

    jobs = [
        per_tenant("high-water mark", lambda each: HighWaterMarkJob(each, sequencer.signer).run),
        per_tenant("missed nightly refit", lambda each: MissedNightlyRun(each, schedule).run),
        per_tenant("nightly audit", lambda each: NightlyAudit(each, settings.nightly).run),
        per_tenant("first refit", lambda each: partial(refits_jobs.retry_first_refit, each)),
        Job("outbox", outbox.Relay(context.database, queue).run, heartbeat="relay"),
        per_tenant("break-glass", lambda each: partial(break_glass_jobs.expire, each)),
    ]
    if settings.auto_promote:
        jobs.append(per_tenant("promotion", lambda each: partial(erasers_jobs.promote, each)))
    jobs += [
        per_tenant("ticket progress", lambda each: partial(tickets_jobs.move, each, limits)),
        per_tenant("escalations", lambda each: partial(tickets_jobs.escalate, each)),
    ]
    if settings.identity_days:
        patience = timedelta(days=settings.identity_days)
        jobs.append(per_tenant("identity checks", lambda each: partial(tickets_jobs.expire_unverified, each, patience)))
    return [
        *jobs,
        per_tenant("retention", lambda each: Shredder(each, retention).run),
        Job("redelivery", outbox.Redelivery(context.database, queue, lost_after).run),
        Job("old answers", api_jobs.OldAnswers(context).run),
        Job("audit log", partial(audit_log_jobs.sequence, sequencer), heartbeat="sequencer"),
        per_tenant("certificates", issue),
    ]


def background_jobs(settings: Settings, context: AppContext) -> list[Job]:
    """The jobs that wait for something outside, each for a thread of its own."""
    webhooks = WebhookDispatcher(context.database, context.keys, context.webhook_hosts, context.webhook_loopback)
    jobs = [
        Job("webhooks", webhooks.run),
        Job("imports", ImportJobRunner(context).run_all),
        *drop_jobs(settings, context),
        *form_jobs(settings, context),
        *callback_jobs(settings, context),
        Job("key rotation", RewrapJob(context.database, context.store, context.keys).run),
        Job("names", PerTenant(context, lambda each: NameKeysJob(each).run).run),
        Job("calendars", PerTenant(context, lambda each: CalendarJob(each).run).run),
        Job("existing keys", ExistingKeysJob(context).run),
        Job("compaction", Compactor(context.database, settings.s3.compact).run),
    ]
    timestamper = Timestamper.from_settings(settings, context.database, context.store)
    if timestamper is not None:
        jobs.append(Job("time-stamps", partial(audit_log_jobs.time_stamp, timestamper)))
    if urls := pings.read_urls(settings.deadman.urls):
        jobs.append(Job("pings", monitoring_jobs.Pinger(context, urls).run))
    return jobs


def callback_jobs(settings: Settings, context: AppContext) -> list[Job]:
    """The callbacks to agents of the Data Rights Protocol, where there are any."""
    if settings.drp.agents is None:
        return []
    return [Job("agents' callbacks", CallbackSender(context).run)]


def form_jobs(settings: Settings, context: AppContext) -> list[Job]:
    """The mails of the public form, where it is enabled."""
    if not settings.form.enabled:
        return []
    settings.need("mail_url", "mail_sender", "form_url")
    mailer = FormMailer(context, settings.form, open_sender(settings.mail), settings.mail.sender)
    return [Job("form mails", mailer.run)]


def drop_jobs(settings: Settings, context: AppContext) -> list[Job]:
    """Matching lists of California's DROP, and the exchange with the platform where one is configured."""
    people, tenant = settings.drop.people, settings.drop.tenant
    if not settings.drop.url:
        return [Job("drop lists", DropListRunner(context, people, tenant).run_all)]
    if not settings.drop.url.startswith(("https://", "http://127.0.0.1:")) or not settings.drop.key:
        raise BadInput("LACUNA_DROP_URL has to be an https address, and LACUNA_DROP_KEY the key for it.")
    client = PlatformClient(settings.drop.url, settings.drop.key)
    platform = DropPlatform(context, client, people, tenant, timedelta(days=settings.drop.every_days))
    return [
        Job("drop lists", DropListRunner(context, people, tenant, platform.answer_not_found).run_all),
        Job("drop platform", platform.run),
    ]


if __name__ == "__main__":
    main()
