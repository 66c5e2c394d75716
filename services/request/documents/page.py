"""DocumentPage: pages of A4 with embedded fonts and a structure that a screen reader can follow (tagged PDF).

Each piece of text belongs to an element of the structure tree (ISO 32000-1, 14.7 and 14.8): H1, H2 or P, in reading
order; rules, colour fields and the foot of a page are artifacts. The language and the title of the document are set.
This is what PDF/UA-1 (ISO 14289-1) asks of text, but no conformance is claimed: tables are read line by line.
The document fetches nothing and holds no script, form or link.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from fpdf import FPDF
from fpdf.enums import TextMode, XPos, YPos
from fpdf.prefs import ViewerPreferences

from services.request.documents.fonts import BASE, add_fonts

Colour = tuple[int, int, int]
Tag = Literal["H1", "H2", "P"]
INK: Final[Colour] = (28, 32, 38)
PALE: Final[Colour] = (92, 99, 109)  # 4.5 : 1 on white and more (WCAG 2.2, 1.4.3)
LINE: Final[Colour] = (214, 219, 225)
MARGIN: Final = 18.0  # mm
WIDTH: Final = 174.0  # mm between the margins of A4


class DocumentPage(FPDF):
    """A document with a title, in the language of its text; `texts` are all texts that it will show."""

    def __init__(self, title: str, language: str, texts: Iterable[str], foot: str) -> None:
        super().__init__(format="A4")
        self._open_tag: Tag | None = None
        self._foot = foot
        add_fonts(self, (*texts, title, foot))
        self.set_text_shaping(True)
        self.set_margins(MARGIN, 16)
        self.c_margin = 0
        self.set_auto_page_break(True, margin=20)
        self.set_title(title)
        self.set_lang(language)
        self.set_creator("Lacuna")
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.ink(10, INK)
        self.add_page()

    def footer(self) -> None:
        """The foot of every page, with its number."""
        with self.artifact():
            self.set_y(-14)
            self.ink(7.5, PALE)
            self.cell(WIDTH, 4, self._foot, align="L")
            self.set_x(MARGIN)
            self.cell(WIDTH, 4, f"{self.page_no()}", align="R")

    @contextmanager
    def tag(self, kind: Tag) -> Iterator[None]:
        """What is written inside is one element of the structure, on each page that it reaches."""
        self._open_tag = kind
        self._begin(kind)
        yield
        self._out("EMC")
        self._open_tag = None

    @contextmanager
    def artifact(self) -> Iterator[None]:
        """What is drawn inside is decoration, which a screen reader passes over."""
        self._out("/Artifact BMC")
        yield
        self._out("EMC")

    def say(self, text: str, kind: Tag = "P", height: float = 5.2) -> None:
        """A paragraph or a heading over the whole width, in the present ink."""
        with self.tag(kind):
            self.multi_cell(WIDTH, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def rule(self, gap: float = 2.5) -> None:
        """A line over the whole width."""
        with self.artifact():
            self.set_draw_color(*LINE)
            self.set_line_width(0.2)
            self.line(MARGIN, self.get_y() + gap / 2, MARGIN + WIDTH, self.get_y() + gap / 2)
        self.ln(gap)

    def ink(self, size: float, colour: Colour, style: Literal["", "B"] = "") -> None:
        """Write in this size, colour and weight from here on.

        Bold letters are drawn with a line around them: to make bold outlines of a variable font takes four seconds.
        """
        self.set_font(BASE, "", size)
        self.set_text_color(*colour)
        self.set_draw_color(*colour)
        self.text_mode = TextMode.FILL_STROKE if style == "B" else TextMode.FILL
        if self.page and style != "B":
            self._out(f"{TextMode.FILL} Tr")  # fpdf2 writes other modes alone
        self.set_line_width(size * 0.008 if style == "B" else 0.2)

    def _begin(self, kind: Tag) -> None:
        mcid = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=f"/{kind}", mcid=mcid)
        self._out(f"/{kind} <</MCID {mcid}>> BDC")

    def _perform_page_break(self, *args: Any) -> None:
        """Content of a page ends on it: an element that goes on gets a second part on the next page."""
        kind, self._open_tag = self._open_tag, None
        if kind is not None:
            self._out("EMC")
        super()._perform_page_break(*args)
        if kind is not None:
            self._begin(kind)
            self._open_tag = kind
