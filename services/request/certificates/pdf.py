"""A certificate as PDF, for reading, in the language of its reader. The signed JSON is what counts.

The PDF is made of the statement, and of what the signed statement leaves out because it may be personal: the reference
of the case, and the accounts of staff where the settings let them be named.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fpdf.enums import XPos, YPos

from services.request.certificates.statement import NOT_RUN
from services.request.documents.language import DEFAULT, Language, language, mark
from services.request.documents.page import INK, PALE, WIDTH, DocumentPage

FOLDER: Final = Path(__file__).parent
GREEN: Final = (22, 101, 72)
RED: Final = (163, 38, 38)
TITLE: Final = mark("Certificate of suppression")
FOOT: Final = mark("A rendering. The signed JSON of the same certificate is the truth.")
WORDS: Final = {
    # question sets
    "forget": mark("as trained on"),
    "test": mark("in other words and pictures"),
    # what was destroyed, and how
    "payload": mark("Names, facts and photographs"),
    "kit": mark("Audit kit"),
    "destroyed": mark("key destroyed"),
    "removed": mark("removed"),
    "key_destroyed": mark("Destroyed"),
    "destruction_pending": mark("To be destroyed"),
    "sealed_and_kept": mark("Sealed"),
    # identity
    "assumed": mark("not in doubt, not checked further"),
    "verified": mark("verified"),
    "doubted": mark("in doubt"),
    "account_login": mark("login to an account"),
    "email_link": mark("link by e-mail"),
    "id_document": mark("identity document"),
    "in_person": mark("in person"),
    "representative": mark("representative"),
    "other": mark("otherwise"),
    # grounds
    "no_longer_necessary": mark("no longer necessary"),
    "consent_withdrawn": mark("consent withdrawn"),
    "objection": mark("objection"),
    "unlawful_processing": mark("unlawful processing"),
    "legal_obligation": mark("legal obligation"),
    "child_services": mark("services offered to a child"),
    "deletion_request": mark("the request itself"),
    # why it was issued or suspended
    "completed": mark("completed"),
    "completed_again": mark("completed again"),
    "version_changed": mark("another version serves"),
    "material_destroyed": mark("material was destroyed"),
    "ticket_withdrawn": mark("the request was withdrawn"),
    "ticket_regressed": mark("exposed again"),
    "passed": mark("passed"),
    "failed": mark("failed"),
}


@dataclass(frozen=True)
class Reader:
    """For whom the PDF is made: their language, whether staff are named, and the reference of their case."""

    language: Language = field(default_factory=lambda: language(DEFAULT, FOLDER / "languages"))
    staff_names: bool = False
    case: str | None = None


def as_pdf(statement: Mapping[str, Any], reader: Reader | None = None) -> bytes:
    """The certificate on as many pages of A4 as it needs, one or two."""
    reader = reader or Reader()
    page = _Page(statement, reader)
    if statement["predicate"]["certificate"]["status"] == "in_force":
        page.in_force()
    else:
        page.suspended()
    page.rest()
    return bytes(page.output())


class _Page(DocumentPage):
    """The parts of a certificate, in order."""

    def __init__(self, statement: Mapping[str, Any], reader: Reader) -> None:
        self._predicate: Mapping[str, Any] = statement["predicate"]
        self._reader, self._language = reader, reader.language
        _ = self._language.gettext
        super().__init__(_(TITLE), self._language.code, (*_texts(statement), reader.case or ""), _(FOOT))
        self._head(self._predicate["certificate"]["status"] == "in_force")

    def in_force(self) -> None:
        """What a certificate in force says of the request, of what is covered, of what serves and of the audit."""
        _, predicate = self._language.gettext, self._predicate
        ticket, serving, coverage = predicate["ticket"], predicate["serving"], predicate["coverage"]
        self._claim(_(predicate["claim"]))
        self._part(_("In plain words"), self._plain())
        self._request()
        if predicate.get("scope"):
            self._part(_("What is covered"), [_(sentence) for sentence in predicate["scope"]])
        replicas = ", ".join(f"{replica['id']} ({self._when(replica['at'])})" for replica in serving["replicas"])
        self._rows(_("What serves"), [
            (_("Model"), _("%(model)s, eraser version %(number)s")
             % {"model": predicate["model"]["id"], "number": predicate["eraser"]["version"]}),
            (_("Method"), _("%(kind)s, recipe %(recipe)s")
             % {"kind": _(predicate["method"]["kind"]), "recipe": predicate["method"]["recipe"]}),
            (_("Eraser sha256"), predicate["eraser"]["sha256"]),
            (_("Serving since"), f"{self._when(serving['this_version_since'])}"),
            (_("Acknowledged by"), replicas),
            (_("Covers"), _("this request, no. %(place)s of %(all)s")
             % {"place": coverage["position"] + 1, "all": coverage["tickets"]}),
            (_("Completed"), self._when(ticket["completed_at"])),
        ])  # fmt: skip
        self._figures(predicate["audit"])

    def suspended(self) -> None:
        """That nothing is claimed any more, and why."""
        _, predicate = self._language.gettext, self._predicate
        self._claim(_(predicate["claim"]))
        self._rows(_("Why"), [
            (_("Suspended"), self._word(predicate["certificate"]["reason"])),
            (_("State now"), self._word(predicate["ticket"]["state"])),
        ])  # fmt: skip

    def rest(self) -> None:
        """What became of the material, what is not claimed, and the proof."""
        _, predicate = self._language.gettext, self._predicate
        about, log = predicate["certificate"], predicate["log"]
        leaf = _("%(when)s, leaf %(position)s of the log")
        self._rows(_("Names, facts and photographs"), [
            (self._word(predicate["payload"]["state"]), _(predicate["payload"]["note"])),
            *((f"{self._word(item['what'])}, {self._word(item['step'])}",
               leaf % {"when": self._when(item["at"]), "position": item["position"]})
              for item in predicate.get("destroyed", [])),
        ])  # fmt: skip
        self._part(_("What is not claimed"), map(self._limit, predicate["not_claimed"]))
        self._rows(_("Proof"), [
            (_("Issued"), f"{self._when(about['issued_at'])} ({self._word(about['reason'])})"),
            (_("Audit log"), _("%(leaves)s leaves proved under the checkpoint at %(size)s")
             % {"leaves": len(log["entries"]), "size": log["size"]}),
            (_("Checkpoint"), log["checkpoint"].split("\n")[2]),
            (_("Check it"), predicate["verify"]),
        ])  # fmt: skip

    def _head(self, valid: bool) -> None:
        _, about, colour = self._language.gettext, self._predicate["certificate"], GREEN if valid else RED
        controller = self._predicate.get("controller")
        with self.artifact():
            self.set_fill_color(*colour)
            self.rect(0, 0, 210, 5, style="F")
        self.ink(9, PALE)
        self.say(" · ".join(filter(None, controller.values())) if controller else "LACUNA", height=5)
        self.ink(22, INK, "B")
        self.say(_(TITLE), "H1", 10)
        self.ink(11, colour, "B")
        number = _("%(ticket)s / no. %(number)s") % {
            "ticket": self._predicate["ticket"]["id"],
            "number": about["number"],
        }
        with self.tag("P"):
            self.cell(WIDTH / 2, 7, number)
            state = _("IN FORCE") if valid else _("SUSPENDED")
            self.cell(WIDTH / 2, 7, state, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.rule()

    def _claim(self, text: str) -> None:
        self.ink(10.5, INK)
        self.say(text)

    def _plain(self) -> list[str]:
        """What the certificate means, for somebody who knows nothing of it."""
        _, predicate = self._language.gettext, self._predicate
        controller = (predicate.get("controller") or {}).get("name")
        asked = (
            _(
                "%(controller)s was asked to have the model %(model)s forget a person, and a second member of its "
                "staff approved it."
            )
            % {"controller": controller, "model": predicate["model"]["id"]}
            if controller
            else _(
                "It was asked to have the model %(model)s forget a person, and a second member of staff approved it."
            )
            % {"model": predicate["model"]["id"]}
        )
        said = [asked, _(
            "Since %(since)s every copy of the model that is in service answers about this person as it does about "
            "somebody whom it never knew, as far as that was measured."
        ) % {"since": self._when(predicate["ticket"]["completed_at"])}]  # fmt: skip
        own = predicate["audit"].get("ticket_in_full") or predicate["audit"].get("ticket")
        if own and own["asked"]:
            counts = {
                "asked": own["asked"],
                "before": round(own["told_before"] * own["asked"]),
                "after": round(own["told_after"] * own["asked"]),
                "level": "95 %",
                "most": self._language.percent(own["told_after_interval"][1]),
            }
            said.append(
                _(
                    "We asked %(asked)s questions about this person. Before, %(before)s of the answers told something "
                    "of what is to be forgotten; now it is %(after)s. Of all such questions that could be asked, that "
                    "means %(most)s at most (with a confidence of %(level)s)."
                )
                % counts
            )
        return said

    def _request(self) -> None:
        _, predicate = self._language.gettext, self._predicate
        ticket = predicate["ticket"]
        method = ticket.get("identity_method")
        self._rows(_("The request"), [
            *([(_("Your case"), self._reader.case)] if self._reader.case else []),
            (_("Filed"), f"{self._when(ticket['submitted_at'])}{self._by(ticket['filed_by'])}"),
            (_("Identity"), self._word(ticket["identity"]) + (f": {self._word(method)}" if method else "")),
            (_("Approved"), f"{self._when(ticket['decided_at'])}{self._by(ticket['decided_by'])}"
                            f" ({self._word(ticket['ground'])})"),
            (_("Deadline"), self._deadline(predicate["deadline"])),
        ])  # fmt: skip

    def _figures(self, audit: Mapping[str, Any]) -> None:
        _ = self._language.gettext
        self._title(_("What the audit measured for this person"))
        columns = ((_("Questions"), 76, "L"), ("n", 14, "R"), (_("Told before"), 42, "R"), (_("Told after"), 42, "R"))
        self.ink(8.5, PALE)
        self._row(columns, 5)
        self.rule(0.4)
        self.ink(9, INK)
        for label, n, before, after in self._lines(audit):
            self._row(
                [
                    (text, width, align)
                    for text, (_name, width, align) in zip((label, n, before, after), columns, strict=True)
                ],
                5.4,
            )
        if not audit["figures"] and not audit.get("ticket"):
            self.say(_("The audit kept no figures of this ticket alone."), height=5)
        self.ink(7.5, PALE)
        verdict = _("Verdict of the audit: %(verdict)s, %(when)s.") % {
            "verdict": self._word(audit["verdict"]),
            "when": self._when(audit["finished_at"]),
        }
        self.say(verdict + " " + _(
            "n is the number of questions about this person. Brackets are 95 % intervals; questions of one person "
            "resemble each other, so the truth is less certain."
        ), height=4.4)  # fmt: skip

    def _lines(self, audit: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """Rows of the table: each question set, everything asked at this version, and the last audit in full."""
        _ = self._language.gettext
        for name, panel in audit["figures"].items():
            shares = [self._share(panel[when], panel[f"{when}_interval"]) for when in ("told_before", "told_after")]
            yield self._word(name), str(panel["questions"]), shares[0], shares[1]
        full = audit.get("ticket_in_full")
        number = full["version"] if full else ""
        for own, label in (
            (audit.get("ticket"), _("all questions and attacks, this version")),
            (full, _("all, version %(number)s, which asked in full") % {"number": number}),
        ):
            if own:
                after = self._share(own["told_after"], own["told_after_interval"])
                yield label, str(own["asked"]), self._language.percent(own["told_before"]), after

    def _part(self, title: str, texts: Iterable[str]) -> None:
        self._title(title)
        self.ink(8.5, INK)
        for text in texts:
            with self.tag("P"):
                self.cell(5, 4.7, "–")
                self.multi_cell(WIDTH - 5, 4.7, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _rows(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        self._title(title)
        for name, value in rows:
            with self.tag("P"):
                self.ink(8.5, PALE)
                self.cell(42, 4.7, name)
                self.ink(8.5, INK)
                self.multi_cell(WIDTH - 42, 4.7, value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _row(self, cells: Iterable[tuple[str, float, str]], height: float) -> None:
        with self.tag("P"):
            for text, width, align in cells:
                self.cell(width, height, text, align=align)
        self.ln(height)

    def _title(self, text: str) -> None:
        self.ln(3)
        self.ink(9.5, INK, "B")
        self.say(text, "H2", 5.6)

    def _limit(self, sentence: str) -> str:
        """What is not claimed, in the language of the reader; what the audit did not run is named as it is."""
        before, after = NOT_RUN.split("%(name)s")
        if sentence.startswith(before):
            return self._language.gettext(NOT_RUN) % {"name": sentence.removeprefix(before).removesuffix(after)}
        return self._language.gettext(sentence)

    def _by(self, account: str) -> str:
        """Who did it, where the settings let staff be named."""
        return f", {account}" if self._reader.staff_names else ""

    def _word(self, code: str | None) -> str:
        """A code in words; one that nobody named with blanks."""
        return self._language.gettext(WORDS[code]) if code in WORDS else (code or "–").replace("_", " ")

    def _when(self, text: str | None) -> str:
        return self._language.moment(datetime.fromisoformat(text), "UTC") if text else "–"

    def _share(self, value: float, between: list[float]) -> str:
        low, high = (self._language.percent(bound).removesuffix(" %") for bound in between)
        return f"{self._language.percent(value)} [{low}, {high}]"

    def _deadline(self, clock: Mapping[str, Any]) -> str:
        _ = self._language.gettext
        if clock["due_at"] is None:
            return _(str(clock["note"]))
        law = str(clock["regime"]).replace("_", " ").upper()
        return f"{self._when(clock['due_at'])} ({law}), {_('met') if clock['met'] else _('MISSED')}"


def _texts(value: Any) -> Iterator[str]:
    """Every text in the statement."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
