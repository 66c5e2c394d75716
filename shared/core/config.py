"""Settings of every process, from environment variables `LACUNA_*`. Each process is given only those that it needs.

A group is read from the variables that begin with its name: `LACUNA_DATABASE_URL` is `settings.database.url`. What the
settings mean, and which process reads them, is in docs/settings.md.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadInput

PREFIX = "LACUNA_"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\s*=")  # a tag as in BCP 47
_NEXT_LANGUAGE = re.compile(r";\s*(?=" + _LANGUAGE.pattern.replace("(-", "(?:-") + ")")


def _rate(written: str) -> str:
    from limits import parse  # noqa: PLC0415 - takes a tenth of a second, and few set a rate

    try:
        parse(written)
    except ValueError:
        raise ValueError("a rate is written as 6000/minute") from None
    return written


Rate = Annotated[str, AfterValidator(_rate)]  # so many in a second, minute, hour or day


class DatabaseSettings(BaseModel):
    """PostgreSQL."""

    url: str = ""
    idle_s: float = 90.0  # PostgreSQL ends a transaction whose process has stood still for so long


class S3Settings(BaseModel):
    """The object store; without an endpoint it is a folder."""

    endpoint: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""  # of temporary credentials
    bucket: str = "lacuna"
    region: str = "us-east-1"
    compact: str = ""  # a shell command that has the server drop deleted objects from its files


class VaultSettings(BaseModel):
    """HashiCorp Vault, whose transit engine wraps data keys; LACUNA_KEK then only keys the indices."""

    address: str = ""  # https://...
    token: str = ""
    mount: str = "transit"
    key: str = "lacuna"


class LogSettings(BaseModel):
    """Keys of the audit log, and how log lines are written."""

    key: str = ""  # private: signs checkpoints and certificates; the control loop alone has it
    verify_keys: str = ""  # public: name+id+base64 as auditors pin them, comma-separated, the newest first
    format: Literal["text", "json"] = "text"  # of log lines on standard error
    access: bool = True  # a line for each HTTP request


class MetricsSettings(BaseModel):
    """Where a process serves its metrics, which tell who is forgotten to whoever can also ask the model."""

    host: str = "127.0.0.1"
    port: int | None = None  # 0: nowhere; None: nowhere too, but under `lacuna up` the first of six ports from 8610
    token: str = ""  # that a reader has to send; needed where the host is not loopback


class TsaSettings(BaseModel):
    """A time-stamping authority (RFC 3161) that stamps the checkpoints of the log."""

    url: str = ""  # empty: no checkpoint is stamped
    policy: str = ""  # object identifier of the policy that is requested and checked; empty: the authority's own
    ca: Path | None = None  # PEM file with the CA certificates by which its tokens are checked
    every_s: float = 3600.0  # at most one token in this time, and only for a new checkpoint


class ModelSettings(BaseModel):
    """The model that is served."""

    source: str = "models/demo-vlm"
    id: str = ""  # clients name it in their requests; by default the last part of the source

    @model_validator(mode="after")
    def _name_after_source(self) -> Self:
        self.id = self.id or Path(self.source).name
        return self


class EngineSettings(BaseModel):
    """An OpenAI-compatible server that answers in place of the model in the replica's process."""

    url: str = ""  # with the version: http://host:8000/v1; empty: the engine in the replica's process
    key: str = ""  # sent to that server as a bearer token, and to nobody else
    model: str = ""  # its name there; by default the id of the model here
    system_line: str | None = None  # of a request that is asked again redacted; empty: none
    connect_s: float = 5.0
    read_s: float = 60.0  # the longest silence of the server, its first byte included
    total_s: float = 600.0  # of one answer
    attempts: int = 3  # of a request that nothing was received of


