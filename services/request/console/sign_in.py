"""/console/sign-in and /console/sign-out: with an API key. provider_sign_in.py has the OpenID provider."""

from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from services.request.auth import code_flow
from services.request.auth.oidc import OidcProvider
from services.request.console import sessions
from services.request.console.rendering import render
from services.request.console.routing import HOME, LANGUAGE_COOKIE, SIGN_IN, console_router, language_of, local_path
from services.request.console.sessions import SignedIn
from services.request.console.visit import COOKIE, FormDep, require_same_origin
from services.request.documents.language import LANGUAGES
from shared.core.client_addresses import client_address
from shared.core.clock import utc_now
from shared.errors import Forbidden, LacunaError, Unauthorized, Unavailable

router = console_router()
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
SIGN_OUT: Final = "/console/sign-out"
HINT_COOKIE: Final = "lacuna_id_token"  # of the browser alone: the provider asks for it when one signs out there
LANGUAGE_KEPT_S: Final = 365 * 86_400


async def _anonymous_form(request: Request) -> FormData:
    """A form of somebody who has no session yet, and so no token: its origin alone is checked."""
    require_same_origin(request)
    return await request.form(max_files=0, max_fields=10)


AnonymousFormDep = Annotated[FormData, Depends(_anonymous_form)]


@router.get(SIGN_IN)
def show_sign_in(request: Request, next: str = HOME) -> Response:
    """The page where one signs in."""
    return sign_in_page(request, local_path(next))


@router.post(SIGN_IN)
def sign_in(request: Request, form: AnonymousFormDep) -> Response:
    """Begin a session with an API key. Wrong keys count towards the rate limit of their sender, as in the API."""
    key, target = str(form.get("key", "")).strip(), local_path(str(form.get("next", "")))
    state = request.app.state
    address = client_address(request.scope)
    state.rate_limiter.check_failures(address)
    try:
        signed_in = sessions.begin_with_key(state.context.database, key)
    except Unauthorized as error:
        state.rate_limiter.count_failure(address)
        return sign_in_page(request, target, error)
    except Forbidden as error:
        return sign_in_page(request, target, error)
    return with_session(request, RedirectResponse(target, 303), signed_in)


@router.post(SIGN_OUT)
def sign_out(form: FormDep) -> Response:
    """End the session: its cookie is worth nothing any more, also where somebody copied it.

    Whoever signed in at the OpenID provider is led to its page where one signs out, if it has one.
    """
    request = form.visit.request
    sessions.end(form.visit.context.database, request.cookies[COOKIE])
    target = _sign_out_at_provider(request)
    response: Response = RedirectResponse(SIGN_IN, 303)
    if target is not None:
        response = render(language_of(request), form.visit.context.zone, "signed_out.html", target=target)
    response.delete_cookie(COOKIE, path=HOME)
    response.delete_cookie(HINT_COOKIE, path=SIGN_OUT)
    return response


def _sign_out_at_provider(request: Request) -> str | None:
    """Where the provider ends the sign-in of this browser; None where it was none of its, or it has no such page."""
    provider: OidcProvider | None = request.app.state.authenticator.provider
    id_token = request.cookies.get(HINT_COOKIE)
    if provider is None or not provider.client_id or not id_token:
        return None
    try:
        return code_flow.sign_out_url(provider, id_token, own_address(request, SIGN_IN))
    except Unavailable:
        return None


def own_address(request: Request, path: str) -> str:
    """The address of a page of this console, as the browser sees it."""
    scheme = "https" if must_be_secure(request) else request.url.scheme
    return f"{scheme}://{request.headers.get('host', '')}{path}"


@router.post("/console/language")
def choose_language(request: Request, form: AnonymousFormDep) -> Response:
    """Remember in which language this browser is shown the console."""
    response = RedirectResponse(local_path(str(form.get("next", ""))), 303)
    if (chosen := str(form.get("language", ""))) in LANGUAGES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            chosen,
            max_age=LANGUAGE_KEPT_S,
            path=HOME,
            secure=must_be_secure(request),
            httponly=True,
            samesite="strict",
        )
    return response


def with_session(request: Request, response: Response, signed_in: SignedIn) -> Response:
    """`response` with the cookie of a new session."""
    response.set_cookie(
        COOKIE,
        signed_in.secret,
        max_age=int((signed_in.expires_at - utc_now()).total_seconds()),
        path=HOME,
        secure=must_be_secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


def must_be_secure(request: Request) -> bool:
    """Whether a browser may send cookies over HTTPS alone: everywhere but on the machine itself."""
    host = request.headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name not in LOOPBACK


def sign_in_page(request: Request, target: str, error: LacunaError | None = None) -> Response:
    """The page where one signs in, with what was wrong the last time. `target`: where one then goes."""
    state = request.app.state
    return render(
        language_of(request),
        state.context.zone,
        "sign_in.html",
        error.status if error else 200,
        target=target,
        error=error,
        here=SIGN_IN,
        provider=state.authenticator.provider is not None and bool(state.authenticator.provider.client_id),
    )
