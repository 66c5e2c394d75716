"""A certificate as PDF, for reading. The signed JSON is what counts.

The PDF is made of the statement alone; it fetches nothing and holds no script, form or link.
"""

from collections.abc import Mapping
from typing import Any, Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

INK, PALE, LINE, GREEN, RED = (28, 32, 38), (110, 118, 128), (214, 219, 225), (22, 101, 72), (163, 38, 38)

WIDTH: Final = 174.0  # mm between the margins of A4
PANELS: Final = {"forget": "as trained on", "test": "in other words and pictures"}


def as_pdf(statement: Mapping[str, Any]) -> bytes:
    """The certificate on one page of A4, or two if the list of what is not claimed is long."""
    predicate = statement["predicate"]
    about, ticket, log = predicate["certificate"], predicate["ticket"], predicate["log"]
    page = _Page()
    valid = about["status"] == "in_force"
    page.head("Certificate of suppression", f"{ticket['id']}  /  no. {about['number']}", valid)
    if valid:
        serving, coverage = predicate["serving"], predicate["coverage"]
        replicas = ", ".join(f"{replica['id']} ({_when(replica['at'])})" for replica in serving["replicas"])
        page.say(predicate["claim"])
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
        page.say(predicate["claim"])
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


class _Page(FPDF):
    def __init__(self) -> None:
        super().__init__(format="A4")
        self.set_margins(18, 16)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=20)
        self.set_title("Certificate of suppression")
        self.set_creator("Lacuna")
        self.add_page()

    def footer(self) -> None:
        """The foot of every page: which of PDF and JSON counts."""
        self.set_y(-14)
        self._ink(7.5, PALE)
        self.cell(WIDTH, 4, "A rendering. The signed JSON of the same certificate is the truth.", align="L")
        self.set_x(18)
        self.cell(WIDTH, 4, f"{self.page_no()}", align="R")

    def head(self, title: str, which: str, valid: bool) -> None:
        colour = GREEN if valid else RED
        self.set_fill_color(*colour)
        self.rect(0, 0, 210, 5, style="F")
        self._ink(9, PALE)
        self._line("LACUNA", 5)
        self._ink(22, INK, "B")
        self._line(title, 10)
        self._ink(11, colour, "B")
        self.cell(WIDTH / 2, 7, _latin(which))
        self.cell(WIDTH / 2, 7, "IN FORCE" if valid else "SUSPENDED", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._rule()

    def say(self, text: str) -> None:
        self._ink(10.5, INK)
        self.multi_cell(WIDTH, 5.2, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def part(self, title: str, rows: list[tuple[str, str]]) -> None:
        self._title(title)
        for name, value in rows:
            self._ink(8.5, PALE)
            self.cell(34, 4.7, _latin(name))
            self._ink(8.5, INK)
            self.multi_cell(WIDTH - 34, 4.7, _latin(value), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def bullets(self, title: str, texts: list[str]) -> None:
        self._title(title)
        self._ink(8.5, INK)
        for text in texts:
            self.cell(5, 4.7, "-")
            self.multi_cell(WIDTH - 5, 4.7, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def figures(self, audit: Mapping[str, Any]) -> None:
        self._title("What the audit measured for this person")
        columns = (("Questions", 62, "L"), ("n", 14, "R"), ("Told before", 49, "R"), ("Told after", 49, "R"))
        self._ink(8.5, PALE)
        for name, width, align in columns:
            self.cell(width, 5, name, align=align)
        self.ln(5)
        self._rule(0.4)
        self._ink(9, INK)
        for name, panel in audit["figures"].items():
            shares = [_share(panel[when], panel[f"{when}_interval"]) for when in ("told_before", "told_after")]
            for (_, width, align), text in zip(
                columns, (PANELS.get(name, name), panel["questions"], *shares), strict=True
            ):
                self.cell(width, 5.4, _latin(str(text)), align=align)
            self.ln(5.4)
        if not audit["figures"]:
            self._line("The audit kept no figures of this ticket alone.", 5)
        self._ink(7.5, PALE)
        self._line(f"Verdict of the audit: {audit['verdict']}, {_when(audit['finished_at'])}. Brackets: 95 % (Wilson); "
                   "questions of one person resemble each other, so the truth is less certain.", 4.4)  # fmt: skip

    def _title(self, text: str) -> None:
        self.ln(3)
        self._ink(9.5, INK, "B")
        self._line(text, 5.6)

    def _line(self, text: str, height: float) -> None:
        self.multi_cell(WIDTH, height, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _rule(self, gap: float = 2.5) -> None:
        self.set_draw_color(*LINE)
        self.line(18, self.get_y() + gap / 2, 18 + WIDTH, self.get_y() + gap / 2)
        self.ln(gap)

    def _ink(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self.set_font("Helvetica", style, size)  # one of PDF's own fonts: nothing is embedded
        self.set_text_color(*colour)


def _latin(text: str) -> str:
    """What PDF's own fonts can show; anything else is a question mark (names of accounts may be in any script)."""
    return text.encode("cp1252", "replace").decode("cp1252")


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
