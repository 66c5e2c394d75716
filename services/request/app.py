"""Builds the officer's API. Start: `python -m services.request.server`. Never imports torch.

Each feature has a folder: its endpoints are in `endpoints.py`, its rules in `service.py`. What endpoints are given is
in `api/`, and who may call them in `auth/permissions.py`.
"""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from services.request.api.openapi import describe
from services.request.api_keys import endpoints as api_keys_endpoints
from services.request.audit_kits import endpoints as audit_kits_endpoints
from services.request.audit_log import endpoints as audit_log_endpoints
from services.request.audit_log.reader import LogReader
from services.request.auth.admission import Admission
from services.request.auth.authentication import Authenticator
from services.request.auth.oidc import OidcProvider
from services.request.auth.permissions import OPEN, PERMISSIONS
from services.request.auth.rate_limits import RateLimiter
from services.request.break_glass import endpoints as break_glass_endpoints
from services.request.certificates import endpoints as certificates_endpoints
from services.request.console import report_file
from services.request.console.site import FORM_BODIES, install_console
from services.request.contacts import endpoints as contacts_endpoints
from services.request.context import AlarmThresholds, AppContext, ticket_languages
from services.request.documents.signature import PdfSigner
from services.request.drop import endpoints as drop_endpoints
from services.request.drp.endpoints import install_drp
from services.request.erasers import endpoints as erasers_endpoints
from services.request.imports import endpoints as imports_endpoints
from services.request.key_rotation import endpoints as key_rotation_endpoints
from services.request.letters import endpoints as letters_endpoints
from services.request.monitoring import endpoints as monitoring_endpoints
from services.request.people import endpoints as people_endpoints
from services.request.problems import endpoints as problems_endpoints
from services.request.public_form.pages import form_bodies, install_public_form
from services.request.refits import endpoints as refits_endpoints
from services.request.registers import endpoints as registers_endpoints
from services.request.restores import endpoints as restores_endpoints
from services.request.retain_sets import endpoints as retain_sets_endpoints
from services.request.tenants import endpoints as tenants_endpoints
from services.request.tickets import endpoints as tickets_endpoints
from services.request.views import endpoints as views_endpoints
from services.request.webhooks import endpoints as webhooks_endpoints
from shared.core.client_addresses import TrustedProxies
from shared.core.config import DrpSettings, FormSettings, Settings, load_settings
from shared.core.http import install_error_handlers
from shared.core.metrics import HTTP
from shared.core.observability import observe
from shared.crypto.keyring import KeyRing
from shared.db.session import make_engine
from shared.storage.factory import open_store

ROUTERS = (
    tickets_endpoints.router,
    views_endpoints.router,
    letters_endpoints.router,
    contacts_endpoints.router,
    break_glass_endpoints.router,
    audit_kits_endpoints.router,
    restores_endpoints.router,
    refits_endpoints.router,
    erasers_endpoints.router,
    report_file.router,
    people_endpoints.router,
    api_keys_endpoints.router,
    tenants_endpoints.router,
    key_rotation_endpoints.router,
    retain_sets_endpoints.router,
    imports_endpoints.router,
    drop_endpoints.router,
    webhooks_endpoints.router,
    audit_log_endpoints.router,
    certificates_endpoints.router,
    registers_endpoints.router,
    problems_endpoints.router,
    monitoring_endpoints.router,
)


def create(settings: Settings | None = None) -> FastAPI:
    """The application with these settings, by default those of the environment."""
    settings = settings or load_settings()
    settings.need("database_url", "kek")
    observe(settings, "request", HTTP)
    context = AppContext(
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
    limiter = RateLimiter(settings.rate.limit, settings.rate.failures, settings.redis_url)
    provider = OidcProvider.from_settings(settings)
    app = build(
        context,
        provider,
        limiter,
        settings.log.verify_keys,
        settings.verify_keys,
        settings.form,
        settings.drp,
        PdfSigner.from_settings(settings.pdf),
    )
    app.add_middleware(TrustedProxies, proxies=settings.proxies)
    return app


def _named_by_endpoint(route: APIRoute) -> str:
    """The name of an operation in the OpenAPI document: that of its endpoint function."""
    return route.name


def build(
    context: AppContext,
    provider: OidcProvider | None = None,
    limiter: RateLimiter | None = None,
    log_keys: str = "",
    eraser_keys: str = "",
    form: FormSettings | None = None,
    drp: DrpSettings | None = None,
    pdf_signer: PdfSigner | None = None,
) -> FastAPI:
    """The application over `context`; the public keys are added to certificate bundles.

    Raises ValueError for an endpoint without a permission.
    """
    app = FastAPI(
        title="Lacuna: requests to be forgotten",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # the framework's pages fetch scripts from elsewhere: console/site.py has one that does not
        redoc_url=None,
        generate_unique_id_function=_named_by_endpoint,
    )
    app.state.context = context
    app.state.authenticator = Authenticator(context.database, provider)
    app.state.rate_limiter = limiter or RateLimiter("100000/minute", "100000/minute")
    app.state.log_reader, app.state.public_keys = LogReader(), (log_keys, eraser_keys)
    app.state.pdf_signer = pdf_signer
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    rendered = install_error_handlers(app)
    app.user_middleware.append(
        Middleware(Admission, rendered=rendered, routes=routes, forms=[*FORM_BODIES, *form_bodies()])
    )  # inside the request's id
    for router in ROUTERS:
        app.include_router(router)
        names = {route.name for route in router.routes if isinstance(route, APIRoute)}
        if missing := names - PERMISSIONS.keys() - OPEN:
            raise ValueError(f"auth/permissions.py has no permission for {', '.join(sorted(missing))}")
    describe(app)
    if drp is not None:
        install_drp(app, drp)
    if form is not None:
        install_public_form(app, form)
    install_console(app)
    return app