class NightlySettings(BaseModel):
    """The nightly refit, and the nightly audit."""

    hour: int = 2  # UTC
    audit_hour: int = 4  # UTC
    audit_s: float = 10800.0  # the nightly audit begins with no other ticket after that time; 0: there is none
    catch_up_s: float = 900.0  # the control loop orders the refit where the scheduler has not ordered it by then
    grace_s: float = 7200.0  # an alarm is raised where the refit has not finished by then


class RestartSettings(BaseModel):
    """How `lacuna up` starts processes again that end by themselves."""

    most: int = 8  # a process that ends more often within the window ends the stack; 0: the first end does
    window_s: float = 600.0


class DeadmanSettings(BaseModel):
    """Monitors outside that are pinged while all is well, and raise an alarm when the pings stop."""

    urls: str = ""  # clerk=https://...,nightly=https://...,all=https://...
    every_s: float = 60.0


class WebhookSettings(BaseModel):
    """Where webhooks may lead to."""

    hosts: str = "*"  # comma-separated: hooks.example.org, *.example.org
    allow_loopback: bool = False  # plain HTTP to 127.0.0.1, for tests only

    @property
    def host_list(self) -> tuple[str, ...]:
        """The single entries of `hosts`."""
        return tuple(host.strip() for host in self.hosts.split(",") if host.strip())


class PictureSettings(BaseModel):
    """Pictures that clients of the model give by address."""

    hosts: str = ""  # comma-separated: images.example.org, *.example.org; empty: pictures come in the request alone

    @property
    def host_list(self) -> tuple[str, ...]:
        """The single entries of `hosts`."""
        return tuple(host.strip().lower() for host in self.hosts.split(",") if host.strip())


class RateSettings(BaseModel):
    """Rate limits."""

    limit: Rate = "12000/minute"  # of one caller; 200 a second, as much as one process answers
    failures: Rate = "60/minute"  # wrong credentials of one address
    client: Rate = "6000/minute"  # requests of one key to the model, of each replica
    client_at_once: int = 256  # of these, under way at once


class OidcSettings(BaseModel):
    """OpenID Connect."""

    issuer: str = ""
    audience: str = ""
    roles_claim: str = "roles"  # a dot leads into an object: realm_access.roles
    roles: str = ""  # group=role,group=role
    leeway_s: float = 30.0
    client_id: str = ""  # of the console; empty: nobody signs in to it at the provider
    client_secret: str = ""  # empty: a public client, which PKCE alone protects
    device_client_id: str = ""  # of the command line; empty: `lacuna login` needs --client-id
    device_scope: str = "openid offline_access"


class ControllerSettings(BaseModel):
    """Who is responsible for the data, as letters and certificates name it."""

    name: str = ""
    address: str = ""  # in one line, with commas
    contact: str = ""  # of the data protection officer: an address, a telephone number
    opt_out: str = ""  # address of the notice of the right to opt out, of a business that sells or shares data (CCPA)
    staff_names: bool = False  # whether letters and certificates name the accounts of those who worked on a request


class PdfSettings(BaseModel):
    """The key that signs PDFs of certificates and reports (PAdES)."""

    key: Path | None = None  # PKCS#12, or the private key in PEM; without it, PDFs are not signed
    certificates: Path | None = None  # PEM: the key's certificate, and those up to an authority; not for PKCS#12
    password: str = ""  # of the key's file
    tsa_url: str = ""  # of a time-stamping authority (RFC 3161); empty: signatures have no time-stamp


class DropSettings(BaseModel):
    """California's Delete Request and Opt-out Platform (DROP), for a data broker."""

    people: Path | None = None  # the register: a file of people with identifiers; without it, no list is matched
    tenant: str = "default"  # whose register it is
    url: str = ""  # of the platform; empty: lists are given by hand
    key: str = ""  # sent to the platform as X-API-KEY
    every_days: float = 30.0  # the law asks for 45 at most


