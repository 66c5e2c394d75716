"""`lacuna demo`: one person is forgotten, from the ticket to the certificate, over HTTP as its users do it.

Starts a stack of its own, asks several hundred questions before and after, and writes what it measured as a page
(report.py) and as JSON (results.py). It knows nothing of models, erasers or databases.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from services.cli.client import ApiError, Client
from services.cli.demo.plan import DemoPlan, demo_model_plan, real_model_plan
from services.cli.demo.report import write_page
from services.cli.demo.results import Answers, DemoResult, data_url, highlights
from services.cli.options import DATA_FOLDER
from services.cli.render.console import PlainConsole, bold, styled
from services.cli.render.refits import stage_of
from services.cli.render.tables import counted
from shared.devstack.backends import temporary_data
from shared.devstack.stack import LOG_KEYS_FILE, Running, running_stack
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.errors import LacunaError, NotReady
from shared.evaluation.comparison import (
    Comparison,
)
from shared.evaluation.scorers import reveals
from shared.transparency import certificate_verifier
from shared.transparency.checkpoints import read_keys

CONCURRENT_REQUESTS: Final = 16  # the service answers in batches those that arrive together
BYSTANDER_QUESTIONS: Final = 96  # of each question set about people who must not change
PATIENCE_S: Final = 1800.0  # for a stage that gets no further; the audit of a real model takes longer as a whole
TOLD_EVERY_S: Final = 10.0  # and more seldom in a long wait, by a tenth of it


@dataclass(frozen=True)
class _Demo:
    """A running stack, its users, and what is known so far."""

    plan: DemoPlan
    result: DemoResult
    console: PlainConsole
    running: Running
    olivia: Client  # officer
    adam: Client  # approver
    oscar: Client  # operator
    ada: Client  # auditor
    casey: Client  # client of the model

    @classmethod
    def over(cls, running: Running, plan: DemoPlan, result: DemoResult, console: PlainConsole) -> "_Demo":
        """The demo over a stack that has just started."""
        users = {name: Client(running.request_url, running.keys[name]) for name in ("olivia", "adam", "oscar", "ada")}
        casey = Client(running.inference_url, running.keys["casey"])
        return cls(plan=plan, result=result, console=console, running=running, casey=casey, **users)


def demo(
    json_path: Path | None = None,
    data: Path | None = None,
    page: Path = Path("build/demo.html"),
    *,
    real: bool = False,
) -> None:
    """Run the demo; `data` is the stack's folder (by default a temporary one).

    `real` forgets a public figure in the model of the newest profile in `data`. Raises NotReady where a stage fails.
    """
    console = PlainConsole()
    began = time.monotonic()
    plan = real_model_plan(data or DATA_FOLDER) if real else demo_model_plan()
    result = DemoResult(person=plan.person, question_sets=plan.question_sets)
    with _data_folder(data) as folder:
        console.rule(bold("1. A model in production knows people"))
        with running_stack(
            folder, env=plan.environment, say=lambda what: console.print(f"starting {what} ...", style="dim")
        ) as running:
            result.seconds["stack_up"] = round(time.monotonic() - began, 1)
            console.print(
                f"While it runs, an officer's console is at {running.request_url}/console; the keys are in "
                f"{running.data / 'keys.json'}",
                soft_wrap=True,
            )
            run = _Demo.over(running, plan, result, console)
            _ask_before(run)
            _file_and_approve(run)
            _rebuild_and_promote(run)
            _ask_again(run)
            _try_rollback(run)
            _verify_certificate(run)
    result.seconds["total"] = round(time.monotonic() - began, 1)
    _print_figures(result.figures(plan.own_wordings), result.seconds, console)
    write_page(page, result, plan.own_wordings)
    console.print("\nEvery question with its picture and both answers:", bold(page))
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(result.as_json(plan.own_wordings), indent=2) + "\n")
        console.print("The figures as JSON:", bold(json_path))


def _ask_before(run: _Demo) -> None:
    """Chapter 1: the base model is served, and reveals what it knows."""
    run.console.print("waiting for version 0, which forgets nobody, and its audit ...", style="dim")
    with _timed(run.result, "version_0"):
        _wait(run, lambda: _promoted_version(run) is not None, "version 0 to be promoted")
        _wait(run, lambda: _is_ready(run.casey), "the inference service")
    with _timed(run.result, "ask_before"):
        run.result.before = _ask_all(run)
    _print_highlights(run, run.result.before)


def _file_and_approve(run: _Demo) -> None:
    """Chapter 2: an officer files the ticket; a second person has to approve it."""
    subject, console = run.result.person.subject, run.console
    console.rule(bold(f"2. {subject.names[0]} asks to be forgotten"))
    photos = counted(len(subject.photos), "photo") if subject.photos else "no photo"
    began = time.monotonic()
    ticket = run.olivia.post("/v1/tickets", _ticket_body(subject))["id"]
    run.result.ticket = ticket
    console.print(
        "Olivia, an officer, files ticket ",
        bold(ticket),
        f": {counted(len(subject.facts), 'fact')}, {photos}.",
        sep="",
    )
    approval = {"ground": "consent_withdrawn", "names": list(subject.names)}
    try:
        run.olivia.post_with_etag(f"/v1/tickets/{ticket}/approve", approval)
    except ApiError as exc:
        console.print(f"Olivia tries to approve it herself. {exc.http_status}:", styled(exc.detail, "italic"))
    run.adam.post_with_etag(f"/v1/tickets/{ticket}/approve", approval)
    run.result.seconds["filing"] = round(time.monotonic() - began, 2)
    console.print("Adam, a second person, is told whom it is about, and approves it.\n")


def _rebuild_and_promote(run: _Demo) -> None:
    """Chapter 3: a refit builds version 1, an audit measures it, the inference service follows."""
    run.console.rule(bold("3. A new eraser is built, audited and promoted"))
    approved = time.monotonic()
    _follow_ticket(run, approved)
    run.result.seconds["approval_to_promoted"] = round(time.monotonic() - approved, 1)
    run.result.audit = run.ada.get(f"/v1/erasers/{_promoted_version(run)}/audit")
    for refit in run.olivia.get("/v1/refits")["items"]:
        if refit["kind"] == "urgent":
            run.result.seconds |= {f"refit_{stage}": round(s, 1) for stage, s in (refit["seconds"] or {}).items()}


def _ask_again(run: _Demo) -> None:
    """Chapter 4: the same questions."""
    run.console.rule(bold("4. The same questions again"))
    with _timed(run.result, "ask_after"):
        run.result.after = _ask_all(run)
        run.result.version = run.casey.last_headers.get("lacuna-eraser", "")
    _print_highlights(run, run.result.after)


def _try_rollback(run: _Demo) -> None:
    """Chapter 5: a rollback that would expose the person is refused."""
    run.console.rule(bold("5. A rollback cannot bring the person back"))
    try:
        run.oscar.post_with_etag("/v1/erasers/0/rollback", {})
    except ApiError as exc:
        run.result.refusal = exc.detail
        run.console.print(
            "Oscar, the operator, tries to roll back to version 0.",
            bold(f"{exc.http_status}:"),
            styled(exc.detail, "italic"),
        )
    else:
        run.console.print("The rollback was accepted. That must not happen.", style="red")


def _verify_certificate(run: _Demo) -> None:
    """Chapter 6: the certificate of the ticket, checked offline: signature, log proofs, coverage."""
    run.console.rule(bold("6. An auditor checks the certificate, with public keys alone"))
    bundles: list[bytes] = []

    def issued() -> bool:
        try:
            bundles.append(run.ada.download(f"/v1/tickets/{run.result.ticket}/certificate", format="bundle"))
        except ApiError:
            return False
        return True

    with _timed(run.result, "certificate"):
        _wait(run, issued, "the certificate")
        keys = read_keys((run.running.data / LOG_KEYS_FILE).read_text())
        bundle = certificate_verifier.read_certificate_file(bundles[-1])
        verified = certificate_verifier.verify(bundle.envelope, keys, bundle.issue_proof)
        run.result.certificate = verified.sentence()
    run.console.print("Ada, the auditor, reads:", styled(run.result.certificate, "italic"))


def _print_figures(figures: Mapping[str, Comparison], seconds: Mapping[str, float], console: PlainConsole) -> None:
    """Chapter 7: the figures over all questions."""
    console.rule(bold("7. The figures"))
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("question set", "questions", "revealed before", "revealed after", "same answer"):
        table.add_column(column, justify="left" if column == "question set" else "right")
    for name, figure in figures.items():
        table.add_row(
            name.replace("_", " "),
            str(figure.n),
            f"{figure.revealed_before:.1%}",
            f"{figure.revealed_after:.1%}",
            f"{figure.identical:.1%}",
        )
    console.print(table)
    console.print(", ".join(f"{stage.replace('_', ' ')} {s} s" for stage, s in seconds.items()), style="dim")


def _ticket_body(subject: Subject) -> dict[str, Any]:
    return {
        "names": list(subject.names),
        "photos": [data_url(photo) for photo in subject.photos],
        "facts": [{"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)} for f in subject.facts],
        "urgent": True,
    }


def _follow_ticket(run: _Demo, since: float) -> None:
    """Print each state of the ticket as it is reached, until it is completed; raises NotReady where it fails."""
    known: set[str] = set()

    def completed() -> bool:
        ticket = run.olivia.get(f"/v1/tickets/{run.result.ticket}")
        for event in ticket["events"]:
            state = event["state"]
            if state not in known:
                known.add(state)
                after_s = round(time.monotonic() - since, 1)
                run.result.states.append((state, after_s))
                run.console.print(f"  {after_s:6.1f} s  {state.replace('_', ' ')}")
        if ticket["state"] in ("failed", "under_review", "rejected", "withdrawn"):
            reason = ticket.get("review_reason") or "its history says why"
            raise NotReady(f"Ticket {run.result.ticket} is {ticket['state']}: {reason}.")
        return bool(ticket["state"] == "completed")

    _wait(run, completed, "the ticket to be completed")


def _ask_all(run: _Demo) -> dict[str, list[str]]:
    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        return {
            name: list(pool.map(lambda question: _ask(run, question.prompt), questions))
            for name, questions in run.plan.question_sets.items()
        }


def _ask(run: _Demo, prompt: Prompt) -> str:
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
    body = {"model": run.plan.model_id, "messages": messages, "max_tokens": run.plan.answer_tokens}
    reply = run.casey.post("/v1/chat/completions", body)
    return str(reply["choices"][0]["message"]["content"])


def _print_highlights(run: _Demo, answers: Answers) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("asked by", "question", "answer"):
        table.add_column(column, overflow="fold")
    for shown in highlights(run.result, answers):
        leaks = shown.about_forgotten and reveals(shown.answer, shown.question.accept)
        colour = "red" if leaks else "green"
        table.add_row(shown.label, shown.question.prompt.turns[-1].text, styled(shown.answer, colour))
    run.console.print(table)


def _promoted_version(run: _Demo) -> int | None:
    """The promoted version, if there is one; raises NotReady where a refit failed."""
    status = run.olivia.get("/v1/status")
    for refit in status["refits"]:
        if refit["status"] == "failed":
            raise NotReady(f"The {refit['kind']} refit failed: {refit['error']}.")
    promoted: int | None = status["promoted"]
    return promoted


def _is_ready(client: Client) -> bool:
    try:
        client.get("/readyz")
    except ApiError:
        return False
    return True


def _wait(run: _Demo, done: Callable[[], bool], what: str) -> None:
    """Wait until `done`, and say now and then how far it is. Raises NotReady after PATIENCE_S without progress."""
    began = told = time.monotonic()
    standstill, pause = Standstill(began), threading.Event()
    while not done():
        now = time.monotonic()
        if now - told > max(TOLD_EVERY_S, (told - began) / 10):
            told = now
            stage = _stage(run)
            run.console.print(f"  {told - began:.0f} s: waiting for {what}{stage}", style="dim", soft_wrap=True)
            if standstill.lasts(stage, told):
                raise NotReady(
                    f"Waited {told - began:.0f} s for {what}, the last {PATIENCE_S:.0f} s without progress. "
                    "`lacuna demo --data FOLDER` keeps the log of the processes, FOLDER/stack.log."
                )
        pause.wait(0.25)


@dataclass
class Standstill:
    """Since when a stage has said the same of itself. `changed_at`: seconds of a monotonic clock."""

    changed_at: float
    stage: str = ""

    def lasts(self, stage: str, now: float) -> bool:
        """Note what the stage says of itself at `now`; whether it has said the same for PATIENCE_S."""
        if stage != self.stage:
            self.stage, self.changed_at = stage, now
        return now - self.changed_at > PATIENCE_S


def _stage(run: _Demo) -> str:
    """What is under way at this moment, as words behind a sentence; empty where nobody says it."""
    try:
        return under_way(run.oscar.get("/v1/status"))
    except LacunaError:
        return ""


def under_way(status: Mapping[str, Any]) -> str:
    """The stage of the newest refit or else of the newest audit, where it runs: " (audit: ...)"."""
    for kind in ("refit", "audit"):
        for newest in status[f"{kind}s"][:1]:
            if newest["status"] == "running":
                return f" ({kind}: {stage_of(newest)})"
    return ""


@contextmanager
def _timed(result: DemoResult, stage: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    result.seconds[stage] = round(time.monotonic() - began, 1)


@contextmanager
def _data_folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data
        return
    with temporary_data("lacuna-demo-") as folder:
        yield folder
