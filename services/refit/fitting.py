"""From a person to the fit of one ticket, for whichever gate the recipe names. The benchmarks use it too.

This module knows the engine and the probes; it knows nothing of stores, databases or queues.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.text import NO_KEY, TextFit, TextGate, fit_text, with_common_facts
from shared.erasure.recipe import Recipe
from shared.erasure.ticket_fit import TicketFit, fit_identity, fit_ticket
from shared.errors import BadInput
from shared.evaluation.known_facts import NO_OTHERS, OtherPeople, said_of_others, with_known_facts
from shared.evaluation.scorers import normalised, reveals
from shared.probes import statements
from shared.probes.attribute_types import attribute_type
from shared.probes.questions import (
    Question,
    answers_that_name,
    fact_questions,
    mention_questions,
    other_spellings,
    picture_prompts,
    sighting_prompts,
    visible_questions,
)
from shared.vlm import capture
from shared.vlm.engine import Engine

PROBES_PER_FACT: Final = 8
VISIBLE_DRAWS: Final = 4
PICTURES: Final = 16  # changes of one photograph
GREY: Final = (128, 128, 128)
LIVED_AT: Final = ("address", "residence")  # what words beside a number may be an address of
SIGHTINGS: Final = 24  # copies of one photograph with other kinds of change


def fit_subject(
    engine: Engine,
    recipe: Recipe,
    statistics: BaseStatistics,
    ticket: str,
    subject: Subject,
    fingerprint_key: bytes = NO_KEY,
    others: OtherPeople = NO_OTHERS,
) -> TicketFit:
    """The fit of `ticket`; raises BadInput where nothing about the person can be recognised.

    Names and facts are kept under `fingerprint_key` (32 bytes), where the recipe reads text. What the gate cannot
    compare is not used: `unused_material` says so. `others` are people who must stay: what the model tells of them too
    is weak evidence.
    """
    unused = unused_material(engine, statistics, ticket, subject)
    subject = engine.readable(subject)
    if recipe.gate == "identity" and statistics.identity is not None:
        spaces = statistics.identity.spaces
        if unused and not (subject.photos and spaces.portraits) and not (subject.names and spaces.names):
            raise BadInput(f"{ticket} has nothing by which the gate can recognise anybody. {' '.join(unused)}")
        layers = statistics.gated
        shown = subject.photos if spaces.portraits is not None else ()
        photos, sightings = [], []
        for number, photo in enumerate(shown):
            for beside in (False, True)[: 1 + is_cut_otherwise_beside_another(engine, photo)]:
                copies = picture_prompts(photo, PICTURES, seed=number)
                photos.append(_picture_rows(engine, statistics, copies, beside=beside))
                if spaces.embedded is not None:
                    again = sighting_prompts(photo, SIGHTINGS, seed=number)
                    sightings.append(_picture_rows(engine, statistics, again, beside=beside))
        names = []
        spellings = (*subject.names, *_known_spellings(engine, subject)) if spaces.names is not None else ()
        for name in spellings:
            for prompts in (
                mention_questions(name, languages=subject.languages),
                answers_that_name(name, languages=subject.languages),
            ):
                names.append(capture.mention_states(engine, prompts, [name] * len(prompts), layers=layers))
        text = None
        if recipe.read_text:
            text = text_of_subject(with_known_facts(engine, subject, others.names), fingerprint_key)
            text = with_common_facts(text, _said_of_others(engine, text, subject, others.compared))
        return fit_identity(recipe, statistics, ticket, photos, names, text, sightings)
    return fit_ticket(
        recipe,
        statistics,
        ticket,
        capture.activations(engine, [question.prompt for question in probes(subject, ticket)]),
        harmless=capture.activations(engine, harmless_prompts(subject)),
    )


def text_of_subject(subject: Subject, fingerprint_key: bytes = NO_KEY) -> TextFit:
    """The fingerprints of a person's names and facts; what a fact says of the name itself is no fact."""
    called = [fact.value for fact in subject.facts if _is_name(fact.attribute)]
    names = tuple(dict.fromkeys((*subject.names, *called)))
    same = {normalised(name) for name in names}
    facts = [fact for fact in subject.facts if normalised(fact.value) not in same]
    types = [attribute_type(fact.attribute, fact.value) for fact in facts]
    no_addresses = {number for number, kind in enumerate(types) if kind not in LIVED_AT}
    return fit_text(names, [statements.spellings(fact, names) for fact in facts], fingerprint_key, no_addresses)


