"""/console/sign-in/provider and /console/sign-in/callback: sign-in at the OpenID provider."""

from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.request.auth import code_flow
from services.request.auth.code_flow import Attempt
from services.request.auth.oidc import OidcProvider
from services.request.console import sessions
from services.request.console.rendering import render
from services.request.console.routing import HOME, SIGN_IN, console_router, language_of, local_path
from services.request.console.sign_in import (
    HINT_COOKIE,
    SIGN_OUT,
    must_be_secure,
    own_address,
    sign_in_page,
    with_session,
)
from shared.core.client_addresses import client_address
from shared.errors import LacunaError, NotFound, Unauthorized

router = console_router()
ATTEMPT_COOKIE: Final = "lacuna_sign_in"
CALLBACK: Final = f"{SIGN_IN}/callback"
LONGEST_KEPT: Final = 3800  # bytes: browsers keep no longer cookies
DENIED: Final = "The OpenID provider did not let you in."


@router.get(f"{SIGN_IN}/provider")
def go_to_provider(request: Request, next: str = HOME) -> Response:
    """To the provider's page. What the answer has to fit is in a cookie that this browser alone has."""
    attempt = code_flow.new_attempt(local_path(next))
    try:
        url = code_flow.authorization_url(_provider(request), attempt, _redirect_uri(request))
    except LacunaError as error:
        return sign_in_page(request, attempt.target, error)
    response = RedirectResponse(url, 303)
    response.set_cookie(
        ATTEMPT_COOKIE,
        attempt.signed(_key(request)),
        max_age=int(code_flow.ATTEMPT.total_seconds()),
        path=SIGN_IN,
        secure=must_be_secure(request),
        httponly=True,
        samesite="lax",  # the answer comes from the provider's site
    )
    return response


@router.get(CALLBACK)
def come_from_provider(request: Request, state: str = "", code: str = "", error: str = "", iss: str = "") -> Response:
    """Begin the session of whom the provider names. Nothing that it writes is shown.

    Sign-ins that are refused count towards the rate limit of their sender, as wrong keys do.
    """
    limiter, address = request.app.state.rate_limiter, client_address(request.scope)
    provider = _provider(request)
    limiter.check_failures(address)
    try:
        attempt = code_flow.find_attempt(request.cookies.get(ATTEMPT_COOKIE, ""), _key(request), state)
    except Unauthorized as refusal:  # the cookie stays: another site may have sent this
        limiter.count_failure(address)
        return sign_in_page(request, HOME, refusal)
    try:
        if error or (iss and iss != provider.issuer):
            raise Unauthorized(DENIED)
        response = _signed_in(request, provider, attempt, code)
    except LacunaError as refusal:
        if isinstance(refusal, Unauthorized):
            limiter.count_failure(address)
        response = sign_in_page(request, attempt.target, refusal)
    response.delete_cookie(ATTEMPT_COOKIE, path=SIGN_IN)
    return response


def _signed_in(request: Request, provider: OidcProvider, attempt: Attempt, code: str) -> Response:
    state = request.app.state
    found = code_flow.redeem(provider, attempt, code, _redirect_uri(request))
    principal = state.authenticator.principal_of_token(found.token)
    signed_in = sessions.begin_with_subject(state.context.database, principal)
    page = render(language_of(request), state.context.zone, "signed_in.html", target=local_path(attempt.target))
    response = with_session(request, page, signed_in)
    if len(found.id_token) <= LONGEST_KEPT:
        response.set_cookie(
            HINT_COOKIE,
            found.id_token,
            path=SIGN_OUT,
            secure=must_be_secure(request),
            httponly=True,
            samesite="strict",
        )
    return response


def _provider(request: Request) -> OidcProvider:
    provider: OidcProvider | None = request.app.state.authenticator.provider
    if provider is None or not provider.client_id:
        raise NotFound("Nobody signs in at an OpenID provider here.")
    return provider


def _redirect_uri(request: Request) -> str:
    """The address that has to be registered at the provider, which answers to no other."""
    return own_address(request, CALLBACK)


def _key(request: Request) -> bytes:
    key: bytes = request.app.state.context.keys.secret("console sign-in at the provider")
    return key
