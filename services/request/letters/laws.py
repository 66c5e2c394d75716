"""What the law of each regime says in letters, as data: provisions, reasons for a refusal, rights of the person.

The templates know no law. A sentence may have places such as `%(due)s`, which the letter fills. Sources: Regulation
(EU) 2016/679 (GDPR), Articles 11, 12, 17, 19, 77 and 79; the UK GDPR as amended by the Data (Use and Access) Act 2025,
whose section 103 moved complaints to sections 164A and 165 of the Data Protection Act 2018, and whose section 76
inserted Article 12A; California Civil Code, sections 1798.105, 1798.120, 1798.130, 1798.145, 1798.199.45 and
1798.199.90, with 11 CCR 7021, 7022, 7060 and 7101. None of it is legal advice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, cast

from services.request.documents.language import mark
from shared.domain.regimes import RegimeName, regime
from shared.errors import BadInput


@dataclass(frozen=True)
class Reason:
    """Why a request is refused: the provision, and the reason as a sentence.

    `keeps_data` says that the law lets the controller keep data for it, for this purpose alone.
    """

    provision: str
    sentence: str
    keeps_data: bool = False


@dataclass(frozen=True)
class LetterLaw:
    """The sentences of one law, by the letter in which they stand. An empty one is left out."""

    name: str
    right: str  # the provision that gives the right
    period: str  # receipt: until when we answer, and by which provision
    extendable: str  # receipt: by how much the period may be prolonged
    verification: str  # receipt: how we find out that it is the person who asks
    extension: str  # extension: until when now
    information: str  # information: what for, and by which provision
    clock: str  # information: whether the period goes on meanwhile
    recipients: str  # completion: those to whom data were disclosed
    remedies: tuple[str, ...]  # completion and refusal: what the person can do against the decision
    record: str  # completion and refusal: that a record is kept
    kept_data: str  # refusal: what the law says of data that are kept for its reason
    opt_out: str  # refusal: the question that a business asks which sells or shares data
    reasons: Mapping[str, Reason]


_GDPR: Final = LetterLaw(
    name=mark("GDPR"),
    right=mark("Article 17 GDPR"),
    period=mark("We tell you what we have done by %(due)s at the latest (Article 12(3) GDPR)."),
    extendable=mark(
        "If your request is complex, or there are many, the law allows us two further months; we would tell you so, "
        "with the reasons, before the first month is over."
    ),
    verification=mark(
        "Before we act, we make sure that it is you who asks. Only where we have reasonable doubts do we ask you for "
        "more (Article 12(6) GDPR)."
    ),
    extension=mark("We therefore need more time, until %(due)s at the latest (Article 12(3) GDPR)."),
    information=mark(
        "We ask because we have reasonable doubts whether it is you who asks (Article 12(6) GDPR). We use what you "
        "send us for this check alone."
    ),
    clock=mark("The time for our answer stands still until we have received it."),
    recipients=mark(
        "Where we disclosed your data to others, we tell them of your request unless that is impossible or takes a "
        "disproportionate effort, and we name them to you if you ask (Article 19 GDPR)."
    ),
    remedies=(
        mark(
            "You may lodge a complaint with a supervisory authority, in particular where you live or work, or where "
            "you think that your rights were infringed (Article 77 GDPR)."
        ),
        mark(
            "You also have the right to a judicial remedy: you may bring the matter before a court (Article 79 GDPR)."
        ),
    ),
    record="",
    kept_data="",
    opt_out="",
    reasons={
        "freedom_of_expression": Reason(
            mark("Article 17(3)(a) GDPR"),
            mark("The information is needed for exercising the right of freedom of expression and information."),
        ),
        "legal_obligation": Reason(
            mark("Article 17(3)(b) GDPR"),
            mark("A legal obligation, or a task in the public interest, requires us to process the information."),
        ),
        "public_health": Reason(
            mark("Article 17(3)(c) GDPR"),
            mark("The information is needed for reasons of public interest in the area of public health."),
        ),
        "archiving": Reason(
            mark("Article 17(3)(d) GDPR"),
            mark(
                "The information is needed for archiving in the public interest, for research or for statistics, which "
                "its erasure would seriously impair."
            ),
        ),
        "legal_claims": Reason(
            mark("Article 17(3)(e) GDPR"),
            mark("The information is needed for establishing, exercising or defending legal claims."),
        ),
        "manifestly_unfounded": Reason(mark("Article 12(5)(b) GDPR"), mark("The request is manifestly unfounded.")),
        "excessive": Reason(
            mark("Article 12(5)(b) GDPR"), mark("The request is excessive, in particular because it repeats others.")
        ),
        "no_match": Reason(mark("Article 17(1) GDPR"), mark("We hold nothing that could be connected with you.")),
        "not_applicable": Reason(mark("Article 17(1) GDPR"), mark("None of the grounds for an erasure applies.")),
        "insufficient_verification": Reason(
            mark("Articles 11(2) and 12(2), (6) GDPR"), mark("We could not establish that it is you who asks.")
        ),
    },
)


def _in_the_uk(law: LetterLaw) -> LetterLaw:
    """The sentences with `UK GDPR` for `GDPR`: its articles have the same numbers."""
    texts = {
        member.name: value.replace("GDPR", "UK GDPR")
        for member in fields(law)
        if isinstance(value := getattr(law, member.name), str)
    }
    reasons = {code: replace(r, provision=r.provision.replace("GDPR", "UK GDPR")) for code, r in law.reasons.items()}
    return replace(law, **cast(Any, texts), reasons=reasons)


_UK_GDPR: Final = replace(
    _in_the_uk(_GDPR),
    period=mark("We tell you what we have done by %(due)s at the latest (Articles 12(3) and 12A UK GDPR)."),
    extension=mark("We therefore need more time, until %(due)s at the latest (Article 12A UK GDPR)."),
    remedies=(
        mark("You may complain to us, at the address above (section 164A of the Data Protection Act 2018)."),
        mark(
            "You may complain to the Information Commissioner (ico.org.uk; section 165 of the Data Protection Act "
            "2018)."
        ),
        mark(
            "You also have the right to a judicial remedy: you may bring the matter before a court (Article 79 UK "
            "GDPR)."
        ),
    ),
)

_CCPA: Final = LetterLaw(
    name=mark("CCPA"),
    right=mark("California Civil Code, section 1798.105"),
    period=mark(
        "We answer by %(due)s at the latest, 45 days from the receipt of your request (California Civil Code, section "
        "1798.130(a)(2); 11 CCR 7021)."
    ),
    extendable=mark(
        "If it is reasonably necessary, the law allows us another 45 days; we would tell you so, with the reason, "
        "before the first 45 days are over."
    ),
    verification=mark(
        "Before we act, we compare what you told us with what we already hold, to make sure that it is you who asks. "
        "If that is not enough, we ask you for more, use it for this check alone and delete it afterwards (11 CCR "
        "7060). We may refuse a request if we cannot verify who asks (11 CCR 7022(a))."
    ),
    extension=mark(
        "We therefore need more time, until %(due)s at the latest (California Civil Code, section 1798.130(a)(2); 11 "
        "CCR 7021(b))."
    ),
    information=mark(
        "We ask because what we hold is not enough to verify that it is you who asks (11 CCR 7060). We use what you "
        "send us for this check alone, and delete it afterwards."
    ),
    clock=mark(
        "The time for our answer goes on meanwhile, until %(due)s. If we cannot verify by then who asks, we may refuse "
        "the request (11 CCR 7021(b))."
    ),
    recipients=mark(
        "We notify our service providers and contractors, and the third parties to whom we sold or with whom we shared "
        "your information, unless that is impossible or involves a disproportionate effort (California Civil Code, "
        "section 1798.105(c)(1))."
    ),
    remedies=(
        mark(
            "You may file a complaint with the California Privacy Protection Agency (cppa.ca.gov; California Civil "
            "Code, section 1798.199.45)."
        ),
        mark(
            "You may also report the matter to the California Attorney General (oag.ca.gov; California Civil Code, "
            "section 1798.199.90)."
        ),
    ),
    record=mark("We keep a record of your request for at least 24 months, as the law requires (11 CCR 7101)."),
    kept_data=mark(
        "What we keep for this reason we use for no other purpose, and what the reason does not cover we delete (11 "
        "CCR 7022(f))."
    ),
    opt_out=mark(
        "Would you like to opt out of the sale and the sharing of your personal information? You can do so at any "
        "time: %(opt_out)s (California Civil Code, section 1798.120; 11 CCR 7022(g))."
    ),
    reasons={
        "transaction": Reason(
            mark("California Civil Code, section 1798.105(d)(1)"),
            mark(
                "The information is reasonably necessary to complete a transaction or to perform a contract with you."
            ),
            keeps_data=True,
        ),
        "security": Reason(
            mark("California Civil Code, section 1798.105(d)(2)"),
            mark("The information is reasonably necessary to help to ensure security and integrity."),
            keeps_data=True,
        ),
        "debugging": Reason(
            mark("California Civil Code, section 1798.105(d)(3)"),
            mark("The information is reasonably necessary to identify and repair errors of existing functions."),
            keeps_data=True,
        ),
        "freedom_of_expression": Reason(
            mark("California Civil Code, section 1798.105(d)(4)"),
            mark("The information is reasonably necessary for free speech, ours or that of another consumer."),
            keeps_data=True,
        ),
        "electronic_communications": Reason(
            mark("California Civil Code, section 1798.105(d)(5)"),
            mark("The California Electronic Communications Privacy Act requires us to keep the information."),
            keeps_data=True,
        ),
        "research": Reason(
            mark("California Civil Code, section 1798.105(d)(6)"),
            mark(
                "The information is reasonably necessary for public or peer-reviewed research to which you consented, "
                "and which its deletion would seriously impair."
            ),
            keeps_data=True,
        ),
        "internal_use": Reason(
            mark("California Civil Code, section 1798.105(d)(7)"),
            mark(
                "The information is reasonably necessary for internal uses alone, which you can expect and which are "
                "compatible with the context in which you gave it."
            ),
            keeps_data=True,
        ),
        "legal_obligation": Reason(
            mark("California Civil Code, section 1798.105(d)(8)"),
            mark("A legal obligation requires us to keep the information."),
            keeps_data=True,
        ),
        "legal_claims": Reason(
            mark("California Civil Code, section 1798.145(a)"),
            mark("The information is needed for exercising or defending legal claims."),
            keeps_data=True,
        ),
        "manifestly_unfounded": Reason(
            mark("California Civil Code, section 1798.145(h)(3)"), mark("The request is manifestly unfounded.")
        ),
        "excessive": Reason(
            mark("California Civil Code, section 1798.145(h)(3)"),
            mark("The request is excessive, in particular because it repeats others."),
        ),
        "no_match": Reason(
            mark("California Civil Code, section 1798.105(a)"),
            mark("We hold nothing that could be connected with you."),
        ),
        "not_applicable": Reason(
            mark("California Civil Code, section 1798.105(a)"),
            mark("The right to deletion does not extend to this information, which we did not collect from you."),
        ),
        "insufficient_verification": Reason(
            mark("11 CCR 7022(a)"), mark("We could not verify that it is you who asks.")
        ),
    },
)
LAWS: Final[Mapping[RegimeName, LetterLaw]] = {"gdpr": _GDPR, "uk_gdpr": _UK_GDPR, "ccpa": _CCPA}


def letter_law(name: str) -> LetterLaw:
    """The law of a regime. Raises BadInput for a name that is none."""
    return LAWS[regime(name).name]


def refusal_reason(name: str, code: str) -> Reason:
    """Why a request under the regime `name` is refused. Raises BadInput where the law has no such reason."""
    law = letter_law(name)
    if code not in law.reasons:
        raise BadInput(f"The {law.name} has no reason {code}. Its reasons are {', '.join(law.reasons)}.")
    return law.reasons[code]


def sentences() -> Iterator[str]:
    """Every sentence of every law, for translators."""
    for law in LAWS.values():
        for member in fields(law):
            value = getattr(law, member.name)
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                yield from value
        for reason in law.reasons.values():
            yield from (reason.provision, reason.sentence)
