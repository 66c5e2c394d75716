"""Time-stamps: a valid token verifies offline, an invalid or missing one is reported, and the log never waits."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import text
from typer.testing import CliRunner

from services.cli.main import app
from services.request.app import build
from services.request.audit_log.sequencer import Sequencer
from services.request.audit_log.timestamper import Timestamper
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, IntegrityFailure, LacunaError, Unavailable
from shared.storage.local import LocalStore
from shared.storage.object_keys import timestamp_key
from shared.transparency.timestamps import TimestampAuthority
from tests.services.request.certificates.test_issuer import (
    Scenario,
    bundle,  # noqa: F401
    scenario,  # noqa: F401
    ticket,  # noqa: F401
)
from tests.support.api import People
from tests.support.audit_log import LOG_KEY
from tests.support.databases import Databases
from tests.support.timestamp_authority import POLICY, StandInAuthority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the stand-in authority is `openssl ts`")
NOTE = b"lacuna.log\n3\nAAAA\n\n-- signed\n"


@pytest.fixture
def tsa(tmp_path: Path) -> StandInAuthority:
    return StandInAuthority(tmp_path / "tsa")


@pytest.fixture
def anchor(
    tsa: StandInAuthority, database: Databases, store: LocalStore, listening: Callable[[Any], str]
) -> Timestamper:
    authority = TimestampAuthority.read(tsa.ca_file.read_bytes())
    return Timestamper(database.engine("control"), store, f"{listening(tsa.app())}/tsr", authority, timedelta(hours=1))


def again(anchor: Timestamper) -> int | None:
    """The next run, as if the pause were over."""
    anchor._not_before = 0.0
    return anchor.run_once()


def later(database: Databases) -> None:
    """An hour passes."""
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE log_timestamp SET made_at = made_at - interval '1 hour'"))


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(LacunaError) as failure:
        call()
    return failure.value.detail


def test_token_verifies_only_with_pinned_authority_policy_and_note(tsa: StandInAuthority, tmp_path: Path) -> None:
    authority = TimestampAuthority.read(tsa.ca_file.read_bytes(), POLICY)
    request = authority.request(NOTE)
    token = tsa.stamp(request.der)
    attested = authority.check(token, NOTE, 3, request.nonce)
    assert (attested.size, attested.policy, authority.check(token, NOTE, 3)) == (3, POLICY, attested)
    assert "something else" in refused(lambda: authority.check(token, NOTE + b"x", 3))
    assert "Nonce" in refused(lambda: authority.check(token, NOTE, 3, request.nonce + 1))
    asked_for = TimestampAuthority.read(tsa.ca_file.read_bytes(), POLICY + ".7")
    assert "Policy" in refused(lambda: asked_for.check(token, NOTE, 3))
    assert "refused" in refused(lambda: asked_for.check(tsa.stamp(asked_for.request(NOTE).der), NOTE, 3))
    other = TimestampAuthority.read(StandInAuthority(tmp_path / "other").ca_file.read_bytes())
    assert "does not hold" in refused(lambda: other.check(token, NOTE, 3))
    for junk in (b"", b"<html>", token[:-1], token + b"\0", bytes(100_000)):
        assert "cannot be read" in refused(lambda junk=junk: authority.check(junk, NOTE, 3))  # type: ignore[misc]


def test_no_bit_of_what_is_attested_can_be_changed(tsa: StandInAuthority) -> None:
    """Every byte is changed in turn: each change is refused, or leaves what is attested as it is."""
    authority = TimestampAuthority.read(tsa.ca_file.read_bytes())
    token = tsa.stamp(authority.request(NOTE).der)
    attested, held = authority.check(token, NOTE, 3), 0
    for place in range(len(token)):
        edited = token[:place] + bytes((token[place] ^ 4,)) + token[place + 1 :]
        try:
            assert authority.check(edited, NOTE, 3) == attested
            held += 1
        except IntegrityFailure:
            pass
    assert held < 20  # the name of the signature's algorithm, which nothing reads


def test_expired_or_wrong_purpose_certificate_is_refused(tsa: StandInAuthority, tmp_path: Path) -> None:
    good = tsa.stamp(TimestampAuthority.read(tsa.ca_file.read_bytes()).request(NOTE).der)
    for name, purpose, ends_in, says in (
        ("fine", ExtendedKeyUsageOID.TIME_STAMPING, timedelta(days=1), ""),
        ("expired", ExtendedKeyUsageOID.TIME_STAMPING, timedelta(days=-1), "expired"),
        ("web", ExtendedKeyUsageOID.SERVER_AUTH, timedelta(days=1), "does not hold"),
        ("any", None, timedelta(days=1), "does not hold"),
    ):
        stand_in = StandInAuthority(tmp_path / name, purpose, ends_in)
        authority = TimestampAuthority.read(stand_in.ca_file.read_bytes())
        token = stand_in.sign(good)
        if says:
            assert says in refused(lambda: authority.check(token, NOTE, 3)), name  # noqa: B023
        else:
            assert authority.check(token, NOTE, 3).size == 3
    for junk in (b"", b"-----BEGIN CERTIFICATE-----\n"):
        with pytest.raises(BadInput):
            TimestampAuthority.read(junk)
    with pytest.raises(BadInput):
        TimestampAuthority.read(tsa.ca_file.read_bytes(), "a.b")


def test_new_checkpoints_are_stamped_once_an_interval(
    anchor: Timestamper,
    tsa: StandInAuthority,
    database: Databases,
    store: LocalStore,
    sequencer: Sequencer,
    happen: Callable[[int], None],
    people: People,
) -> None:
    assert anchor.run_once() is None
    happen(2)  # after the set-up of `people`
    sequencer.run_once()
    assert (again(anchor), again(anchor)) == (3, None)
    happen(2)
    sequencer.run_once()
    assert again(anchor) is None
    later(database)
    assert (again(anchor), again(anchor), len(tsa.asked)) == (5, None, 2)
    with transaction(database.engine("request")) as session:
        newest = audit_log.newest_timestamp(session)
        assert newest is not None
        assert (newest.size, newest.token) == (5, store.get(timestamp_key(5)))
    shown = people["oscar"].get("/v1/status").json()["time_stamp"]
    assert (shown["size"], shown["newer_leaves"]) == (5, 0)
    with pytest.raises(Exception, match="append-only"), transaction(database.engine("admin")) as session:
        session.execute(text("DELETE FROM log_timestamp"))


def test_invalid_token_is_not_stored_and_is_requested_again_later(
    anchor: Timestamper,
    tsa: StandInAuthority,
    database: Databases,
    store: LocalStore,
    sequencer: Sequencer,
    happen: Callable[[int], None],
) -> None:
    happen(3)
    sequencer.run_once()
    again(anchor)
    happen(1)
    sequencer.run_once()
    later(database)
    for mode, kind in (
        ("away", Unavailable), ("html", IntegrityFailure), ("again", IntegrityFailure),
        ("other", IntegrityFailure), ("refuse", IntegrityFailure),
    ):  # fmt: skip
        tsa.mode = mode
        with pytest.raises(kind):
            again(anchor)
        asked = len(tsa.asked)
        assert (anchor.run_once(), len(tsa.asked)) == (None, asked)  # not at once again
        assert not store.exists(timestamp_key(4))
    happen(1)
    assert sequencer.run_once() == 1  # nothing waited
    anchor.url, right = "http://127.0.0.1:9/tsr", anchor.url
    with pytest.raises(Unavailable):
        again(anchor)
    anchor.url, tsa.mode = right, ""
    assert again(anchor) == 5


@pytest.fixture
def command(
    people: People, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """`lacuna ...` as ada: exit status and what it says."""
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["ada"])

    def run(*arguments: object) -> tuple[int, str]:
        try:
            done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        except (IntegrityFailure, BadInput) as exc:
            return 1, exc.detail
        return done.exit_code, " ".join(done.output.split())

    return run


def test_exported_log_is_verified_with_its_timestamps(
    anchor: Timestamper,
    tsa: StandInAuthority,
    command: Any,
    sequencer: Sequencer,
    happen: Callable[[int], None],
    database: Databases,
    tmp_path: Path,
) -> None:
    out, pin = tmp_path / "evidence", ("--tsa-ca", tsa.ca_file)
    verify = ("verify", "log", out, "--key", LOG_KEY.line())
    for count in (2, 2):  # after the set-up of `people`
        happen(count)
        sequencer.run_once()
        again(anchor)
        command("log", "export", out)
        assert command(*verify)[0] == 0
        later(database)
    assert "2 time-stamps were not checked" in command(*verify)[1]
    status, output = command(*verify, *pin)
    assert (status, "3 leaves existed at 20" in output, "newest of 2: 5 leaves" in output) == (0, True, True), output
    assert command("verify", "log", "--key", LOG_KEY.line(), *pin) == (0, output)
    first, second = sorted((out / "timestamps").iterdir())
    other = StandInAuthority(tmp_path / "other")
    assert "does not hold" in command(*verify, "--tsa-ca", other.ca_file)[1]
    kept = second.read_bytes()
    second.write_bytes(first.read_bytes())  # the token of another checkpoint
    assert "something else" in command(*verify, *pin)[1]
    second.write_bytes(kept[:400] + bytes((kept[400] ^ 1,)) + kept[401:])
    assert command(*verify, *pin)[0] == 1
    for path in (first, second):
        path.unlink()
    assert (command(*verify)[0], command(*verify, *pin)[0]) == (0, 1)


def test_certificate_bundle_contains_the_timestamps_that_cover_it(
    anchor: Timestamper,
    tsa: StandInAuthority,
    command: Any,
    scenario: Scenario,  # noqa: F811
    ticket: str,  # noqa: F811
    people: People,
    happen: Callable[[int], None],
    database: Databases,
    tmp_path: Path,
) -> None:
    def fetch() -> Path:
        (tmp_path / "c.zip").write_bytes(people["ada"].get(f"/v1/tickets/{ticket}/certificate?format=bundle").content)
        return tmp_path / "c.zip"

    verify, pin = ("--key", LOG_KEY.line()), ("--tsa-ca", tsa.ca_file)
    assert "no time-stamp" in command("verify", "certificate", fetch(), *verify, *pin)[1]
    again(anchor)
    happen(5)
    scenario.sequencer.run_once()
    later(database)
    again(anchor)
    status, output = command("verify", "certificate", fetch(), *verify, *pin)
    assert (status, "leaves existed at" in output, "newest of 2" in output) == (0, True, True), output
    assert "2 time-stamps were not checked" in command("verify", "certificate", fetch(), *verify)[1]

    def changed(change: Callable[[list[Any]], None]) -> str:
        with zipfile.ZipFile(fetch()) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        stamps = json.loads(parts["timestamps.json"])
        change(stamps)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as new:
            for name, content in (parts | {"timestamps.json": json.dumps(stamps).encode()}).items():
                new.writestr(name, content)
        (tmp_path / "d.zip").write_bytes(archive.getvalue())
        status, output = command("verify", "certificate", tmp_path / "d.zip", *verify, *pin)
        return output if status else ""

    assert "something else" in changed(lambda s: s[0].update(token=s[1]["token"]))
    assert "does not continue" in changed(lambda s: s[1].update(consistency=s[1]["consistency"][:-1]))
    assert changed(lambda s: s[1].update(checkpoint=s[1]["checkpoint"].replace("\n", "\n1", 1))) != ""
    assert "cannot be read" in changed(lambda s: s[0].pop("issued"))
    assert changed(lambda s: s[1]["issued"].update(position=0)) != ""
    assert changed(lambda s: s.pop()) == ""