class DrpSettings(BaseModel):
    """The Data Rights Protocol, by which agents send requests."""

    agents: Path | None = None  # the registry: a JSON list of agents; without it, nobody can send one
    business: str = ""  # our id in the directory of businesses
    tenant: str = "default"  # whose tickets the requests become
    rate: Rate = "600/hour"  # requests of one agent
    most_waiting: int = 1000  # requests of one agent that nobody has decided


class MailSettings(BaseModel):
    """How mails are sent: to people who file a request by the public form."""

    url: str = ""  # smtps://user:password@host:465, smtp://host:587 (STARTTLS), or file:/folder for tests
    sender: str = ""  # the address in From


class FormSettings(BaseModel):
    """The public form, by which people file a request themselves."""

    enabled: bool = False
    tenant: str = "default"  # whose tickets its requests become
    url: str = ""  # of this service as people reach it, for the link in mails: https://forget.example.org
    rate: Rate = "30/hour"  # forms, codes and requests from one network address
    total: Rate = "300/hour"  # forms that are begun, by everybody
    most_open: int = 500  # forms under way at once
    most_waiting: int = 1000  # requests of the form that nobody has decided


class AuditSettings(BaseModel):
    """The audit: its lease, and the thresholds that a version has to meet (docs/settings.md)."""

    lease_s: float = 30.0
    told_trained: float = 0.05
    told_test: float = 0.20
    told_attacks: float = 0.20
    identical_retain: float = 0.99
    identical_held_out: float = 0.97
    identical_celebrity: float = 0.97
    identical_stranger: float = 0.98
    identical_visible: float = 0.85


