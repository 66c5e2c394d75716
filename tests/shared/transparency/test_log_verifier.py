"""`verify log` detects tampering in the database and in the bucket, and explains it in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.commands.log import ExportCounts, fetch
from services.cli.main import app
from services.request.app import build
from services.request.audit_log.sequencer import Sequencer
from shared.crypto.signing import Signer
from shared.errors import IntegrityFailure
from shared.storage.local import LocalStore
from shared.storage.object_keys import CHECKPOINTS, NEWEST_CHECKPOINT
from shared.transparency import checkpoints, log_verifier
from shared.transparency.checkpoints import Checkpoint
from shared.transparency.media_types import LOG_NAME
from shared.transparency.merkle_tree import Tree, leaf_hash
from tests.services.request.audit_log.test_sequencer import as_owner
from tests.support.api import People
from tests.support.audit_log import LOG_KEY, LOG_SIGNER
from tests.support.databases import Databases

SWAP = (
    "UPDATE log_leaf SET position = 900 WHERE position = 1",
    "UPDATE log_leaf SET position = 1 WHERE position = 2",
    "UPDATE log_leaf SET position = 2 WHERE position = 900",
)
Check = Callable[..., str]


@pytest.fixture
def check(
    people: People, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    """`lacuna verify log` over HTTP, as ada: exit status and what it says."""
    monkeypatch.setenv("LACUNA_URL", listening(build(people.context)))
    monkeypatch.setenv("LACUNA_KEY", people.keys["ada"])

    def run(*kept: str, key: str = LOG_KEY.line()) -> str:
        options = []
        for number, text in enumerate(kept):
            (tmp_path / f"kept-{number}").write_text(text)
            options += ["--kept", str(tmp_path / f"kept-{number}")]
        try:
            done = CliRunner().invoke(app, ["verify", "log", "--key", key, *options], catch_exceptions=False)
        except IntegrityFailure as exc:
            return exc.detail
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    return run


@pytest.fixture
def history(people: People, sequencer: Sequencer, happen: Callable[[int], None]) -> None:
    """Nine leaves, of which the first is the set-up of `people`, signed at 4, 7 and 9."""
    for count in (3, 3, 2):
        happen(count)
        sequencer.run_once()


def test_untouched_log_verifies_against_an_old_checkpoint(check: Check, history: None, store: LocalStore) -> None:
    kept = store.get("log/checkpoints/000000000004").decode()
    report = check(kept)
    assert "9 leaves are those that were signed" in report
    assert "5 checkpoints" in report


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (("UPDATE log_leaf SET actor = 'mallory' WHERE position = 5",), "Among leaves 4 to 6"),
        (("UPDATE log_leaf SET detail = '{}' WHERE position = 8",), "Among leaves 7 to 8"),
        (("DELETE FROM log_leaf WHERE position = 8",), "cut off: it ends at 8 leaves, but 9 were signed"),
        (("DELETE FROM log_leaf WHERE position = 2",), "Among leaves 0 to 3"),
        (SWAP, "Among leaves 0 to 3"),
        (
            (
                "INSERT INTO log_leaf (actor, kind, subject, detail, position, leaf_hash) "
                "SELECT 'm', 'm', 'm', '{}', 9, sha256('')",
                *(s.replace("900", "901").replace("= 2", "= 9") for s in SWAP),
            ),
            "Among leaves 0 to 3",
        ),
        (("UPDATE log_checkpoint SET note = replace(note, '7', '8') WHERE size = 7",), "A checkpoint of this log"),
        (("DELETE FROM log_leaf WHERE position > 3", "DELETE FROM log_checkpoint WHERE size > 4"), "cut off"),
    ],
)
def test_edits_gaps_reordering_and_insertions_in_sql_are_found(
    check: Check, history: None, database: Databases, statements: tuple[str, ...], reason: str
) -> None:
    as_owner(database, *statements)
    assert reason in check()


def test_truncated_log_is_detected_with_an_earlier_checkpoint(
    check: Check, history: None, database: Databases, store: LocalStore
) -> None:
    kept = store.get(NEWEST_CHECKPOINT).decode()
    as_owner(database, "DELETE FROM log_leaf WHERE position > 3", "DELETE FROM log_checkpoint WHERE size > 4")
    store.put(NEWEST_CHECKPOINT, store.get("log/checkpoints/000000000004"))
    assert "4 leaves are those that were signed" in check()  # nobody can know, without the checkpoint from before
    assert check(kept) == (
        "The log was cut off: it ends at 4 leaves, but 9 were signed in the checkpoint that you kept."
    )


def test_history_forked_with_the_right_key_is_detected_with_an_earlier_checkpoint(
    check: Check, history: None, database: Databases, store: LocalStore, happen: Callable[[int], None]
) -> None:
    kept = store.get("log/checkpoints/000000000007").decode()
    as_owner(
        database,
        "UPDATE log_leaf SET actor = 'mallory' WHERE position = 5",
        "UPDATE log_leaf SET position = NULL, leaf_hash = NULL",
        "DELETE FROM log_checkpoint",
    )
    for key in [NEWEST_CHECKPOINT, *store.list(CHECKPOINTS)]:
        store.delete(key)  # one that is left would be taken for the newest, and the database for an old one
    Sequencer(database.engine("control"), store, LOG_SIGNER, [LOG_KEY], LOG_NAME).run_once()
    assert "9 leaves are those that were signed" in check()
    assert check(kept).startswith(
        "Among leaves 0 to 6 the log is not what the checkpoint that you kept at 7 leaves says"
    )


def test_altered_checkpoint_in_the_bucket_is_detected(check: Check, history: None, store: LocalStore) -> None:
    signed = store.get(NEWEST_CHECKPOINT)
    store.put(NEWEST_CHECKPOINT, signed.replace(b"\n9\n", b"\n8\n"))
    assert "A checkpoint of this log was altered" in check()
    store.put(NEWEST_CHECKPOINT, checkpoints.sign(Checkpoint(LOG_NAME, 9, bytes(32)), LOG_SIGNER).encode())
    assert "The history was forked: two different logs of 9 leaves" in check()
    store.put(NEWEST_CHECKPOINT, checkpoints.sign(Checkpoint(LOG_NAME, 12, bytes(32)), LOG_SIGNER).encode())
    assert "it ends at 9 leaves, but 12 were signed" in check()
    store.put(NEWEST_CHECKPOINT, signed)
    assert "holds" in check()


def test_log_signed_with_another_key_is_refused(check: Check, history: None) -> None:
    other = checkpoints.PublicKey(LOG_NAME, Signer(bytes(32)).public)
    assert "not signed by a key that you trust" in check(key=other.line())


def test_export_is_limited_to_auditors_and_verifies_offline(
    check: Check, history: None, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("olivia", "oscar", "casey"):
        assert people[name].get("/v1/log/leaves").status_code == 403
    assert fetch(tmp_path / "log", tmp_path, "ada") == ExportCounts(leaves=9, checkpoints=3, timestamps=0)
    monkeypatch.delenv("LACUNA_URL")
    done = CliRunner().invoke(app, ["verify", "log", str(tmp_path / "log"), "--key", LOG_KEY.line()])
    assert (done.exit_code, "The log holds" in done.output) == (0, True)


def test_proofs_over_http(people: People, history: None, happen: Callable[[int], None]) -> None:
    ada = people["ada"]
    proof = ada.get("/v1/log/proof?position=5&size=9").json()
    assert len(proof["path"]) == 4
    assert len(ada.get("/v1/log/proof?first=4&size=9").json()["path"]) == 2
    for wrong in ("position=9&size=9", "position=0&size=10", "first=8&size=7"):
        assert ada.get(f"/v1/log/proof?{wrong}").status_code == 404
    assert ada.get("/v1/log/proof?size=9").status_code == 422
    assert ada.get("/v1/log/checkpoint?size=5").status_code == 404
    assert ada.get("/v1/log/checkpoint?size=7").json()["note"].startswith(f"{LOG_NAME}\n7\n")
    page = ada.get("/v1/log/leaves?start=2&limit=3").json()
    assert ([item["position"] for item in page["items"]], page["next"]) == ([2, 3, 4], 5)


def test_unreadable_leaf_or_missing_checkpoint_is_refused() -> None:
    lines = [b'{"v":2}', b"", b"[]"]
    root = Tree(map(leaf_hash, lines)).root()
    signed = checkpoints.sign(Checkpoint(LOG_NAME, 3, root), LOG_SIGNER)
    with pytest.raises(IntegrityFailure, match="leaf of the log"):
        log_verifier.verify(lines, [signed], [], [LOG_KEY])
    with pytest.raises(IntegrityFailure, match="no checkpoint"):
        log_verifier.verify(lines, [], [], [LOG_KEY])
