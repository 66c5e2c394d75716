"""A reference as the profile of a model leaves it: refits are made with it, and audits measure on it."""

from dataclasses import replace
from typing import Final

from shared.evaluation.model_profile import Knowledge
from shared.evaluation.public_data import public_figures
from shared.evaluation.reference import Reference

FEWEST_KNOWN: Final = 4  # in a split, before unknown people are left out of it


def reference_for(reference: Reference, knowledge: Knowledge, sentence: str) -> Reference:
    """`reference` for this model: of the public figures to be retained, only those that it knows.

    An answer that the model invents about somebody unknown is no knowledge that could be kept. Unknown figures stay in
    the other splits, where their names set thresholds or show that an answer did not change. A split in which hardly
    anybody is known is left as it is. The not-knowing answer becomes `sentence` unless the reference states one.
    """
    figures = {figure.name for figure in public_figures()}
    unknown = {
        person.id
        for person in reference.of("celebrity_fit")
        if person.subject.names and person.subject.names[0] in figures - knowledge.names
    }
    retained = reference.of("celebrity_fit")
    if len(retained) - len(unknown) < FEWEST_KNOWN:
        unknown = set()
    return replace(
        reference,
        people=tuple(person for person in reference.people if person.id not in unknown),
        unknown_answer=reference.unknown_answer or sentence,
        stored_digest=None,
    )
