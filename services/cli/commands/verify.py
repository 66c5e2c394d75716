"""`lacuna log`, `verify`, `certificate`, `register`: what an auditor does. `verify` needs files and public keys.

An exported log is a folder: `leaves.ndjson` (a line a leaf, as it was hashed), `checkpoints/` (a signed note each) and
`timestamps/` (tokens of an outside authority on some of them).
"""

import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import request_client
from services.cli.commands.log import CHECKPOINTS, LEAVES, STAMPS, fetch
from services.cli.files import _bytes, _text
from services.cli.options import FOLDER, Data, Who
from services.cli.render import tables
from shared.crypto.signing import Verifier
from shared.errors import BadInput, IntegrityFailure
from shared.transparency import certificate_verifier, log_verifier
from shared.transparency.checkpoints import PublicKey, read_keys
from shared.transparency.timestamps import TimestampAuthority, VerifiedTimestamp

verify_app = typer.Typer(no_args_is_help=True, help="Check evidence offline, with public keys alone.")

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
    tables.console.print(f"{sound.sentence()} {stamped}".strip(), markup=False, soft_wrap=True)


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
    read = certificate_verifier.read_certificate_file(content)
    found = certificate_verifier.verify(read.envelope, keys, read.issue_proof)
    stamps = (
        [certificate_verifier.verify_timestamp(found, entry, keys, authority.check) for entry in read.timestamps]
        if authority
        else []
    )
    if eraser_key:
        if read.eraser_manifest is None:
            raise IntegrityFailure("The manifest of the eraser is not there: it is in the bundle.")
        try:
            verifier = Verifier([base64.b64decode(one, validate=True) for one in eraser_key])
        except ValueError as exc:
            raise BadInput("A public key of erasers is 32 bytes, base64.") from exc
        certificate_verifier.verify_manifest(read.eraser_manifest, found.statement["predicate"], verifier)
    tables.console.print(
        f"{found.sentence()} {_stamped(stamps, len(read.timestamps), authority)}".strip(), markup=False, soft_wrap=True
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
    from shared.artifacts.high_water_mark import check_signature  # noqa: PLC0415 - only here

    try:
        told = json.loads(_bytes(file)) if file is not None else request_client(data, who).get("/v1/restores")
        given = told["mark"] if isinstance(told["mark"], dict) else told
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput("There is no high-water mark in it.") from exc
    said = check_signature(given, [one.raw for one in _keys(key, data)])
    tables.console.print(
        f"The mark of {said['model']} holds: generation {said['generation']}, version {said['version']}, log entry "
        f"{said['log_size']}, as of {said['at']}.",
        markup=False,
        soft_wrap=True,
    )


def verify_folder(folder: Path, kept: list[str], keys: list[PublicKey]) -> log_verifier.VerifiedLog:
    """Check an exported log; raises IntegrityFailure or BadInput."""
    if not (folder / LEAVES).is_file():
        raise BadInput(f"{folder} is no exported log: there is no {LEAVES} in it.")
    notes = [_text(path) for path in sorted((folder / CHECKPOINTS).glob("*"))]
    with (folder / LEAVES).open("rb") as file:
        return log_verifier.verify((line.removesuffix(b"\n") for line in file), notes, kept, keys)


def stamps_of(folder: Path, authority: "TimestampAuthority | None") -> str:
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


def _stamped(found: "Sequence[VerifiedTimestamp]", given: int, authority: "TimestampAuthority | None") -> str:
    """The last sentence of an answer: what an outsider attests. Raises IntegrityFailure where there is nothing."""
    if authority is None:
        few = "1 time-stamp was" if given == 1 else f"{given} time-stamps were"
        return f"{few} not checked: give --tsa-ca." if given else ""
    if not found:
        raise IntegrityFailure("There is no time-stamp here (one is made within LACUNA_TSA_EVERY_S of a change).")
    first, last = (f(found, key=lambda one: (one.at, one.size)) for f in (min, max))
    more = f"; the newest of {len(found)}: {last.sentence()}" if last != first else ""
    return f"By the time-stamping authority that you pinned, {first.sentence()}{more}."


def _authority(ca: Path | None, policy: str) -> "TimestampAuthority | None":
    if ca is None:
        return None
    from shared.transparency.timestamps import TimestampAuthority as Authority  # noqa: PLC0415 - its library brings an OpenSSL of its own

    return Authority.read(_bytes(ca), policy)


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
