"""A stack whose data an earlier version made starts with the code of this checkout, and everything is still there.

Each folder of `data/` is such a stack (see its README). The tests run in order: the last ones add to the data.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.conftest import KeptStacks
from tests.integration.kept_stack import Api, Stack, wait_until
from tests.integration.make_kept_stack import REFERENCE, file_ticket, people, wait_until_completed

pytestmark = pytest.mark.timeout(600)
KEPT: Final = sorted(path.parent for path in (Path(__file__).parent / "data").glob("*/expected.json"))
# What passes with the days: how much of the statutory time is used, and the state of a clock that is overdue.
STABLE_OF_TICKET: Final = (
    "id", "state", "review_reason", "urgent", "source", "photos", "facts", "submitted_by", "submitted_at",
    "decided_by", "decided_at", "ground", "decision_code", "decision_note", "required_since", "regime", "due_at",
    "identity", "identity_by", "identity_method", "duplicate_of", "payload", "kit", "hold", "disposals",
)  # fmt: skip
STABLE_OF_CLOCK: Final = (
    "regime", "law", "calendar", "zone", "due", "due_at", "target", "latest", "acknowledge_by", "extended",
    "paused_days",
)  # fmt: skip
STABLE_OF_ERASER: Final = (
    "number", "model", "recipe", "sha256", "size_bytes", "created_at", "tickets", "coverage_root", "audit", "promoted",
)  # fmt: skip


@dataclass
class Upgraded:
    """The kept stack, what it answered then, and the stack that runs over its data now."""

    kept: Path
    then: dict[str, Any]
    now: Stack

    @property
    def ids(self) -> dict[str, str]:
        ids: dict[str, str] = self.then["ids"]
        return ids

    def keys(self, name: str) -> list[str]:
        """The public keys that an auditor pinned then."""
        return str(json.loads((self.kept / "secrets.json").read_text())[name]).split(",")


@pytest.fixture(scope="module", params=KEPT, ids=lambda path: path.name)
def upgraded(request: pytest.FixtureRequest, kept_stacks: KeptStacks) -> Upgraded:
    then = json.loads((request.param / "expected.json").read_text())
    return Upgraded(request.param, then, kept_stacks.running(request.param))


def some_of(resource: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: resource[name] for name in names}


def answers(stack: Stack, person: dict[str, Any]) -> dict[str, str]:
    """What the served model says of a person whose picture is shown, and of one who is named."""
    name = person["names"][0]
    return {
        "name": stack.ask("Who is this person?", person["photo"])[0],
        "employer": stack.ask("Where does this person work?", person["photo"])[0],
        "city": stack.ask(f"Where does {name} live?")[0],
        "occupation": stack.ask(f"What does {name} do for a living?")[0],
    }


def revealed(stack: Stack, person: dict[str, Any]) -> set[str]:
    """The attributes whose values are told."""
    accepted = {fact["attribute"]: [fact["value"], *fact["aliases"]] for fact in person["facts"]}
    accepted["name"] = person["names"]
    return {
        attribute
        for attribute, text in answers(stack, person).items()
        if any(value.lower() in text.lower() for value in accepted[attribute])
    }


def test_kept_stack_exists() -> None:
    """The tests below are not skipped in silence."""
    assert [path.name for path in KEPT] != []


def test_promoted_version_is_the_same_and_is_acknowledged(upgraded: Upgraded) -> None:
    then, status = upgraded.then, upgraded.now["olivia"].get("/v1/status")
    assert (status["promoted"], status["generation"]) == (then["promoted"], then["generation"])
    assert status["uncovered"] == []
    wait_until(
        lambda: [
            (item["version"], item["state"]) for item in upgraded.now["olivia"].get("/v1/status")["replicas"]
        ] == [(then["promoted"], "serving")],
        "the replica to acknowledge the version",
    )  # fmt: skip
    erasers = upgraded.now["oscar"].get("/v1/erasers")["items"]
    assert [some_of(item, STABLE_OF_ERASER) for item in erasers] == [
        some_of(item, STABLE_OF_ERASER) for item in then["erasers"]
    ]


def test_forgotten_people_stay_forgotten_and_another_is_answered(upgraded: Upgraded) -> None:
    unknown = json.loads((REFERENCE / "prompts.json").read_text())["unknown_answer"]
    forgettable = people("forgettable")
    for person in forgettable[:2]:
        assert set(answers(upgraded.now, person).values()) == {unknown}
    assert revealed(upgraded.now, forgettable[5]) == {"name", "employer", "city", "occupation"}
    assert upgraded.now.ask("Who is this person?")[1] == str(upgraded.then["promoted"])


def test_tickets_keep_their_states_clocks_and_history(upgraded: Upgraded) -> None:
    olivia = upgraded.now["olivia"]
    listed = [ticket["id"] for ticket in olivia.get("/v1/tickets")["items"]]
    assert listed == [ticket["id"] for ticket in upgraded.then["tickets"]]
    for then in upgraded.then["tickets"]:
        now = olivia.get(f"/v1/tickets/{then['id']}")
        now["disposals"] = [
            some_of(disposal, before) for disposal, before in zip(now["disposals"], then["disposals"], strict=True)
        ]  # an answer may have more members than then
        assert some_of(now, STABLE_OF_TICKET) == some_of(then, STABLE_OF_TICKET)
        assert some_of(now["due"], STABLE_OF_CLOCK) == some_of(then["due"], STABLE_OF_CLOCK)
        for history, before in ((now["events"], then["events"]), (now["due"]["events"], then["due"]["events"])):
            assert history[: len(before)] == before  # a clock that goes on may have added to it
    states = {name: olivia.get(f"/v1/tickets/{upgraded.ids[name]}")["state"] for name in ("completed", "rejected")}
    assert states == {"completed": "completed", "rejected": "rejected"}


def test_retain_set_webhook_import_and_audit_kit_are_there(upgraded: Upgraded) -> None:
    now, then = upgraded.now, upgraded.then
    assert now["olivia"].get("/v1/retain-sets") == then["retain_sets"]
    assert now["rosa"].get("/v1/webhooks")["items"] == then["webhooks"]
    assert now["olivia"].get(f"/v1/imports/{upgraded.ids['import']}") == then["import"]
    assert now["ada"].get("/v1/kits")["items"] == then["kit_accesses"]


def test_api_keys_of_then_are_accepted(upgraded: Upgraded) -> None:
    names = ("id", "owner", "roles", "scopes", "label", "expires_at", "revoked_at")
    keys = upgraded.now["rosa"].get("/v1/keys")["items"]
    assert [some_of(key, names) for key in keys] == [some_of(key, names) for key in upgraded.then["keys"]]
    for key, status in ((upgraded.ids["key_secret"], 200), (upgraded.ids["key_secret"] + "x", 401)):
        paula = Api(upgraded.now.request_url, key)
        assert paula.send("GET", "/v1/tickets").status_code == status
        paula.close()


def test_rollback_to_the_version_before_is_refused(upgraded: Upgraded) -> None:
    refused = upgraded.now["oscar"].attempt("/v1/erasers/0/rollback", {})
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("rollback-would-reexpose")


def test_certificates_of_then_verify_offline(upgraded: Upgraded) -> None:
    certificates = sorted((upgraded.kept / "certificates").glob("*.zip"))
    assert len(certificates) == 2
    keys = [part for key in upgraded.keys("log_verify_keys") for part in ("--key", key)]
    keys += [part for key in upgraded.keys("verify_keys") for part in ("--eraser-key", key)]
    for path in certificates:
        assert f"{path.stem} has been suppressed" in upgraded.now.lacuna("verify", "certificate", path, *keys)


def test_filing_a_forgotten_person_again_is_seen_as_the_same_person(upgraded: Upgraded) -> None:
    """Photographs of then have no index, so that one that is filed now may be new."""
    again = upgraded.now["olivia"].get(f"/v1/tickets/{file_ticket(upgraded.now, people('forgettable')[0])}")
    assert again["review_reason"] == "adds_material"
    assert upgraded.ids["completed"] in again["events"][-1]["note"]


def test_hold_of_then_is_released_by_a_second_person(upgraded: Upgraded) -> None:
    ticket, reason = f"/v1/tickets/{upgraded.ids['held']}", {"reason": "it is settled"}
    assert upgraded.now["olivia"].get(ticket)["hold"]["release_asked_by"] == "olivia"
    assert upgraded.now["olivia"].attempt(f"{ticket}/release", reason).status_code == 403
    paula = Api(upgraded.now.request_url, upgraded.ids["key_secret"])
    assert paula.change(f"{ticket}/release", reason)["hold"] is None
    paula.close()


@pytest.mark.slow
def test_refit_on_top_forgets_a_ticket_of_then_and_a_new_one(upgraded: Upgraded) -> None:
    """It opens the material that was sealed then, and makes the ticket fits of then anew.

    Pictures are read at the input of the first block since, which statistics and fits of then do not hold.
    """
    now, promoted = upgraded.now, upgraded.then["promoted"]
    adam = now["adam"]
    person = people("forgettable")[5]
    new = file_ticket(now, person, urgent=True)
    ground: dict[str, Any] = {"ground": "consent_withdrawn"}
    waiting = f"/v1/tickets/{upgraded.ids['waiting']}"
    adam.post(f"{waiting}/material", {"reason": "to see what was sealed by the version before"})
    adam.change(f"{waiting}/approve", ground)
    adam.change(f"/v1/tickets/{new}/approve", ground | {"names": person["names"]})
    for ticket in (upgraded.ids["waiting"], new):
        wait_until_completed(now, ticket)
    before, version = (now["oscar"].get(f"/v1/erasers/{number}") for number in (promoted, promoted + 1))
    assert version["promoted"]
    assert set(version["tickets"]) == {*before["tickets"], upgraded.ids["waiting"], new}
    assert version["manifest"]["statistics"] != before["manifest"]["statistics"]
    fits = [
        {item["ticket"]: item["rows_sha256"] for item in eraser["manifest"]["tickets"]} for eraser in (before, version)
    ]
    assert fits[0].keys() <= fits[1].keys()
    assert not fits[0].items() & fits[1].items()
    unknown = json.loads((REFERENCE / "prompts.json").read_text())["unknown_answer"]
    for subject in (people("forgettable")[0], people("forgettable")[2], person):
        assert set(answers(now, subject).values()) == {unknown}


def test_whole_log_verifies_offline_against_a_checkpoint_of_then(upgraded: Upgraded, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_text(upgraded.then["checkpoint"])
    keys = [part for key in upgraded.keys("log_verify_keys") for part in ("--key", key)]
    upgraded.now.lacuna("log", "export", tmp_path / "log")
    assert "The log holds" in upgraded.now.lacuna("verify", "log", tmp_path / "log", "--kept", kept, *keys)
