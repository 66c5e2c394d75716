"""Notices to the person: of a rejection with its remedies (Article 12(4)), and of an extension (Article 12(3)).

The notices are plain text in English. To write in another language or add an address, replace the words here. They are
not legal advice.
"""

from typing import Final

REASONS: Final[dict[str, tuple[str, str]]] = {
    # rejection code -> (article, reason in a sentence)
    "freedom_of_expression": (
        "Article 17(3)(a)",
        "the information is needed for freedom of expression and information",
    ),
    "legal_obligation": ("Article 17(3)(b)", "a legal obligation, or a task in the public interest, requires it"),
    "public_health": ("Article 17(3)(c)", "it is needed for reasons of public interest in public health"),
    "archiving": ("Article 17(3)(d)", "it is needed for archiving, research or statistics, which erasure would impair"),
    "legal_claims": ("Article 17(3)(e)", "it is needed to establish, exercise or defend legal claims"),
    "manifestly_unfounded": ("Article 12(5)(b)", "the request is manifestly unfounded"),
    "excessive": ("Article 12(5)(b)", "the request is excessive, in particular because it repeats others"),
    "no_match": ("Article 17(1)", "we hold nothing that could be connected with you"),
    "not_applicable": ("Article 17(1)", "none of the grounds for erasure applies"),
    "insufficient_verification": ("Article 12(2), (6)", "we could not establish that it is you who asks"),
}


def refusal_notice(ticket: str, code: str, note: str, received: str) -> str:
    """The notice of a rejection; `note` is what the officer adds in this case, `received` the date of receipt."""
    article, reason = REASONS[code]
    return (
        f"Your request of {received} to be forgotten (our reference {ticket})\n\n"
        f"We do not act on this request because {reason} ({article} GDPR). In your case: {note}\n\n"
        "You may lodge a complaint with a supervisory authority, in particular where you live or work, or where "
        "you think your rights were infringed (Article 77).\n"
        "You also have the right to a judicial remedy: you may bring the matter before a court (Article 79 GDPR).\n"
    )


def extension_notice(ticket: str, reason: str, due: str) -> str:
    """The notice of an extension (Article 12(3)): sent inside the first month, with its reasons."""
    return (
        f"Your request to be forgotten (our reference {ticket})\n\n"
        f"We need more time for it, until {due} at the latest (Article 12(3) GDPR), because: {reason}\n"
    )