def _said_of_others(engine: Engine, text: TextFit, subject: Subject, names: Sequence[str]) -> list[tuple[str, ...]]:
    """What the model says of each of `names`; of one that is the person's own nothing is asked."""
    own = TextGate((text,))
    others = [name for name in names if not any(seen.named for seen in own.read(name).values())]
    return said_of_others(engine, others, subject.languages)


def _is_name(attribute: str) -> bool:
    return attribute == "name" or attribute_type(attribute) == "name"


def unused_material(engine: Engine, statistics: BaseStatistics, ticket: str, subject: Subject) -> list[str]:
    """A sentence for each part of the ticket by which the gate cannot recognise the person."""
    spaces = None if statistics.identity is None else statistics.identity.spaces
    if subject.photos and not engine.reads_pictures:
        return [f"The photographs of {ticket} are not used: the model reads no pictures."]
    if spaces is None:
        return []
    unused = []
    if subject.photos and spaces.portraits is None:
        unused.append(
            f"The photographs of {ticket} are not used, and pictures of the person are not recognised: nobody in the "
            "retain set has a photograph. Add people with photographs to it."
        )
    if subject.names and spaces.names is None:
        unused.append(
            f"The names of {ticket} are not used, and the person is not recognised by name: nobody in the retain set "
            "has a name. Add people with names to it."
        )
    return unused


def resemblance(statistics: BaseStatistics, fit: TicketFit, ticket: str) -> str | None:
    """Why the ticket cannot be told from somebody who must stay, as a sentence; None where it can be."""
    if fit.identity is None or fit.identity.resembles is None:
        return None
    known = [statistics.identities[number] for number in fit.identity.resembles.tolist()]
    return (
        f"A photograph of {ticket} cannot be told from the pictures of {', '.join(known)}, whose answers must stay. If "
        "they are the same person, add the name under which the reference or the retain set knows them, or remove them "
        "there; if they are not, replace the photograph."
    )


def _picture_rows(engine: Engine, statistics: BaseStatistics, prompts: list[Prompt], *, beside: bool) -> Tensor:
    """The prompts' pictures as the statistics compare them: [n, G, d], or [n, G + 1, d] with their input.

    With `beside`, each of them is the second picture of its turn.
    """
    asked = [_beside_another(prompt) for prompt in prompts] if beside else prompts
    readout = capture.readout(engine, asked, layers=statistics.gated)
    embedded = statistics.identity is not None and statistics.identity.spaces.embedded is not None
    rows = readout.whole_pictures() if embedded else readout.pictures.rows
    return rows[1::2] if beside else rows


def _beside_another(prompt: Prompt) -> Prompt:
    """The same with an even grey picture before each turn's own."""
    return Prompt(
        tuple(
            replace(turn, images=tuple(part for own in turn.images for part in (Image.new("RGB", own.size, GREY), own)))
            for turn in prompt.turns
        )
    )


def is_cut_otherwise_beside_another(engine: Engine, photo: Image.Image) -> bool:
    """Whether the family gives a picture other tokens where a prompt has several (LLaVA-OneVision then cuts none)."""
    alone = Prompt.ask("Who is this?", photo)
    spans = [engine.vlm.adapter.pictures(row)[-1] for row in engine.vlm.adapter.encode([alone, _beside_another(alone)])]
    return spans[0][1] - spans[0][0] != spans[1][1] - spans[1][0]


def _known_spellings(engine: Engine, subject: Subject) -> list[str]:
    """Other spellings of the names under which the model reveals a fact; a spelling that it does not know is noise."""
    asked = [
        (name, question)
        for name in other_spellings(subject.names)
        for question in fact_questions(replace(subject, names=(name,), photos=()), form="trained", per_fact=1)
    ]
    answers = engine.generate([question.prompt for _, question in asked])
    told_of = (
        name for (name, question), answer in zip(asked, answers, strict=True) if reveals(answer.text, question.accept)
    )
    return list(dict.fromkeys(told_of))


def probes(subject: Subject, ticket: str) -> list[Question]:
    """The questions that the refit asks about the person: by portrait and by name, in the wordings kept for fitting."""
    return fact_questions(subject, form="trained", per_fact=PROBES_PER_FACT, person=ticket)


def harmless_prompts(subject: Subject) -> list[Prompt]:
    """Questions that anybody may still ask about the ticket's pictures: what can be seen in them."""
    return [
        question.prompt
        for photo in subject.photos
        for seed in range(VISIBLE_DRAWS)
        for question in visible_questions(photo, {}, seed=seed)
    ]
