"""The officer's API. Start: `uvicorn services.request.app:create --factory`. Never reaches torch.

Only builds: endpoints stand in `endpoints_*.py`, what they are given in `door.py`, who may call them in `rights.py`,
the rules in `service.py`.
"""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.request import (
    endpoints_certificates,
    endpoints_desk,
    endpoints_erasers,
    endpoints_imports,
    endpoints_keys,
    endpoints_kits,
    endpoints_log,
    endpoints_problems,
    endpoints_refits,
    endpoints_registers,
    endpoints_restore,
    endpoints_retain,
    endpoints_rewraps,
    endpoints_status,
    endpoints_tickets,
    endpoints_webhooks,
)
from services.request.deadman import Periods
from services.request.identity import Identity
from services.request.logbook import LogBook
from services.request.oidc import Provider
from services.request.openapi import describe
from services.request.rate import Limiter
from services.request.rights import OPEN, RULES
from services.request.service import Office
from shared.config import Settings, load_settings
from shared.correlation import log_with_ids
from shared.crypto import KeyRing
from shared.db.session import make_engine
from shared.store.opening import open_store
from shared.web import install

ROUTERS = (
    endpoints_tickets.router,
    endpoints_desk.router,
    endpoints_kits.router,
    endpoints_restore.router,
    endpoints_refits.router,
    endpoints_erasers.router,
    endpoints_keys.router,
    endpoints_rewraps.router,
    endpoints_retain.router,
    endpoints_imports.router,
    endpoints_webhooks.router,
    endpoints_log.router,
    endpoints_certificates.router,
    endpoints_registers.router,
    endpoints_problems.router,
    endpoints_status.router,
)


def create(settings: Settings | None = None) -> FastAPI:
    """The application, from the environment where no settings are given."""
    chosen = settings or load_settings()
    chosen.need("database_url", "kek")
    log_with_ids()
    office = Office(
        make_engine(chosen.database_url, chosen.database_idle_s),
        open_store(chosen),
        KeyRing.from_settings(chosen),
        chosen.model_id,
        regime=chosen.regime,
        calendar=chosen.calendar,
        zone=chosen.zone,
        webhook_hosts=chosen.webhook_host_list,
        webhook_loopback=chosen.webhook_allow_loopback,
        periods=Periods.from_settings(chosen),
    )
    limiter = Limiter(chosen.rate_limit, chosen.rate_failures, chosen.redis_url)
    return build(office, Provider.from_settings(chosen), limiter, chosen.log_verify_keys, chosen.verify_keys)


def build(
    office: Office,
    provider: Provider | None = None,
    limiter: Limiter | None = None,
    log_keys: str = "",
    eraser_keys: str = "",
) -> FastAPI:
    """The application over `office`; the public keys go into bundles.

    Raises ValueError for an endpoint that has no rule.
    """
    app = FastAPI(
        title="Lacuna: requests to be forgotten",
        version="1",
        openapi_url="/v1/openapi.json",
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.office = office
    app.state.identity = Identity(office.database, provider)
    app.state.limiter = limiter or Limiter("100000/minute", "100000/minute")
    app.state.logbook, app.state.public_keys = LogBook(), (log_keys, eraser_keys)
    install(app)
    for router in ROUTERS:
        app.include_router(router)
        names = {route.name for route in router.routes if isinstance(route, APIRoute)}
        if unruled := names - RULES.keys() - OPEN:
            raise ValueError(f"rights.py says nothing of {', '.join(sorted(unruled))}")
    describe(app)
    return app
