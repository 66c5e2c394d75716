"""`lacuna verify ...`: check evidence offline. It needs files and public keys, and trusts no service."""

import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.client import request_client
from services.cli.commands.log import CHECKPOINTS, LEAVES, TIMESTAMPS, fetch
from services.cli.files import read_bytes, read_text
from services.cli.options import DATA_FOLDER, As, Data
from services.cli.render.tables import print_sentence
from shared.errors import BadInput, IntegrityFailure

if TYPE_CHECKING:  # the checks take a third of a second to import, which other commands do not spend
    from shared.transparency.certificate_verifier import VerifiedCertificate
    from shared.transparency.checkpoints import PublicKey
    from shared.transparency.log_verifier import VerifiedLog
    from shared.transparency.timestamps import TimestampAuthority, VerifiedTimestamp

app = typer.Typer(no_args_is_help=True, help="Check a certificate, the log or the high-water mark offline.")

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", help="A public log key that you pinned: name+id+base64, or a file of such lines. May be repeated."
    ),
]
TsaCa = Annotated[
    Path | None,
    typer.Option(help="CA certificates (PEM) of the time-stamping authority that you pinned; its tokens are checked."),
]
TsaPolicy = Annotated[str, typer.Option(help="The policy (OID) that its tokens must name.")]


