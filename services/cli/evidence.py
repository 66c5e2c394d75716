"""`lacuna log`, `verify`, `certificate`, `register`: what an auditor does. `verify` needs files and public keys.

An exported log is a folder: `leaves.ndjson` (a line a leaf, as it was hashed), `checkpoints/` (a signed note each) and
`timestamps/` (tokens of an outside authority on some of them).
"""

import base64
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli import show
from services.cli.client import Client, request_client
from shared.crypto import Verifier
from shared.errors import BadInput, IntegrityFailure
from shared.log import audit, statement
from shared.log.note import PublicKey, read_keys

if TYPE_CHECKING:
    from shared.log.stamp import Attested, Authority

verify_app = typer.Typer(no_args_is_help=True, help="Check evidence offline, with public keys alone.")
log_app = typer.Typer(no_args_is_help=True, help="The audit log.")
register_app = typer.Typer(no_args_is_help=True, help="Registers and figures for a regulator.")
certificate_app = typer.Typer(no_args_is_help=True, help="Certificates of suppression.")

FOLDER = Path(".lacuna")
PAGE = 1000
LEAVES, CHECKPOINTS, STAMPS = "leaves.ndjson", "checkpoints", "timestamps"
Data = Annotated[Path, typer.Option("--data", envvar="LACUNA_DATA", help="The folder of the stack.")]
Who = Annotated[str, typer.Option("--as", help="Whose key of keys.json is used.")]
Since = Annotated[str | None, typer.Option(help="Filed then or later: 2026-01-01T00:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Filed before.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="A public key that you pinned, name+id+base64, or a file of them; may be repeated."),
]

TsaCa = Annotated[
    Path | None,
    typer.Option(
        help="CA certificate(s), PEM, of the time-stamping authority that you pinned: its tokens are checked."
    ),
]
TsaPolicy = Annotated[str, typer.Option(help="The policy (OID) that its tokens have to name.")]


@verify_app.command("log")
def verify_log(
    folder: Annotated[Path | None, typer.Argument(help="An exported log; fetched from the stack if not given.")] = None,
    key: Keys = None,
    kept: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that you kept from before; may be repeated.")
    ] = None,
    tsa_ca: TsaCa = None,
    tsa_policy: TsaPolicy = "",
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """Every leaf is the one that was signed, in its place, none is missing, and history is that which you knew."""
    keys, mine = _keys(key, data), [_text(path) for path in kept or []]
    authority = _authority(tsa_ca, tsa_policy)
    if folder is not None:
        sound, stamped = verify_folder(folder, mine, keys), stamps_of(folder, authority)
    else:
        with tempfile.TemporaryDirectory(prefix="lacuna-log-") as name:
            fetch(Path(name), data, who)
            sound, stamped = verify_folder(Path(name), mine, keys), stamps_of(Path(name), authority)
    show.out.print(f"{sound.sentence()} {stamped}".strip(), markup=False, soft_wrap=True)


@verify_app.command("certificate")
def verify_certificate(
    file: Path,
    key: Keys = None,
    eraser_key: Annotated[
        list[str] | None, typer.Option(help="A public key of erasers, base64; the bundle's manifest is then checked.")
    ] = None,
    tsa_ca: TsaCa = None,
    tsa_policy: TsaPolicy = "",
    data: Data = FOLDER,
) -> None:
    """Signature, log proofs, coverage and time-stamps of a certificate (JSON) or a bundle (zip)."""
    content, keys, authority = _bytes(file), _keys(key, data), _authority(tsa_ca, tsa_policy)
    envelope, issued, manifest = statement.read_file(content)
    found = statement.verify(envelope, keys, issued)
    given = statement.read_stamps(content)
    stamps = [statement.verify_stamp(found, one, keys, authority.check) for one in given] if authority else []
    if eraser_key:
        if manifest is None:
            raise IntegrityFailure("The manifest of the eraser is not there: it is in the bundle.")
        try:
            verifier = Verifier([base64.b64decode(one, validate=True) for one in eraser_key])
        except ValueError as exc:
            raise BadInput("A public key of erasers is 32 bytes, base64.") from exc
        statement.verify_manifest(manifest, found.statement["predicate"], verifier)
    show.out.print(
        f"{found.sentence()} {_stamped(stamps, len(given), authority)}".strip(), markup=False, soft_wrap=True
    )
    if found.statement["predicate"]["certificate"]["status"] != "in_force":
        raise SystemExit(3)


@verify_app.command("mark")
def verify_mark(
    file: Annotated[
        Path | None, typer.Argument(help="What `lacuna restore list` wrote; asked for if not given.")
    ] = None,
    key: Keys = None,
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """The signed high-water mark: below it no database is served, unless two people accepted that."""
    from shared.highwater import check_signature  # noqa: PLC0415 - only here

    try:
        told = json.loads(_bytes(file)) if file is not None else request_client(data, who).get("/v1/restores")
        given = told["mark"] if isinstance(told["mark"], dict) else told
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput("There is no high-water mark in it.") from exc
    said = check_signature(given, [one.raw for one in _keys(key, data)])
    show.out.print(
        f"The mark of {said['model']} holds: generation {said['generation']}, version {said['version']}, log entry "
        f"{said['log_size']}, as of {said['at']}.",
        markup=False,
        soft_wrap=True,
    )


@log_app.command("export")
def export(folder: Path, data: Data = FOLDER, who: Who = "ada") -> None:
    """Write the log into a folder, for `lacuna verify log FOLDER`."""
    leaves, checkpoints = fetch(folder, data, who)
    show.out.print(f"{leaves} leaves and {checkpoints} checkpoints are in {folder}.")


@log_app.command("checkpoint")
def show_checkpoint(
    out: Annotated[Path | None, typer.Option(help="Keep it in this file, for `verify log --kept`.")] = None,
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """The newest signed checkpoint. Keep some: they show whether history is rewritten later."""
    note = request_client(data, who).get("/v1/log/checkpoint")["note"]
    if out is not None:
        _write(out, note.encode())
    show.out.print(note, markup=False, soft_wrap=True, end="")


@register_app.command("requests")
def register_requests(
    out: Annotated[Path, typer.Option(help="Where it goes: .csv or .json.")],
    since: Since = None,
    until: Until = None,
    data: Data = FOLDER,
    who: Who = "ada",
) -> None:
    """Every request of a period, whole."""
    client = request_client(data, who, keep=True)
    cursor: str | None = None
    pages: list[bytes] = []
    asked = {"format": _kind(out, (".csv", ".json")), "since": since, "until": until, "limit": PAGE}
    while cursor is not None or not pages:
        pages.append(client.download("/v1/registers/requests", **_given(asked | {"cursor": cursor})))
        cursor = client.seen.get("lacuna-next")
    client.close()
    if asked["format"] == "csv":
        whole = pages[0] + b"".join(page.partition(b"\r\n")[2] for page in pages[1:])
    else:
        whole = json.dumps([item for page in pages for item in json.loads(page)["items"]], indent=1).encode()
    _write(out, whole)
    show.out.print(f"The register is in {out}.", markup=False)


@register_app.command("kpis")
def register_kpis(since: Since = None, until: Until = None, data: Data = FOLDER, who: Who = "ada") -> None:
    """The figures of a period as JSON."""
    show.as_json(request_client(data, who).get("/v1/registers/kpis", since=since, until=until))


@certificate_app.command("get")
def get_certificate(
    ticket: str,
    out: Annotated[Path, typer.Option(help="Where it goes: .json, .pdf, .csv, or .zip for the bundle.")],
    data: Data = FOLDER,
    who: Who = "olivia",
) -> None:
    """The newest certificate of a ticket."""
    kind = _kind(out, (".json", ".pdf", ".csv", ".zip"))
    format = "bundle" if kind == "zip" else kind
    _write(out, request_client(data, who).download(f"/v1/tickets/{ticket}/certificate", format=format))
    show.out.print(f"The certificate of {ticket} is in {out}.", markup=False)


def fetch(folder: Path, data: Path, who: str) -> tuple[int, int]:
    """Export the log of a running stack into `folder`: numbers of leaves and of checkpoints.

    Leaves are fetched after the checkpoints, so that every checkpoint has its leaves.
    """
    client = request_client(data, who, keep=True)
    try:
        return _fetch(client, folder)
    finally:
        client.close()


def _fetch(client: Client, folder: Path) -> tuple[int, int]:
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    checkpoints = 0
    for one in _pages(client, "/v1/log/checkpoints", "after"):
        _write(folder / CHECKPOINTS / f"{one['size']:012d}", one["note"].encode())
        checkpoints += 1
    stored = client.get("/v1/log/checkpoint")["stored"] if checkpoints else None
    if stored is not None:
        _write(folder / CHECKPOINTS / "store", stored.encode())
    (folder / STAMPS).mkdir(exist_ok=True)
    for one in _pages(client, "/v1/log/timestamps", "after"):
        _write(folder / STAMPS / f"{one['size']:012d}.tsr", base64.b64decode(one["token"]))
    leaves = 0
    with (folder / LEAVES).open("wb") as file:
        for one in _pages(client, "/v1/log/leaves", "start"):
            file.write(one["line"].encode() + b"\n")
            leaves += 1
    return leaves, checkpoints


def verify_folder(folder: Path, kept: list[str], keys: list[PublicKey]) -> audit.Sound:
    """Check an exported log; raises IntegrityFailure or BadInput."""
    if not (folder / LEAVES).is_file():
        raise BadInput(f"{folder} is no exported log: there is no {LEAVES} in it.")
    notes = [_text(path) for path in sorted((folder / CHECKPOINTS).glob("*"))]
    with (folder / LEAVES).open("rb") as file:
        return audit.verify((line.removesuffix(b"\n") for line in file), notes, kept, keys)


def stamps_of(folder: Path, authority: "Authority | None") -> str:
    """What the time-stamps of an exported log, which holds, say; raises IntegrityFailure."""
    files = sorted((folder / STAMPS).glob("*.tsr"))
    if authority is None:
        return _stamped([], len(files), None)
    found = []
    for path in files:
        note = folder / CHECKPOINTS / path.stem
        if not note.is_file() or not path.stem.isdigit():
            raise IntegrityFailure(f"There is a time-stamp, {path.name}, but not the checkpoint that it is on.")
        found.append(authority.check(_bytes(path), _bytes(note), int(path.stem)))
    return _stamped(found, len(files), authority)


def _stamped(found: "Sequence[Attested]", given: int, authority: "Authority | None") -> str:
    """The last sentence of an answer: what an outsider attests. Raises IntegrityFailure where there is nothing."""
    if authority is None:
        few = "1 time-stamp was" if given == 1 else f"{given} time-stamps were"
        return f"{few} not checked: give --tsa-ca." if given else ""
    if not found:
        raise IntegrityFailure("There is no time-stamp here (one is made within LACUNA_TSA_EVERY_S of a change).")
    first, last = (f(found, key=lambda one: (one.at, one.size)) for f in (min, max))
    more = f"; the newest of {len(found)}: {last.sentence()}" if last != first else ""
    return f"By the time-stamping authority that you pinned, {first.sentence()}{more}."


def _authority(ca: Path | None, policy: str) -> "Authority | None":
    if ca is None:
        return None
    from shared.log.stamp import Authority  # noqa: PLC0415 - its library brings an OpenSSL of its own

    return Authority.read(_bytes(ca), policy)


def _pages(client: Client, path: str, name: str) -> Iterator[Any]:
    place: int | None = 0
    while place is not None:
        page = client.get(path, limit=PAGE, **{name: place})
        yield from page["items"]
        place = page["next"]


def _keys(given: list[str] | None, data: Path) -> list[PublicKey]:
    """What was given, else the file that `lacuna up` wrote (good for a try; an auditor pins keys by another way)."""
    sources = given or [str(data / "log-keys.txt")]
    found: list[PublicKey] = []
    for one in sources:
        if "+" in one and not Path(one).exists():
            found += read_keys(one)
        else:
            found += read_keys(_text(Path(one)))
    if not found:
        raise BadInput("There is no public key to check with: give --key.")
    return found


def _kind(out: Path, endings: tuple[str, ...]) -> str:
    if out.suffix.lower() not in endings:
        raise BadInput(f"{out.name} has to end with {', '.join(endings[:-1])} or {endings[-1]}.")
    return out.suffix.lower()[1:]


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}.") from exc


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise BadInput(f"{path} cannot be written: {exc.strerror}.") from exc
