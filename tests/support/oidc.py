"""A stand-in for an OpenID provider, on a port of this machine."""

import hashlib
import json
import secrets
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT, DEVICE = "lacuna-console", "lacuna-cli"
MARKUP = "<script>alert(1)</script>"


class Issuer:
    """Publishes keys, signs tokens, and lets a browser sign in: `claims` are added to its ID token."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.asked = 0
        self.answers = True
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {}
        self.secret = ""
        self.denies = False
        self.ends_sessions, self.has_devices = False, True
        self.device_answers: list[dict[str, Any]] = []  # what the token endpoint says before it gives tokens
        self.device: dict[str, Any] = {}  # replaces members of the answer with the code
        self.lasts_s = 300
        self.refresh_tokens: set[str] = set()
        self.refreshed = 0
        self.revoked: list[str] = []
        self.has_page = False  # where one clicks, instead of being sent back at once
        self.sign_in_asked: dict[str, str] = {}
        self.going_on = threading.Event()
        self.going_on.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/authorize?"):
                    back = outer.authorize(self.path)
                    self.send_response(200 if outer.has_page else 303)
                    self.send_header("Content-Type", "text/html")
                    self.send_header("Location", back)
                    self.end_headers()
                    self.wfile.write(f'<a href="{escape(back)}">Let me in</a>'.encode())
                    return
                outer.asked += 1
                outer.going_on.wait(10)
                if not outer.answers:
                    self.send_error(500)
                    return
                self.answer(200, outer.jwks() if self.path == "/keys" else outer.discovery())

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if (special := outer.device_flow(self.path, dict(parse_qsl(form)))) is not None:
                    self.answer(400 if "error" in special else 200, special)
                    return
                answer = outer.redeem(dict(parse_qsl(form)), self.headers.get("Authorization", ""))
                self.answer(200 if "id_token" in answer else 400, answer)

            def answer(self, status: int, document: Any) -> None:
                raw = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.rotate("first")

    def rotate(self, kid: str) -> None:
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize?tenant=9",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/end" if self.ends_sessions else None,
            "device_authorization_endpoint": f"{self.url}/device" if self.has_devices else None,
            "revocation_endpoint": f"{self.url}/revoke",
        }

    def authorize(self, path: str) -> str:
        """Where the browser is sent from the page of the provider: back, with a code or with a refusal."""
        asked = dict(parse_qsl(urlsplit(path).query))
        assert (asked["response_type"], asked["code_challenge_method"], asked["tenant"]) == ("code", "S256", "9")
        assert "openid" in asked["scope"].split()
        self.sign_in_asked = asked
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        answer = {"error": "access_denied", "error_description": MARKUP} if self.denies else {"code": code}
        return f"{asked['redirect_uri']}?{urlencode(answer | {'state': asked['state'], 'iss': self.url})}"

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The answer of the token endpoint. A code is redeemed once, by whoever knows its verifier and the secret."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        basic = "Basic " + b64encode(f"{CLIENT}:{self.secret}".encode()).decode() if self.secret else ""
        fits = asked is not None and (
            (form.get("grant_type"), form.get("redirect_uri"), form.get("client_id"), challenge, authorization)
            == ("authorization_code", asked["redirect_uri"], asked["client_id"], asked["code_challenge"], basic)
        )
        if asked is None or not fits:
            return {"error": "invalid_grant", "error_description": MARKUP}
        claims = {"aud": CLIENT, "nonce": asked["nonce"]} | self.claims
        return {"access_token": "a", "token_type": "Bearer", "id_token": self.token(**claims)}

    def device_flow(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        """The answers of the device authorization flow, of refreshing and of revoking; None for another request."""
        if path == "/device":
            begun = {"device_code": "d-1", "user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/code"}
            return begun | {"expires_in": 60, "interval": 0} | self.device
        if path == "/revoke":
            self.revoked.append(form["token"])
            self.refresh_tokens.discard(form["token"])
            return {}
        if form.get("grant_type", "").endswith(":device_code"):
            assert (form["device_code"], form["client_id"]) == ("d-1", DEVICE)
            return self.device_answers.pop(0) if self.device_answers else self.tokens()
        if form.get("grant_type") == "refresh_token":
            if form["refresh_token"] not in self.refresh_tokens:
                return {"error": "invalid_grant"}
            self.refresh_tokens.discard(form["refresh_token"])  # each is taken once
            self.refreshed += 1
            return self.tokens()
        return None

    def tokens(self) -> dict[str, Any]:
        """An access token for the API, and a token to refresh it with."""
        refresh = secrets.token_urlsafe(8)
        self.refresh_tokens.add(refresh)
        now = int(time.time())
        access = self.token(exp=now + self.lasts_s, jti=secrets.token_urlsafe(8), **self.claims)
        return {"access_token": access, "token_type": "Bearer", "expires_in": self.lasts_s, "refresh_token": refresh}

    def jwks(self) -> dict[str, Any]:
        public = {
            kid: json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) for kid, key in self.keys.items()
        }
        return {"keys": [key | {"kid": kid, "use": "sig", "alg": "ES256"} for kid, key in public.items()]}

    def token(self, kid: str | None = None, key: Any = None, alg: str = "ES256", **claims: Any) -> str:
        kid = kid or next(iter(self.keys))
        now = int(time.time())
        defaults = {
            "iss": self.url,
            "aud": "lacuna",
            "sub": "u-17",
            "iat": now,
            "exp": now + 300,
            "roles": ["compliance"],
        }
        kept = {name: value for name, value in (defaults | claims).items() if value is not None}
        return jwt.encode(kept, key or self.keys.get(kid) or next(iter(self.keys.values())), alg, {"kid": kid})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A provider that nobody has asked yet."""
    started = Issuer()
    yield started
    started.server.shutdown()
    started.server.server_close()