class Settings(BaseSettings):
    """All settings. Secrets are base64. An empty value means "not given"; whoever needs it says so by name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, extra="ignore"
    )

    # Backends
    data: Path = Path(".lacuna")
    database: DatabaseSettings = DatabaseSettings()
    redis_url: str = ""
    s3: S3Settings = S3Settings()

    # Keys
    kek: str = ""  # the key-encryption key
    old_keks: str = ""  # key-encryption keys from before a rotation, comma-separated; they still open what they wrapped
    index_key: str = ""  # keys blind indices and tags; needed with OLD_KEKS: the very first KEK, for ever
    vault: VaultSettings = VaultSettings()
    shredding_keys: str = ""  # a folder that every process sees, or `vault`; empty: below DATA
    signing_key: str = ""  # private: signs erasers; the refit worker alone has it
    verify_keys: str = ""  # public: comma-separated, the newest first
    log: LogSettings = LogSettings()
    tsa: TsaSettings = TsaSettings()
    role_passwords: str = ""  # of the database roles: request=...,refit=...,audit=...,inference=...
    first_keys: str = ""  # API keys of the initial accounts, otherwise drawn: olivia=lk_...,adam=lk_...

    # Model
    model: ModelSettings = ModelSettings()
    reference: str = ""  # folder of people and prompts; empty: beside the model, else what ships with Lacuna
    unknown_answer: str = ""  # the not-knowing sentence, for all languages or as en=...;de=...
    recipe: str = "lacuna"
    device: str = ""
    reader_blocks: int = 0  # the gate reads the first blocks alone; 0: those that recipe and profile choose

    # Processes
    request_port: int = 8600
    inference_port: int = 8601
    proxies: str = ""  # addresses and networks whose X-Forwarded-For is believed, comma-separated
    replica: str = "inference-0"
    poll_s: float = 3.0  # a replica looks at the desired state at least so often; changes are announced to it
    grace_s: float = 15.0  # how long a replica goes on serving without the database; at most its lease
    picture: PictureSettings = PictureSettings()
    step_grace_s: float = 15.0  # a replica whose engine has work and finishes no step for so long is not ready
    release_grid_s: float = Field(default=0.0, ge=0)  # answers are handed out at its multiples alone; 0: at once
    restart: RestartSettings = RestartSettings()
    auto_promote: bool = True
    engine: EngineSettings = EngineSettings()
    nightly: NightlySettings = NightlySettings()
    refit_lease_s: float = 30.0  # a worker that is silent for so long counts as dead
    replica_lease_s: float = 15.0
    lost_after_s: float = 30.0  # a message that no worker has begun on by then is sent again

    # Monitoring
    metrics: MetricsSettings = MetricsSettings()
    tracing: str = "off"  # off, console, otlp
    pulse_grace_s: float = 120.0  # an alarm is raised where a process is silent for so long
    order_grace_s: float = 3600.0  # and where nobody carries out an order for so long
    deadman: DeadmanSettings = DeadmanSettings()

    # Tickets and the API
    regime: str = "gdpr"  # of a ticket that names none: gdpr, uk_gdpr, ccpa
    calendar: str = ""  # public holidays: DE, DE-BY, GB-ENG, US-CA; empty: weekends only, which is never later
    ticket_languages: str = "en"  # of a ticket that names none, comma-separated: de,en
    zone: str = "UTC"  # where the days of the statutory clock begin and end
    controller: ControllerSettings = ControllerSettings()
    pdf: PdfSettings = PdfSettings()
    identity_days: float = 30.0  # a request whose identity stays in doubt for so long expires; 0: never
    webhook: WebhookSettings = WebhookSettings()
    rate: RateSettings = RateSettings()
    oidc: OidcSettings = OidcSettings()

    # Retention
    shred_after_days: float = 30.0  # from the end of a ticket (completed, rejected, ...) to the end of its payload
    letter_days: float = 1096.0  # from the end of a ticket until its letters are destroyed: three years
    kit_days: float = 0.0  # until an audit kit is destroyed; 0: as long as its ticket is in force

    audit: AuditSettings = AuditSettings()

    # Requests from elsewhere
    drop: DropSettings = DropSettings()
    drp: DrpSettings = DrpSettings()
    form: FormSettings = FormSettings()
    mail: MailSettings = MailSettings()

    @property
    def language_list(self) -> tuple[str, ...]:
        """The single entries of `ticket_languages`."""
        return tuple(code.strip() for code in self.ticket_languages.split(",") if code.strip())

    def need(self, *names: str) -> None:
        """Raise BadInput, which lists the variables that are missing.

        `names` are variables without their prefix, in lower case: `database_url` for LACUNA_DATABASE_URL.
        """
        missing = [PREFIX + name.upper() for name in names if not self._value(name)]
        if missing:
            raise BadInput(f"{', '.join(missing)} must be set.")

    def _value(self, name: str) -> object:
        group, _, rest = name.partition("_")
        inner = getattr(self, group, None)
        return getattr(inner, rest) if isinstance(inner, BaseModel) else getattr(self, name)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process. Raises BadInput for a value that cannot be read."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in exc.errors())
        raise BadInput(f"The settings cannot be read: {wrong}.") from exc


def read_sentences(name: str, text: str) -> dict[str, str]:
    """The value of the variable `name` by language: `en=I do not know.;de=Das weiß ich nicht.`

    A value that does not begin with a language is one sentence for all languages, under the key "". A semicolon ends a
    sentence only where another language follows. Raises BadInput for an empty sentence or a language given twice.
    """
    text = text.strip()
    if not text:
        return {}
    if not _LANGUAGE.match(text):
        return {"": text}
    sentences: dict[str, str] = {}
    for part in _NEXT_LANGUAGE.split(text):
        language, _, sentence = part.partition("=")
        language, sentence = language.strip().lower(), sentence.strip()
        if not sentence or language in sentences:
            raise BadInput(f"{name}: the sentence for {language} is {'given twice' if sentence else 'empty'}.")
        sentences[language] = sentence
    return sentences


def read_pairs(name: str, text: str) -> dict[str, str]:
    """`a=x,b=y`, the value of the variable `name`, as a dictionary. Raises BadInput without repeating the value."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if not all(key and value for key, _, value in pairs):
        raise BadInput(f"{name} is written as name=value,name=value.")
    return {key: value for key, _, value in pairs}
