"""Builds a reference folder from MLLMU-Bench's own files: which person is in which split, and borrowed strangers.

Everybody in a published forget split is forgettable, and `ratios.forgotten` with the same seed draws them in the
published order: as long as nobody is excluded, its 5, 10 and 15 % are forget_5, forget_10 and forget_15. A tenth of the
other fictitious people is forgettable too, because tuning needs people who are in no draw; the rest is divided evenly.

Identities come from the column ID. Facts come from the biography, except values of more than MOST_WORDS words (a text,
not a fact) and values for which neither the published choices nor other biographies give three wrong answers (they
could not be asked as a choice). The files do not state what a picture shows, so that stays empty.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from shared.domain.subjects import Fact
from shared.errors import BadInput
from shared.evaluation.mllmu import FORGET_SPLITS, MOST_WORDS, Profile, read_split, read_training
from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS, Person
from shared.evaluation.ratios import order_for_draw
from shared.evaluation.reference import load_reference
from shared.evaluation.reference_files import write_people
from shared.evaluation.scorers import normalised

LEAST: Final = 4  # people in a split: as many as the tuning of a baseline draws
FACTS: Final = 3  # besides the name


@dataclass(frozen=True)
class MllmuReference:
    """The people of all splits, how many were excluded for which reason, and how many are in ft_Data.

    `trained` counts the fictitious people whose very picture is in the training rows.
    """

    people: tuple[Person, ...]
    excluded: Mapping[str, int]
    trained: int


def build_reference(folder: Path, strangers: Iterable[Person], seed: int = 0) -> MllmuReference:
    """Divide the people of the published files by `seed`.

    Raises NotFound for a missing file, BadInput for a bad one and where a split gets fewer than LEAST people.
    """
    trained_photos = {hash(row.subject.photos[0].tobytes()) for row in read_training(folder)}
    published = {profile.id: profile for split in FORGET_SPLITS for profile in read_split(folder, split)}
    fictitious = published | {profile.id: profile for profile in read_split(folder, "Full_Set")}
    celebrities = [replace(profile, id=f"celebrity-{profile.id}") for profile in read_split(folder, "Retain_Set")]
    values: defaultdict[str, set[str]] = defaultdict(set)
    for fact in (fact for profile in (*fictitious.values(), *celebrities) for fact in profile.subject.facts):
        values[fact.attribute].add(fact.value)
    reasons: Counter[str] = Counter()
    invented = _usable(fictitious.values(), values, reasons, seed)
    others = [person for person in invented if person.id not in published]
    famous = _usable(celebrities, values, reasons, seed)
    for group in (others, famous):
        random.Random(f"{seed}/mllmu").shuffle(group)
    spare, others = others[: len(others) // 10], others[len(others) // 10 :]
    divided = {
        "forgettable": order_for_draw([*(person for person in invented if person.id in published), *spare], seed),
        "retain_fit": others[::3],
        "calibration": others[1::3],
        "held_out": others[2::3],
        "celebrity_fit": famous[::2],
        "celebrity_eval": famous[1::2],
    }
    people = [replace(person, split=split) for split, members in divided.items() for person in members]
    people += [
        replace(stranger, id=f"stranger-{stranger.id}") for stranger in strangers if stranger.split in UNKNOWN_SPLITS
    ]
    sizes = Counter(person.split for person in people)
    sizes["forgettable beside the published"] = len(spare)
    small = [f"{sizes[split]} in {split}" for split in dict.fromkeys((*SPLITS, *sizes)) if sizes[split] < LEAST]
    if small:
        excluded = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "nobody"
        raise BadInput(f"Too few people: {', '.join(small)}, but {LEAST} are needed. Left out: {excluded}.")
    trained = sum(hash(person.subject.photos[0].tobytes()) in trained_photos for person in invented)
    return MllmuReference(tuple(people), dict(reasons), trained)


def write_reference(
    folder: Path, out: Path, borrow: Path, *, refusal: str | None = None, unknown: str | None = None, seed: int = 0
) -> MllmuReference:
    """Write `build_reference` to `out`, with the strangers and prompts of the reference folder `borrow`.

    `refusal` and `unknown` replace the borrowed sentences where they are given.
    """
    reference = build_reference(folder, load_reference(borrow).people, seed)
    texts = json.loads((borrow / "prompts.json").read_text())
    texts |= {name: text for name, text in (("refusal", refusal), ("unknown_answer", unknown)) if text}
    write_people(out, reference.people)
    (out / "prompts.json").write_text(json.dumps(texts, indent=1, ensure_ascii=False))
    return reference


def _usable(
    people: Iterable[Profile], values: Mapping[str, set[str]], reasons: Counter[str], seed: int
) -> list[Person]:
    """The people with a photo, a name and enough facts; `reasons` counts what the others lack."""
    usable: list[Person] = []
    for profile in people:
        short = [fact for fact in profile.subject.facts if len(fact.value.split()) <= MOST_WORDS]
        wrong = {fact.attribute: _wrong(profile, fact, sorted(values[fact.attribute]), seed) for fact in short}
        facts = tuple(fact for fact in short if len(wrong[fact.attribute]) == 3)
        if not profile.subject.photos:
            reasons["without a photo"] += 1
        elif not profile.subject.names:
            reasons["without a name"] += 1
        elif sum(fact.attribute != "name" for fact in facts) < FACTS:
            reasons[f"with fewer than {FACTS} facts"] += 1
        else:
            options = {fact.attribute: wrong[fact.attribute] for fact in facts}
            usable.append(Person(profile.id, "", replace(profile.subject, facts=facts), {}, options))
    return usable


def _wrong(profile: Profile, fact: Fact, values: Sequence[str], seed: int) -> tuple[str, ...]:
    """Up to three wrong answers: the published choices, then other people's values."""
    rng = random.Random(f"{seed}/{profile.id}/{fact.attribute}/wrong")
    offered = [
        option for question in profile.questions if question.attribute == fact.attribute for option in question.options
    ]
    wrong = {normalised(text): text for text in (*offered, *rng.sample(values, min(len(values), 8)))}
    wrong.pop(normalised(fact.value), None)
    return tuple(wrong.values())[:3]
