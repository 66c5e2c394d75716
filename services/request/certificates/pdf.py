"""A certificate as PDF, for reading. The signed JSON is what counts.

The PDF is made of the statement alone; it fetches nothing and holds no script, form or link.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fpdf.enums import XPos, YPos

from services.request.documents.page import INK, PALE, WIDTH, DocumentPage

GREEN: Final = (22, 101, 72)
RED: Final = (163, 38, 38)
TITLE: Final = "Certificate of suppression"
FOOT: Final = "A rendering. The signed JSON of the same certificate is the truth."
PANELS: Final = {"forget": "as trained on", "test": "in other words and pictures"}


def as_pdf(statement: Mapping[str, Any]) -> bytes:
    """The certificate on one page of A4, or two if the list of what is not claimed is long."""
    predicate = statement["predicate"]
    about, ticket, log = predicate["certificate"], predicate["ticket"], predicate["log"]
    page = _Page(TITLE, "en", _texts(statement), FOOT)
    valid = about["status"] == "in_force"
    page.head(TITLE, f"{ticket['id']}  /  no. {about['number']}", valid)
    if valid:
        serving, coverage = predicate["serving"], predicate["coverage"]
        replicas = ", ".join(f"{replica['id']} ({_when(replica['at'])})" for replica in serving["replicas"])
        page.claim(predicate["claim"])
        page.part("The request", [
            ("Filed", f"{_when(ticket['submitted_at'])} by {ticket['filed_by']}"),
            ("Approved", f"{_when(ticket['decided_at'])} by {ticket['decided_by']}, {_words(ticket['ground'])}"),
            ("Completed", _when(ticket["completed_at"])),
            ("Deadline", _deadline(predicate["deadline"])),
        ])  # fmt: skip
        page.part("What serves", [
            ("Model", f"{predicate['model']['id']}, eraser version {predicate['eraser']['version']}"),
            ("Method", f"{predicate['method']['kind']}, recipe {predicate['method']['recipe']}"),
            ("Eraser sha256", predicate["eraser"]["sha256"]),
            ("Serving since", f"{_when(serving['this_version_since'])}, generation {serving['generation']}"),
            ("Acknowledged by", replicas),
            ("Covers", f"this ticket at place {coverage['position']} of {coverage['tickets']}"),
        ])  # fmt: skip
        page.figures(predicate["audit"])
    else:
        page.claim(predicate["claim"])
        page.part("Why", [("Suspended", _words(about["reason"])), ("State now", _words(ticket["state"]))])
    page.part("Photos and facts", [
        (_words(predicate["payload"]["state"]).capitalize(), predicate["payload"]["note"]),
        *((f"{_words(item['what']).capitalize()} {item['step']}",
           f"{_when(item['at'])}, leaf {item['position']} of the log") for item in predicate.get("destroyed", [])),
    ])  # fmt: skip
    page.bullets("What is not claimed", predicate["not_claimed"])
    page.part("Proof", [
        ("Issued", f"{_when(about['issued_at'])}  ({_words(about['reason'])})"),
        ("Audit log", f"{len(log['entries'])} leaves proved under the checkpoint at {log['size']}"),
        ("Checkpoint", log["checkpoint"].split("\n")[2]),
        ("Check it", predicate["verify"]),
    ])  # fmt: skip
    return bytes(page.output())


class _Page(DocumentPage):
    """The parts of a certificate."""

    def head(self, title: str, which: str, valid: bool) -> None:
        colour = GREEN if valid else RED
        with self.artifact():
            self.set_fill_color(*colour)
            self.rect(0, 0, 210, 5, style="F")
        self.ink(9, PALE)
        self.say("LACUNA", height=5)
        self.ink(22, INK, "B")
        self.say(title, "H1", 10)
        self.ink(11, colour, "B")
        with self.tag("P"):
            self.cell(WIDTH / 2, 7, which)
            state = "IN FORCE" if valid else "SUSPENDED"
            self.cell(WIDTH / 2, 7, state, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.rule()

    def claim(self, text: str) -> None:
        self.ink(10.5, INK)
        self.say(text)

    def part(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        self._title(title)
        for name, value in rows:
            with self.tag("P"):
                self.ink(8.5, PALE)
                self.cell(34, 4.7, name)
                self.ink(8.5, INK)
                self.multi_cell(WIDTH - 34, 4.7, value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def bullets(self, title: str, texts: Iterable[str]) -> None:
        self._title(title)
        self.ink(8.5, INK)
        for text in texts:
            with self.tag("P"):
                self.cell(5, 4.7, "-")
                self.multi_cell(WIDTH - 5, 4.7, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def figures(self, audit: Mapping[str, Any]) -> None:
        self._title("What the audit measured for this person")
        columns = (("Questions", 62, "L"), ("n", 14, "R"), ("Told before", 49, "R"), ("Told after", 49, "R"))
        self.ink(8.5, PALE)
        self._row([(name, width, align) for name, width, align in columns], 5)
        self.rule(0.4)
        self.ink(9, INK)
        for name, panel in audit["figures"].items():
            shares = [_share(panel[when], panel[f"{when}_interval"]) for when in ("told_before", "told_after")]
            texts = (PANELS.get(name, name), str(panel["questions"]), *shares)
            self._row([(text, column[1], column[2]) for text, column in zip(texts, columns, strict=True)], 5.4)
        if not audit["figures"]:
            self.say("The audit kept no figures of this ticket alone.", height=5)
        self.ink(7.5, PALE)
        self.say(f"Verdict of the audit: {audit['verdict']}, {_when(audit['finished_at'])}. Brackets: 95 % (Wilson); "
                 "questions of one person resemble each other, so the truth is less certain.", height=4.4)  # fmt: skip

    def _row(self, cells: Iterable[tuple[str, float, str]], height: float) -> None:
        with self.tag("P"):
            for text, width, align in cells:
                self.cell(width, height, text, align=align)
        self.ln(height)

    def _title(self, text: str) -> None:
        self.ln(3)
        self.ink(9.5, INK, "B")
        self.say(text, "H2", 5.6)


def _texts(value: Any) -> Iterator[str]:
    """Every text in the statement."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _when(text: str | None) -> str:
    return f"{text[:10]} {text[11:16]} UTC" if text else "-"


def _words(text: str | None) -> str:
    return (text or "-").replace("_", " ")


def _share(value: float, between: list[float]) -> str:
    return f"{100 * value:.1f} % [{100 * between[0]:.1f}, {100 * between[1]:.1f}]"


def _deadline(clock: Mapping[str, Any]) -> str:
    if clock["due_at"] is None:
        return str(clock["note"])
    return f"{_when(clock['due_at'])} ({_words(clock['regime']).upper()}), {'met' if clock['met'] else 'MISSED'}"
