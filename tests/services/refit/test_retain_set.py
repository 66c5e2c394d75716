"""What a retain set and bad input do to a refit on the demo model: used, left out, named, refused; what runs stays."""

import base64
import io
import json
import logging
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import text

from services.audit.suite import Suite
from services.audit.tasks import AuditContext, audit_version
from services.audit.verdict import Thresholds, judge
from services.refit.activation_checks import ActivationCheck, check_activations, check_directions
from services.refit.base_statistics import compute_statistics
from services.refit.context import RefitContext
from services.refit.pipeline import refit
from services.refit.progress import Progress
from services.refit.retain_set import RetainSide
from services.refit.steering_vectors import load_or_compute_steering_vectors
from services.refit.tasks import run_order
from services.request.tickets import progress
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.db.session import transaction
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.evaluation.reference import Reference, load_reference
from shared.storage.local import LocalStore
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load
from tests.support.api import OpenService, People
from tests.support.databases import Databases

PROJECT_ROOT = Path(__file__).resolve().parents[3]
SOURCE = PROJECT_ROOT / "models/demo-vlm"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(SOURCE)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Few people: the tests here ask what happens, not how well."""
    whole = load_reference(SOURCE / "reference")
    few = {"retain_fit": 3, "calibration": 3, "held_out": 2, "celebrity_fit": 1, "celebrity_eval": 1}
    few |= {"stranger_fit": 4, "stranger_eval": 1, "forgettable": 6}
    people = tuple(person for split, most in few.items() for person in whole.of(split)[:most])
    general = replace(whole.general, fit=whole.general.fit[:4], calibration=whole.general.calibration[:4])
    return replace(whole, people=people, general=general)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """One store: the reference people's statistics are computed once."""
    return LocalStore(tmp_path_factory.mktemp("objects"))


@pytest.fixture
def people(open_service: OpenService, objects: LocalStore) -> Any:
    return open_service(objects)


@pytest.fixture
def context(
    people: People,
    database: Databases,
    objects: LocalStore,
    engine: Engine,
    reference: Reference,
    keys: KeyRing,
    signer: Signer,
) -> RefitContext:
    return RefitContext(
        engine=engine,
        reference=reference,
        reference_folder=SOURCE / "reference",
        recipe=LACUNA,  # its pulls lie beside the model
        model_id="demo-vlm",
        store=objects,
        keys=keys,
        signer=signer,
        database=database.engine("refit"),
    )


