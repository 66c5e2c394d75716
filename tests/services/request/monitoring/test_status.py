"""/v1/status: what the newest audits do, and how far they are, as the audit workers write it."""

import uuid
from typing import Any

from services.cli.render.refits import stage_of
from shared.db.repositories import audits, erasers
from shared.db.session import transaction
from tests.support.api import MODEL, People
from tests.support.workers import Worker


def newest(people: People) -> Any:
    return people["oscar"].get("/v1/status").json()["audits"][0]


def test_audit_under_way_is_shown_with_what_is_counted(people: People, worker: Worker) -> None:
    assert people["oscar"].get("/v1/status").json()["audits"] == []
    number = worker.publish(verdict=None)
    audit_id = str(uuid.uuid4())
    with transaction(worker.database.engine("audit")) as session:
        version = str(erasers.get_version(session, MODEL, number).id)
        claim = audits.claim_audit(session, audit_id, version, lease_s=-1)
    assert claim is not None
    assert (newest(people)["stage"], newest(people)["progress"]) == ("claimed", None)
    counts = {"done": 40, "total": 60, "what": "questions"}
    with transaction(worker.database.engine("audit")) as session:
        audits.renew_lease(session, audit_id, claim.fence, -1, stage="asking about the tickets", progress=counts)
    shown = newest(people)
    assert (shown["version"], shown["kind"], shown["status"], shown["verdict"]) == (
        number,
        "candidate",
        "running",
        None,
    )
    assert stage_of(shown) == "asking about the tickets: 40 of 60 questions (67 %)"
    with transaction(worker.database.engine("audit")) as session:  # another worker takes it up, and begins anew
        assert audits.claim_audit(session, audit_id, version, lease_s=30) is not None
    assert (newest(people)["stage"], newest(people)["progress"], newest(people)["attempt"]) == ("claimed", None, 2)


def test_client_of_the_model_is_told_nothing(people: People, worker: Worker) -> None:
    worker.publish()
    assert people["casey"].get("/v1/status").status_code == 403
