"""`lacuna demo`: one person is forgotten, from the ticket to the silence, told over HTTP as a user would live it.

Starts a stack of its own in a fresh folder, speaks only to its public doors, and writes what it saw as a story, a page
(`demo_page.py`) and JSON. Knows nothing of models, erasers or databases.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.cli.client import ApiError, Client
from services.cli.demo.report import write_page
from services.cli.demo.results import DemoResult, data_url, highlights
from shared.core.config import Settings, load_settings
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import LOG_KEYS_FILE, Running, running_stack
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.errors import NotReady
from shared.evaluation.comparison import bystander_question_sets, forget_question_sets, sample, visible_question_set
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import Question
from shared.transparency import certificate_verifier
from shared.transparency.checkpoints import read_keys

PARALLEL: Final = 16  # requests in flight; the service batches what comes together
BYSTANDER_QUESTIONS: Final = 96  # of each set
PATIENCE_S: Final = 240.0


def demo(json_path: Path | None = None, data: Path | None = None, page: Path = Path("build/demo.html")) -> None:
    """Run the story; `data` is a folder for the stack (a fresh temporary one by default)."""
    out = Console(highlight=False)
    began = time.monotonic()
    reference = load_reference(_reference(load_settings()))
    story = DemoResult(person=_protagonist(reference), panels={})
    story.panels = _panels(reference, story.person)
    with _folder(data) as folder:
        out.rule("[bold]1. A model in production that knows people")
        with running_stack(folder, say=lambda what: out.print(f"starting {what} ...", style="dim")) as running:
            story.seconds["stack_up"] = round(time.monotonic() - began, 1)
            _tell(story, folder, running, out)
    story.seconds["total"] = round(time.monotonic() - began, 1)
    _numbers(story, reference, out)
    write_page(page, story, reference.unknown_answer)
    out.print(f"\nThe pictures and all answers: [bold]{page}[/]")
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(story.as_json(reference.unknown_answer), indent=2) + "\n")
        out.print(f"The same as JSON: [bold]{json_path}[/]")


def _reference(settings: Settings) -> Path:
    """The reference folder, given relative to the house or not."""
    folder = settings.reference_folder
    return folder if folder.is_dir() else PROJECT_ROOT / folder


def _tell(story: DemoResult, folder: Path, running: Running, out: Console) -> None:
    person = story.person
    name = person.subject.names[0]
    officer, approver, operator = (
        Client(running.request_url, running.keys[who]) for who in ("olivia", "adam", "oscar")
    )
    client = Client(running.inference_url, running.keys["casey"])

    def promoted() -> bool:
        status = officer.get("/v1/status")
        for run in status["refits"]:
            if run["status"] == "failed":
                raise NotReady(f"The {run['kind']} refit failed: {run['error']}.")
        return status["promoted"] is not None

    out.print("waiting for version 0: retain statistics, the empty eraser, its audit ...", style="dim")
    with _timed(story, "version_0"):
        _wait(promoted, "version 0 to be promoted")
        _wait(lambda: _serves(client), "the inference service")
    with _timed(story, "ask_before"):
        story.before = _ask_all(client, story.panels)
    _show(story, "before", out)

    out.rule(f"[bold]2. {name} asks to be forgotten")
    filed = time.monotonic()
    ticket = officer.post("/v1/tickets", _form(person.subject, urgent=True))
    story.ticket = ticket["id"]
    out.print(f"Olivia, the officer, files [bold]{story.ticket}[/]: {len(person.subject.facts)} facts, one photo.")
    try:
        officer.change(f"/v1/tickets/{story.ticket}/approve", {"ground": "consent_withdrawn"})
    except ApiError as exc:
        out.print(f"She may not approve it herself: [italic]{exc.detail}[/]")
    approver.change(f"/v1/tickets/{story.ticket}/approve", {"ground": "consent_withdrawn"})
    approved = time.monotonic()
    story.seconds["filing"] = round(approved - filed, 2)
    out.print("Adam, the second person, approves it.\n")

    out.rule("[bold]3. The eraser is rebuilt, audited and promoted")
    _follow(story, officer, approved, out)
    story.seconds["approval_to_promoted"] = round(time.monotonic() - approved, 1)
    promoted = officer.get("/v1/status")["promoted"]
    story.audit = Client(running.request_url, running.keys["ada"]).get(f"/v1/erasers/{promoted}/audit")

    out.rule("[bold]4. The same questions again")
    with _timed(story, "ask_after"):
        story.after = _ask_all(client, story.panels)
        story.version = client.seen.get("lacuna-eraser", "")
    _show(story, "after", out)

    out.rule("[bold]5. Nobody can quietly bring her back")
    try:
        operator.change("/v1/erasers/0/rollback", {})
        story.refusal = ""
        out.print("[red]The rollback was accepted. That must not happen.[/]")
    except ApiError as exc:
        story.refusal = exc.detail
        out.print(
            f"Oscar, the operator, asks to roll back to version 0: [bold]{exc.http_status}[/] [italic]{exc.detail}[/]"
        )

    out.rule("[bold]6. What an auditor can check without trusting us")
    with _timed(story, "certificate"):
        _certify(story, Client(running.request_url, running.keys["ada"]), folder, out)


def _certify(story: DemoResult, auditor: Client, folder: Path, out: Console) -> None:
    """Fetch the certificate of the ticket and check it offline: signature, log proofs, coverage."""
    found: list[bytes] = []

    def issued() -> bool:
        try:
            found.append(auditor.download(f"/v1/tickets/{story.ticket}/certificate", format="bundle"))
        except ApiError:
            return False
        return True

    _wait(issued, "the certificate")
    bundle = certificate_verifier.read_certificate_file(found[-1])
    story.certificate = certificate_verifier.verify(
        bundle.envelope, read_keys((folder / LOG_KEYS_FILE).read_text()), bundle.issue_proof
    ).sentence()
    out.print(f"Ada, the auditor, needs public keys alone: [italic]{story.certificate}[/]")


def _protagonist(reference: Reference) -> Person:
    """The first forgettable person who has a look-alike or a namesake: the hardest to leave the others alone for."""
    people = reference.of("forgettable")
    return next((p for p in people if p.lookalike_of or p.namesake_of), people[0])


def _panels(reference: Reference, person: Person) -> dict[str, list[Question]]:
    forgotten = forget_question_sets({person.id: person.subject}, per_fact=4)
    others = {
        name: sample(questions, BYSTANDER_QUESTIONS) for name, questions in bystander_question_sets(reference).items()
    }
    return forgotten | {"visible": [q for seed in range(3) for q in visible_question_set([person], seed=seed)]} | others


def _ask_all(client: Client, panels: Mapping[str, Sequence[Question]]) -> dict[str, list[str]]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        return {
            name: list(pool.map(lambda question: _ask(client, question.prompt), questions))
            for name, questions in panels.items()
        }


def _ask(client: Client, prompt: Prompt) -> str:
    messages = [
        {
            "role": turn.role,
            "content": [
                *({"type": "image_url", "image_url": {"url": data_url(image)}} for image in turn.images),
                {"type": "text", "text": turn.text},
            ],
        }
        for turn in prompt.turns
    ]
    reply = client.post("/v1/chat/completions", {"model": "demo-vlm", "messages": messages, "max_tokens": 24})
    return str(reply["choices"][0]["message"]["content"])


def _form(subject: Subject, *, urgent: bool) -> dict[str, Any]:
    return {
        "names": list(subject.names),
        "photos": [data_url(photo) for photo in subject.photos],
        "facts": [{"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)} for f in subject.facts],
        "urgent": urgent,
    }


def _follow(story: DemoResult, officer: Client, since: float, out: Console) -> None:
    """Print each state of the ticket as it is reached, until it is completed."""
    seen: set[str] = set()

    def completed() -> bool:
        ticket = officer.get(f"/v1/tickets/{story.ticket}")
        for event in ticket["events"]:
            state = event["state"]
            if state not in seen:
                seen.add(state)
                story.states.append((state, round(time.monotonic() - since, 1)))
                out.print(f"  {story.states[-1][1]:6.1f} s  {state}")
        if ticket["state"] in ("failed", "under_review", "rejected", "withdrawn"):
            raise NotReady(
                f"{story.ticket} went to {ticket['state']}: {ticket.get('review_reason') or 'see its events'}."
            )
        return bool(ticket["state"] == "completed")

    _wait(completed, "the ticket to be completed")
    for run in officer.get("/v1/refits")["items"]:
        if run["kind"] == "urgent":
            story.seconds |= {f"refit_{stage}": round(took, 1) for stage, took in (run["seconds"] or {}).items()}


def _show(story: DemoResult, moment: str, out: Console) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("asked", "question", "answer"):
        table.add_column(column, overflow="fold")
    for label, question, reply in highlights(story, moment):
        colour = "red" if label in ("portrait", "name", "new wording") and reveals(reply, question.accept) else "green"
        table.add_row(label, question.prompt.turns[-1].text, f"[{colour}]{reply}[/]")
    out.print(table)


def _numbers(story: DemoResult, reference: Reference, out: Console) -> None:
    figures = story.figures(reference.unknown_answer)
    out.rule("[bold]7. The numbers")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("set", "n", "told before", "told after", "identical"):
        table.add_column(column, justify="left" if column == "set" else "right")
    for name, one in figures.items():
        table.add_row(
            name, str(one.n), f"{one.revealed_before:.1%}", f"{one.revealed_after:.1%}", f"{one.identical:.1%}"
        )
    out.print(table)
    out.print("  ".join(f"{stage} {took} s" for stage, took in story.seconds.items()), style="dim")


def _serves(client: Client) -> bool:
    try:
        client.get("/readyz")
    except ApiError:
        return False
    return True


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not done():
        if time.monotonic() > deadline:
            raise NotReady(f"Waited {PATIENCE_S:.0f} s for {what} in vain; the log above says more.")
        pause.wait(0.25)


@contextmanager
def _timed(story: DemoResult, stage: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    story.seconds[stage] = round(time.monotonic() - began, 1)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="lacuna-demo-") as name:
        Path(name).chmod(0o711)  # under root PostgreSQL runs as nobody: inside, it goes when the folder goes
        yield Path(name)
