"""Settings of every process, from the environment (`LACUNA_*`). Each process is given only what it needs.

Knows names and defaults; connects to nothing.
"""

from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadInput


class Settings(BaseSettings):
    """Secrets are base64. An empty value means "not given"; whoever needs it says so by name."""

    model_config = SettingsConfigDict(env_prefix="LACUNA_", extra="ignore", protected_namespaces=())

    data: Path = Path(".lacuna")
    database_url: str = ""
    redis_url: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_bucket: str = "lacuna"
    kek: str = ""
    old_keks: str = ""  # key-encryption keys from before a rotation, comma-separated: still opened, until a rewrap
    index_key: str = ""  # keys blind indices and tags; with OLD_KEKS: the first KEK of all, for ever
    vault_address: str = ""  # https://...: data keys are wrapped by its transit engine; LACUNA_KEK then only indexes
    vault_token: str = ""
    vault_mount: str = "transit"
    vault_key: str = "lacuna"
    signing_key: str = ""
    verify_keys: str = ""  # comma-separated, the newest first
    log_key: str = ""  # signs checkpoints and certificates; the clerk's alone
    log_verify_keys: str = ""  # public: name+id+base64 as auditors pin them, comma-separated, the newest first
    tsa_url: str = ""  # of a time-stamping authority (RFC 3161) that stamps the log's checkpoints; empty: none does
    tsa_policy: str = ""  # object identifier of the policy that is asked for and checked; empty: the authority's own
    tsa_ca: Path | None = None  # file with the CA certificate(s), PEM, that its tokens are held against
    tsa_every_s: float = 3600.0  # at most one token in this time, and only for a checkpoint that is new
    role_passwords: str = ""  # of the database: request=...,refit=...,audit=...,inference=...
    first_keys: str = ""  # of the first people, instead of drawn ones: olivia=lk_...,adam=lk_...

    model_source: str = "models/demo-vlm"
    model_id: str = "demo-vlm"
    reference: str = ""
    recipe: str = "lacuna"
    device: str = ""

    host: str = "127.0.0.1"
    request_port: int = 8600
    inference_port: int = 8601
    replica: str = "inference-0"
    poll_s: float = 3.0  # a replica looks at the desired state at least so often; a change is announced to it
    grace_s: float = 120.0  # how long a replica serves on while it cannot reach the database
    step_grace_s: float = 15.0  # a replica whose engine has work and finishes no step for so long is not ready
    auto_promote: bool = True
    nightly_hour: int = 2  # UTC
    nightly_catch_up_s: float = 900.0  # so long after a night nobody rang for, the clerk orders its refit
    refit_lease_s: float = 30.0  # a worker that is silent for so long is taken for dead; it beats three times in it
    audit_lease_s: float = 30.0
    replica_lease_s: float = 15.0
    database_idle_s: float = 90.0  # a transaction whose process stands still is ended after that
    lost_after_s: float = 30.0  # a message that no worker has begun on by then is sent again

    nightly_grace_s: float = 7200.0  # a night that has no finished refit by then raises an alarm
    pulse_grace_s: float = 120.0  # so does a clerk, relay, sequencer or worker that is silent for so long
    order_grace_s: float = 3600.0  # and an order that nobody carries out
    deadman_urls: str = ""  # pinged while all is well: clerk=https://...,nightly=https://...,all=https://...
    deadman_every_s: float = 60.0

    regime: str = "gdpr"  # of a ticket that names none: gdpr, uk_gdpr, ccpa
    calendar: str = ""  # whose public holidays: DE, DE-BY, GB-ENG, US-CA; empty: weekends only, which is never later
    zone: str = "UTC"  # where the days of the clock begin and end
    identity_days: float = 30.0  # after which a request expires whose asker was doubted and never verified; 0: never
    webhook_hosts: str = "*"  # who may be told, comma-separated: hooks.example.org, *.example.org
    webhook_allow_loopback: bool = False  # tests only: plain HTTP to 127.0.0.1
    rate_limit: str = "12000/minute"  # of one caller; 200 a second, as much as one process answers
    rate_failures: str = "60/minute"  # wrong credentials of one address
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_roles_claim: str = "roles"  # a dot leads into an object: realm_access.roles
    oidc_roles: str = ""  # group=role,group=role
    oidc_leeway_s: float = 30.0

    shred_after_days: float = 30.0  # from a ticket's end (completed, rejected, ...) until its payload is destroyed
    kit_days: float = 0.0  # until an audit kit is destroyed; 0: as long as its ticket is in force

    audit_told_trained: float = 0.05
    audit_told_test: float = 0.20
    audit_identical_retain: float = 0.99
    audit_identical_held_out: float = 0.97
    audit_identical_celebrity: float = 0.97
    audit_identical_stranger: float = 0.98
    audit_identical_visible: float = 0.85

    @property
    def reference_folder(self) -> Path:
        """The people that the model is held against; beside the model unless said otherwise."""
        return Path(self.reference) if self.reference else Path(self.model_source) / "reference"

    @property
    def webhook_host_list(self) -> tuple[str, ...]:
        """The hosts that webhooks may lead to."""
        return tuple(one.strip() for one in self.webhook_hosts.split(",") if one.strip())

    def need(self, *names: str) -> None:
        """Raise BadInput naming the variables among `names` that were not given."""
        missing = [f"LACUNA_{name.upper()}" for name in names if not getattr(self, name)]
        if missing:
            raise BadInput(f"{', '.join(missing)} must be set.")


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process; raises BadInput for a value that cannot be read."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(f"LACUNA_{str(e['loc'][0]).upper()}: {e['msg']}" for e in exc.errors())
        raise BadInput(f"The settings cannot be read: {wrong}.") from exc


def read_pairs(name: str, text: str) -> dict[str, str]:
    """`a=x,b=y` of the variable `name` as a dictionary; raises BadInput, without repeating what was given."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if not all(key and value for key, _, value in pairs):
        raise BadInput(f"{name} is written as name=value,name=value.")
    return {key: value for key, _, value in pairs}