@app.command("log")
def verify_log(
    folder: Annotated[Path | None, typer.Argument(help="An exported log; fetched from the stack if not given.")] = None,
    key: Keys = None,
    kept: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that you kept from before; may be repeated.")
    ] = None,
    tsa_ca: TsaCa = None,
    tsa_policy: TsaPolicy = "",
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Check that every leaf is the signed one in its place, that none is missing, and that no past was rewritten."""
    keys, kept_notes = _read_keys(key, data), [read_text(path) for path in kept or []]
    authority = _read_authority(tsa_ca, tsa_policy)
    if folder is not None:
        sentence = _check_folder(folder, kept_notes, keys, authority)
    else:
        with tempfile.TemporaryDirectory(prefix="lacuna-log-") as name:
            fetch(Path(name), data, account)
            sentence = _check_folder(Path(name), kept_notes, keys, authority)
    print_sentence(sentence)


@app.command("certificate")
def verify_certificate(
    file: Annotated[Path, typer.Argument(help="A certificate (.json) or a bundle (.zip).")],
    key: Keys = None,
    eraser_key: Annotated[
        list[str] | None,
        typer.Option(help="A public key that signs erasers, base64; the bundle's manifest is then checked too."),
    ] = None,
    tsa_ca: TsaCa = None,
    tsa_policy: TsaPolicy = "",
    data: Data = DATA_FOLDER,
) -> None:
    """Check the signature, log proofs, coverage and time-stamps of a certificate; exit code 3 if it is not in force."""
    from shared.transparency import certificate_verifier  # noqa: PLC0415 - see above

    content, keys, authority = read_bytes(file), _read_keys(key, data), _read_authority(tsa_ca, tsa_policy)
    read = certificate_verifier.read_certificate_file(content)
    verified = certificate_verifier.verify(read.envelope, keys, read.issue_proof)
    timestamps = (
        [certificate_verifier.verify_timestamp(verified, token, keys, authority.check) for token in read.timestamps]
        if authority
        else []
    )
    if eraser_key:
        if read.eraser_manifest is None:
            raise IntegrityFailure("The file holds no manifest of the eraser. The bundle (.zip) has it.")
        _check_manifest(read.eraser_manifest, verified, eraser_key)
    print_sentence(f"{verified.sentence()} {_timestamp_sentence(timestamps, len(read.timestamps), authority)}".strip())
    if verified.statement["predicate"]["certificate"]["status"] != "in_force":
        raise SystemExit(3)


@app.command("mark")
def verify_mark(
    file: Annotated[
        Path | None, typer.Argument(help="What `lacuna restore list` printed; fetched from the stack if not given.")
    ] = None,
    key: Keys = None,
    data: Data = DATA_FOLDER,
    account: As = "ada",
) -> None:
    """Check the signed high-water mark: a database that is behind it is not served, unless two people accept it."""
    from shared.artifacts.high_water_mark import check_signature  # noqa: PLC0415 - see above

    try:
        answer = json.loads(read_bytes(file)) if file is not None else request_client(data, account).get("/v1/restores")
        signed = answer["mark"] if isinstance(answer["mark"], dict) else answer
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput("There is no high-water mark in it.") from exc
    mark = check_signature(signed, [public_key.raw for public_key in _read_keys(key, data)])
    print_sentence(
        f"The mark of {mark['model']} holds: generation {mark['generation']}, version {mark['version']}, log entry "
        f"{mark['log_size']}, as of {mark['at']}."
    )


def verify_folder(folder: Path, kept: list[str], keys: "list[PublicKey]") -> "VerifiedLog":
    """Check an exported log; raises IntegrityFailure or BadInput."""
    from shared.transparency import log_verifier  # noqa: PLC0415 - see above

    if not (folder / LEAVES).is_file():
        raise BadInput(f"{folder} is not an exported log: it holds no {LEAVES}.")
    notes = [read_text(path) for path in sorted((folder / CHECKPOINTS).glob("*"))]
    with (folder / LEAVES).open("rb") as file:
        return log_verifier.verify((line.removesuffix(b"\n") for line in file), notes, kept, keys)


def _check_folder(
    folder: Path, kept: list[str], keys: "list[PublicKey]", authority: "TimestampAuthority | None"
) -> str:
    """Check an exported log and its time-stamps; the result in words. Raises IntegrityFailure or BadInput."""
    log = verify_folder(folder, kept, keys)
    return f"{log.sentence()} {_check_timestamps(folder, authority)}".strip()


def _check_timestamps(folder: Path, authority: "TimestampAuthority | None") -> str:
    files = sorted((folder / TIMESTAMPS).glob("*.tsr"))
    if authority is None:
        return _timestamp_sentence([], len(files), None)
    timestamps = []
    for path in files:
        note = folder / CHECKPOINTS / path.stem
        if not note.is_file() or not path.stem.isdigit():
            raise IntegrityFailure(f"The time-stamp {path.name} is there, but the checkpoint that it is on is not.")
        timestamps.append(authority.check(read_bytes(path), read_bytes(note), int(path.stem)))
    return _timestamp_sentence(timestamps, len(files), authority)


def _check_manifest(manifest: dict[str, object], verified: "VerifiedCertificate", public_keys: Sequence[str]) -> None:
    from shared.crypto.signing import Verifier  # noqa: PLC0415 - see above
    from shared.transparency import certificate_verifier  # noqa: PLC0415 - see above

    try:
        verifier = Verifier([base64.b64decode(public_key, validate=True) for public_key in public_keys])
    except ValueError as exc:
        raise BadInput("A public key that signs erasers is 32 bytes, written in base64.") from exc
    certificate_verifier.verify_manifest(manifest, verified.statement["predicate"], verifier)


def _timestamp_sentence(
    timestamps: "Sequence[VerifiedTimestamp]", given: int, authority: "TimestampAuthority | None"
) -> str:
    """What the time-stamping authority attests, in words. `given` is how many time-stamps there are, checked or not.

    Raises IntegrityFailure where an authority was pinned and there is no time-stamp.
    """
    if authority is None:
        count = "1 time-stamp was" if given == 1 else f"{given} time-stamps were"
        return f"{count} not checked: give --tsa-ca." if given else ""
    if not timestamps:
        raise IntegrityFailure("There is no time-stamp here. One is made within LACUNA_TSA_EVERY_S of a change.")
    ordered = sorted(timestamps, key=lambda timestamp: (timestamp.at, timestamp.size))
    first, last = ordered[0], ordered[-1]
    newest = f"; the newest of {len(ordered)}: {last.sentence()}" if last != first else ""
    return f"By the time-stamping authority that you pinned, {first.sentence()}{newest}."


def _read_authority(ca: Path | None, policy: str) -> "TimestampAuthority | None":
    if ca is None:
        return None
    from shared.transparency.timestamps import TimestampAuthority  # noqa: PLC0415 - brings an OpenSSL of its own

    return TimestampAuthority.read(read_bytes(ca), policy)


def _read_keys(given: list[str] | None, data: Path) -> "list[PublicKey]":
    """The keys of --key, else those that `lacuna up` wrote: good for a try, but an auditor pins keys in another way."""
    from shared.transparency.checkpoints import read_keys  # noqa: PLC0415 - see above

    keys: list[PublicKey] = []
    for source in given or [str(data / "log-keys.txt")]:
        is_key = "+" in source and not Path(source).exists()
        keys += read_keys(source if is_key else read_text(Path(source)))
    if not keys:
        raise BadInput("There is no public key to check with. Give one with --key.")
    return keys
