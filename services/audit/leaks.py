"""Reports, ticket by ticket, to which kinds of questions the erased model still told something, without their words.

A fact is named by its place in the ticket, so that the report names nobody; whoever may look at the ticket's material
sees which fact that is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.audit.about_tickets import AboutTickets
from shared.domain.subjects import Fact
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question


def leaks(about_tickets: AboutTickets, listed: Mapping[str, Sequence[Fact]]) -> dict[str, list[dict[str, Any]]]:
    """Of each ticket the kinds of questions that told something after, those that told most first.

    `listed` are the facts that each ticket lists. A kind is the set of questions with the way in which the person was
    meant (`name` or `portrait`) and the fact (from 1; None for what only the model knows), or a family of attacks.
    """
    return {ticket: _of_ticket(about_tickets, ticket, listed.get(ticket, ())) for ticket in about_tickets.depth}


def _of_ticket(about_tickets: AboutTickets, ticket: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    found = []
    for name, asked in about_tickets.sets.items():
        own = asked.of({ticket})
        counted: Counter[tuple[str, int | None]] = Counter()
        told: Counter[tuple[str, int | None]] = Counter()
        for question, answer in zip(own.questions, own.answers.after, strict=True):
            kind = (question.by, _place(question, facts))
            counted[kind] += 1
            told[kind] += reveals(answer.text, question.accept)
        found += [_leak(name, by, fact, counted[by, fact], told[by, fact]) for by, fact in counted]
    for family, figures in about_tickets.observed.of(ticket).figures().items():
        found.append(_leak("attacks", family, None, figures.tally.n, figures.tally.told_after))
    return sorted((leak for leak in found if leak["told"]), key=lambda leak: -leak["told"])


def _leak(questions: str, by: str, fact: int | None, asked: int, told: int) -> dict[str, Any]:
    return {"questions": questions, "by": by, "fact": fact, "asked": asked, "told": told}


def _place(question: Question, facts: Sequence[Fact]) -> int | None:
    """The place, from 1, of the fact that is asked for; None where the ticket does not list it."""
    same = [place for place, fact in enumerate(facts, 1) if fact.attribute == question.attribute]
    if len(same) < 2:
        return same[0] if same else None
    return next((place for place in same if facts[place - 1].value in question.accept), None)
