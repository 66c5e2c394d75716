"""A certificate as PDF, for reading. The signed JSON is what counts.

The PDF is made of the statement alone; it fetches nothing and holds no script, form or link.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from fpdf import FPDF
from fpdf.enums import TextMode, XPos, YPos

from services.request.documents.fonts import BASE, add_fonts, is_plain

INK, PALE, LINE, GREEN, RED = (28, 32, 38), (110, 118, 128), (214, 219, 225), (22, 101, 72), (163, 38, 38)

WIDTH: Final = 174.0  # mm between the margins of A4
PANELS: Final = {"forget": "as trained on", "test": "in other words and pictures"}


def as_pdf(statement: Mapping[str, Any]) -> bytes:
    """The certificate on one page of A4, or two if the list of what is not claimed is long."""
    predicate = statement["predicate"]
    about, ticket, log = predicate["certificate"], predicate["ticket"], predicate["log"]
    page = _Page(_texts(statement))
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
    def __init__(self, texts: Iterable[str]) -> None:
        super().__init__(format="A4")
        self._has_more_fonts = add_fonts(self, texts)
        self._size, self._style = 8.5, ""
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
        self._cell(WIDTH, 4, "A rendering. The signed JSON of the same certificate is the truth.", align="L")
        self.set_x(18)
        self._cell(WIDTH, 4, f"{self.page_no()}", align="R")

    def head(self, title: str, which: str, valid: bool) -> None:
        colour = GREEN if valid else RED
        self.set_fill_color(*colour)
        self.rect(0, 0, 210, 5, style="F")
        self._ink(9, PALE)
        self._line("LACUNA", 5)
        self._ink(22, INK, "B")
        self._line(title, 10)
        self._ink(11, colour, "B")
        self._cell(WIDTH / 2, 7, which)
        state = "IN FORCE" if valid else "SUSPENDED"
        self._cell(WIDTH / 2, 7, state, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._rule()

    def say(self, text: str) -> None:
        self._ink(10.5, INK)
        self._cells(WIDTH, 5.2, text)

    def part(self, title: str, rows: list[tuple[str, str]]) -> None:
        self._title(title)
        for name, value in rows:
            self._ink(8.5, PALE)
            self._cell(34, 4.7, name)
            self._ink(8.5, INK)
            self._cells(WIDTH - 34, 4.7, value)

    def bullets(self, title: str, texts: list[str]) -> None:
        self._title(title)
        self._ink(8.5, INK)
        for text in texts:
            self._cell(5, 4.7, "-")
            self._cells(WIDTH - 5, 4.7, text)

    def figures(self, audit: Mapping[str, Any]) -> None:
        self._title("What the audit measured for this person")
        columns = (("Questions", 62, "L"), ("n", 14, "R"), ("Told before", 49, "R"), ("Told after", 49, "R"))
        self._ink(8.5, PALE)
        for name, width, align in columns:
            self._cell(width, 5, name, align=align)
        self.ln(5)
        self._rule(0.4)
        self._ink(9, INK)
        for name, panel in audit["figures"].items():
            shares = [_share(panel[when], panel[f"{when}_interval"]) for when in ("told_before", "told_after")]
            for (_, width, align), text in zip(
                columns, (PANELS.get(name, name), panel["questions"], *shares), strict=True
            ):
                self._cell(width, 5.4, str(text), align=align)
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
        self._cells(WIDTH, height, text)

    def _rule(self, gap: float = 2.5) -> None:
        self.set_draw_color(*LINE)
        self.line(18, self.get_y() + gap / 2, 18 + WIDTH, self.get_y() + gap / 2)
        self.ln(gap)

    def _ink(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self._size, self._style = size, style
        self.set_text_color(*colour)
        self.set_draw_color(*colour)

    def _cell(self, width: float, height: float, text: str, **options: Any) -> None:
        with self._font_for(text):
            self.cell(width, height, text, **options)

    def _cells(self, width: float, height: float, text: str) -> None:
        with self._font_for(text):
            self.multi_cell(width, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    @contextmanager
    def _font_for(self, text: str) -> Iterator[None]:
        """One of PDF's own fonts, where nothing has to be embedded; else one that shows the text.

        The others have no bold of their own: their letters are drawn with a line around them.
        """
        if is_plain(text) or not self._has_more_fonts:
            self.set_font("Helvetica", self._style, self._size)
            yield
            return
        self.set_font(BASE, "", self._size)
        self.set_text_shaping(True)
        self.text_mode = TextMode.FILL_STROKE if self._style == "B" else TextMode.FILL
        self.set_line_width(self._size * 0.008)
        yield
        self.text_mode = TextMode.FILL
        self.set_line_width(0.2)
        self.set_text_shaping(False)


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