def data_url(picture: Any, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def facts(person: Any, most: int = 2) -> list[dict[str, str]]:
    told = [f for f in person.subject.facts if f.attribute != "name"][:most]
    return [{"attribute": f.attribute, "value": f.value} for f in told]


def file(people: People, names: list[str], told: list[dict[str, str]], photos: list[str]) -> str:
    body = {"names": names, "facts": told, "photos": photos}
    ticket = str(people["olivia"].post("/v1/tickets", body).json()["id"])
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", {"ground": "objection"}).status_code == 200
    return ticket


def forget(people: People, person: Any) -> str:
    return file(people, list(person.subject.names), facts(person), [data_url(person.subject.photos[0])])


def run(people: People, context: RefitContext) -> dict[str, Any]:
    """A refit, from the order to its row; then the clerk moves the tickets."""
    order = str(uuid.uuid4())
    run_order(context, order, "demo-vlm", "urgent")
    with transaction(people.context.database) as session:
        progress.move_tickets(session, "demo-vlm")
    found: dict[str, Any] = next(r for r in people["oscar"].get("/v1/refits").json()["items"] if r["id"] == order)
    return found


def manifest(people: People, number: int) -> dict[str, Any]:
    found: dict[str, Any] = people["oscar"].get(f"/v1/erasers/{number}").json()["manifest"]
    return found


def test_a_set_is_used_and_a_ticket_wins_over_it(people: People, context: RefitContext, reference: Reference) -> None:
    """Version 1 is made with the set, version 2 without the rows of whoever was forgotten since; both say so."""
    assert run(people, context)["status"] == "succeeded"
    known = reference.of("forgettable")
    sent = [{"names": list(p.subject.names), "facts": facts(p), "split": "fit"} for p in known[:2]]
    sent += [
        {"names": ["Under Another Name"], "photos": [data_url(known[0].subject.photos[0], "JPEG")], "split": "fit"},
        {"names": list(known[2].subject.names), "facts": facts(known[2]), "split": "held_out"},
        {"names": list(known[3].subject.names), "facts": facts(known[3]), "split": "calibration"},
        {"prompt": "What is a comet?", "split": "calibration"},
    ]
    added = people["olivia"].post("/v1/retain-sets", {"rows": sent}).json()
    assert run(people, context)["status"] == "succeeded"
    first = manifest(people, 1)
    (made,) = context._statistics.values()
    assert made.identity is not None
    assert made.identity.people == 3 + 2 + 1  # of the reference, strangers, and the set's own
    assert first["retain_set"] == {"number": 1, "digest": added["digest"], "left_out": [], "absent": []}
    assert first["statistics"] != manifest(people, 0)["statistics"]
    assert run(people, context)["status"] == "nothing_to_do"

    ticket = forget(people, known[0])
    said = run(people, context)
    second = manifest(people, 2)
    assert second["retain_set"]["left_out"] == [
        {"row": 1, "ticket": ticket, "by": "name"},
        {"row": 3, "ticket": ticket, "by": "picture"},
    ]
    assert second["statistics"] != first["statistics"]
    assert said["notes"] == [
        f"Row 1 of retain set 1 is the person of {ticket} by name: left out.",
        f"Row 3 of retain set 1 is the person of {ticket} by picture: left out.",
    ]
    assert [one["ticket"] for one in second["tickets"]] == [ticket]


def test_statistics_are_computed_only_when_something_changed(
    people: People, context: RefitContext, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket of somebody who is nowhere retained, and a set used again, compute nothing; a restart neither."""
    computed = []

    def counted(*given: Any, **more: Any) -> Any:
        computed.append(1)
        return compute_statistics(*given, **more)

    monkeypatch.setattr("services.refit.context.compute_statistics", counted)
    run(people, context)
    before = len(computed)
    assert before <= 1  # zero where a test before has made them: they are in the store
    forget(people, reference.of("forgettable")[3])
    assert run(people, context)["status"] == "succeeded"
    assert len(computed) == before
    again = replace(context)
    forget(people, reference.of("forgettable")[4])
    assert run(people, again)["status"] == "succeeded"
    assert len(computed) == before
    people["olivia"].post("/v1/retain-sets", {"rows": [{"prompt": p, "split": "fit"} for p in ("Hello?", "Why?")]})
    assert run(people, context)["status"] == "succeeded"
    assert len(computed) == before + 1
    people["olivia"].post("/v1/retain-sets/0/use")
    assert run(people, context)["status"] == "succeeded"
    assert len(computed) == before + 1


def test_a_reference_person_who_is_forgotten_is_left_out(
    people: People, context: RefitContext, reference: Reference
) -> None:
    person = reference.of("retain_fit")[0]
    forget(people, person)
    assert run(people, context)["notes"] == [f"Reference person {person.id} is forgotten: left out of this fit."]
    assert manifest(people, 0)["retain_set"]["absent"] == [person.id]


def test_too_few_forget_prompts_fail_that_ticket_alone(
    people: People, context: RefitContext, reference: Reference
) -> None:
    person = reference.of("forgettable")[5]
    poor = file(people, ["Mara"], [{"attribute": "name", "value": "Mara"}], [])
    good = forget(people, person)
    assert run(people, context)["status"] == "succeeded"
    assert [one["ticket"] for one in manifest(people, 0)["tickets"]] == [good]
    shown = people["olivia"].get(f"/v1/tickets/{poor}").json()
    assert shown["state"] == "failed"
    assert "too few forget prompts" in shown["events"][-1]["note"]
    assert run(people, context)["status"] == "nothing_to_do"


def test_another_model_under_the_same_id_is_refused(
    people: People, context: RefitContext, engine: Engine, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other weights and another chat template are named; the ticket is told; with the right model it goes on."""
    run(people, context)
    ticket = forget(people, reference.of("forgettable")[3])
    with monkeypatch.context() as patched:
        other = replace(engine.vlm.site, base_model="0" * 64, template="1" * 64)
        patched.setattr(engine, "vlm", replace(engine.vlm, site=other))
        failed = run(people, context)
    assert failed["status"] == "failed"
    assert "weights and chat template differ" in failed["error"]
    shown = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert (shown["state"], shown["events"][-1]["note"]) == ("failed", failed["error"])
    with monkeypatch.context() as patched:
        other = replace(engine.vlm.site, base_model="0" * 64, template="1" * 64, dtype="bfloat16")
        patched.setattr(engine, "vlm", replace(engine.vlm, site=other))
        failed = run(people, context)
    assert "chat template differ" in failed["error"]  # weights have another digest in another precision
    assert "weights" not in failed["error"]
    assert len(people["oscar"].get("/v1/erasers").json()["items"]) == 1
    assert run(people, context)["status"] == "succeeded"


def test_pulls_are_made_once_whatever_the_retain_set(
    people: People, context: RefitContext, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing beside the model they are computed, stored and read again; what is no pull is computed anew."""
    given, computed = load_or_compute_steering_vectors(engine, context.reference, LACUNA, SOURCE / "reference"), []
    monkeypatch.setattr("services.refit.context.load_beside_model", lambda *_: None)

    def counted(*_: Any) -> Any:
        computed.append(1)
        return given

    monkeypatch.setattr("services.refit.context.compute_steering_vectors", counted)
    for number, expected in enumerate((1, 1, 2)):
        if number == 2:
            (key,) = [key for key in context.store.list("statistics/demo-vlm/pulls/") if not key.endswith(".key")]
            context.store.put(key, b"altered")
        rows = [{"prompt": f"{word} {number}?", "split": "fit"} for word in ("Hello", "Why")]
        people["olivia"].post("/v1/retain-sets", {"rows": rows})
        assert run(people, replace(context, _statistics={}))["status"] == "succeeded"
        assert len(computed) == expected


def test_a_model_that_gives_nan_fails_the_refit_and_nothing_else(
    people: People, context: RefitContext, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run says what is wrong; the version that was current stays the latest."""
    run(people, context)
    people["olivia"].post("/v1/retain-sets", {"rows": [{"prompt": p, "split": "fit"} for p in ("Really?", "When?")]})
    mention_states = capture.mention_states
    with monkeypatch.context() as patched:
        patched.setattr(
            capture, "mention_states", lambda *asked: [one * float("nan") for one in mention_states(*asked)]
        )
        failed = run(people, replace(context, _statistics={}))
    assert failed["status"] == "failed"
    assert "NaN or infinity on the retain (names) set" in failed["error"]
    assert len(people["oscar"].get("/v1/erasers").json()["items"]) == 1
    assert run(people, context)["status"] == "succeeded"


def test_nothing_is_published_without_somebody_who_must_stay_forgotten(
    people: People, context: RefitContext, reference: Reference, database: Databases
) -> None:
    """A set that needs rows anew for a shredded ticket fails the run, in a sentence; going back makes it well."""
    ticket = forget(people, reference.of("forgettable")[3])
    run(people, context)
    with transaction(database.engine("admin")) as session:
        session.execute(
            text(
                "INSERT INTO disposal SELECT gen_random_uuid(), id, 'payload', payload_key, payload_sha256, 'a test', "
                "now(), now() FROM ticket"
            )
        )
        session.execute(text("UPDATE ticket SET payload_wrapped_key = NULL, required_since = now()"))
    people["olivia"].post("/v1/retain-sets", {"rows": [{"prompt": p, "split": "fit"} for p in ("Hi?", "Where?")]})
    failed = run(people, context)
    assert failed["status"] == "failed"
    assert failed["error"] == (
        f"Without {ticket}, which must stay forgotten, nothing is published: "
        f"The raw material of ticket {ticket} was shredded and it has no audit kit: have it filed again, and withdraw "
        f"{ticket} then."
    )
    people["olivia"].post("/v1/retain-sets/0/use")
    assert run(people, context)["status"] == "nothing_to_do"


class Answering:
    """The engine, but every answer is the same."""

    def __init__(self, engine: Engine, answer: str) -> None:
        self._engine, self._answer = engine, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(self, prompts: Any, **_: Any) -> list[Answer]:
        return [Answer(self._answer, (), 0, "stop") for _ in prompts]


@pytest.mark.parametrize(("everything", "says"), [(False, "refuses nothing"), (True, "refuses everything")])
@pytest.mark.parametrize("direction", ["refined", "closed"])
def test_a_model_that_refuses_nothing_or_everything_has_no_direction(
    engine: Engine, reference: Reference, direction: Any, everything: bool, says: str
) -> None:
    wanted = reference.refusal if direction == "closed" else reference.unknown_answer
    recipe = replace(LACUNA, direction=direction, refine_steps=1, pgd_steps=0)
    strange: Any = Answering(engine, wanted if everything else "Certainly!")
    with pytest.raises(BadInput, match=says):
        compute_statistics(strange, reference, SOURCE / "reference", recipe, lambda _: None)


def test_a_statistic_that_is_nan_or_singular_is_named() -> None:
    good = torch.randn(8, 3, 4, generator=torch.Generator().manual_seed(0))
    check_activations("retain", good)
    nan, flat = good.clone(), good.clone()
    nan[2, 1, 0] = float("nan")
    flat[:, 2] = flat[0, 2]
    with pytest.raises(BadInput, match=r"NaN or infinity on the retain set \(layers \[1\]\)"):
        check_activations("retain", nan)
    with pytest.raises(BadInput, match=r"singular: 8 retain prompts look all the same at layers \[2\]"):
        check_activations("retain", flat)
    with pytest.raises(BadInput, match="empty"):
        check_activations("retain", good[:0])
    streamed = ActivationCheck("retain")
    for row in good.split(1):
        assert streamed.take(row) is row
    streamed.end()
    check_directions(good[0])
    with pytest.raises(BadInput, match="look the same"):
        check_directions(torch.zeros(3, 4))
    with pytest.raises(BadInput, match="NaN"):
        check_directions(nan[2])


def test_one_identity_or_none_is_no_retain_set(reference: Reference) -> None:
    RetainSide(reference).check()
    for most, says in ((1, "has 1 identity"), (0, "has 0 identities")):
        few = replace(reference, people=reference.of("retain_fit")[:most])
        with pytest.raises(BadInput, match=says):
            RetainSide(few).check()


def test_the_audit_asks_in_sample_and_held_out_side_by_side(
    people: People,
    context: RefitContext,
    engine: Engine,
    reference: Reference,
    keys: KeyRing,
    verifier: Verifier,
    database: Databases,
) -> None:
    known = reference.of("forgettable")
    sent = [
        {"names": list(p.subject.names), "facts": facts(p), "split": split}
        for p, split in zip(known[:4], ("fit", "fit", "held_out", "held_out"), strict=True)
    ]
    people["olivia"].post("/v1/retain-sets", {"rows": sent})
    run(people, context)
    audit_context = AuditContext(
        Suite(engine, reference), Thresholds(), context.store, keys, verifier, database.engine("audit")
    )
    with transaction(people.context.database) as session:
        version = str(session.execute(text("SELECT id FROM eraser_version")).scalar_one())
    audit_version(audit_context, str(uuid.uuid4()), version)
    report = people["ada"].get("/v1/erasers/0/audit").json()["report"]["retain_set"]
    assert (report["number"], report["in_sample"]["people"], report["held_out"]["people"]) == (1, 2, 2)
    assert report["identical_gap"] == 0
    assert "Chiara" not in json.dumps(report)


def test_a_small_set_may_lose_one_answer_and_no_more() -> None:
    for changed, word in ((1, "passed"), (2, "failed")):
        panel = {"n": 20, "identical": 1 - changed / 20}
        verdict = judge({"integrity": {}, "panels": {"own_held_out": panel}}, Thresholds())
        assert verdict.word == word


def test_progress_is_written_and_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.refit.progress.WRITE_EVERY_S", 0.0)
    written: list[Any] = []
    report = Progress("run", lambda progress: written.append((progress.stage, progress.counts)))
    with caplog.at_level(logging.INFO):
        report.enter("reading")
        report.count(1, 2, "prompts")
        report.count(2, 2, "prompts")
    assert written[0] == ("reading", None)
    assert written[-1] == ("reading", {"done": 2, "total": 2, "what": "prompts"})
    assert "reading, 2 of 2 prompts" in caplog.text
    assert set(report.seconds()) == {"claimed", "reading"}
    assert refit.__doc__ is not None
