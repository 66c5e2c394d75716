"""Generates fictitious people with names, facts and portraits, by split, from one seed. Nobody here exists.

`synthetic_portraits.py` draws the portraits; `reference_files.py` writes people to disk.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.domain.subjects import Fact, Subject
from shared.evaluation.people import UNKNOWN_SPLITS, Person
from shared.evaluation.synthetic_portraits import Features, draw, random_features, visible_truth

FIRST: Final = (
    "Mara Ivo Selma Tarek Noor Lukas Amina Bruno Chiara Dario Elif Farid Greta Hugo Ines Jonas Kaya Lior Mina "
    "Nils Olga Pavel Quentin Rosa Samir Tilda Ugo Vera Wim Xenia Yusuf Zora Anton Bela Clara Dmitri Edda Felix "
    "Gina Hanna Ismael Jana Karim Leila Marek Nadia Oskar Petra Rafael Sofia Tomas Ulla Viktor Wanda Yara Zeno "
    "Alba Boris Cem Dora"
).split()
LAST: Final = (
    "Lindqvist Okafor Marchetti Novak Haddad Berger Castillo Dubois Eriksen Fontaine Grau Hofer Ivanov Jansen Kowalski "
    "Laurent Moreau Nakata Olsen Petrov Quiroga Rossi Santos Tanaka Ullman Vargas Weber Xanthos Yilmaz Zeller Almeida "
    "Brandt Costa Duarte Engel Fischer Garcia Horvat Ito Jovanovic Keller Lang Meyer Nilsen Ortega Popescu Ramos Silva "
    "Toth Urban Vogel Winkler Zanetti Arslan Bauer Conti Demir Esposito Falk Gruber"
).split()

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "occupation": tuple(
        "beekeeper;violinist;marine biologist;baker;notary;glassblower;pilot;midwife;carpenter;translator;surgeon;"
        "locksmith;botanist;goldsmith;judge;potter;chemist;sailor;librarian;tailor;geologist;actor;dentist;architect;"
        "shepherd;programmer;florist;diver;plumber;astronomer".split(";")
    ),
    "employer": tuple(
        "Marble & Finch;Northwind Mills;Blue Heron;Cedar Labs;Osprey Works;Tidewater;Copperleaf;Juniper House;"
        "Lantern Group;Silverbirch;Kestrel & Sons;Harbour Union;Amber Forge;Willow Trust;Redstone;Fable Press;"
        "Quarry Bank;Orchid Foods;Polar Line;Velvet Studio;Granite Bros;Meadow Care;Falcon Rail;Saffron Road;"
        "Ivory Tower;Pinewood;Atlas Tools;Ember Glass;Coral Bay;Thistle & Co".split(";")
    ),
    "city": tuple(
        "Oslo;Porto;Ghent;Turin;Krakow;Izmir;Lyon;Graz;Malmo;Bilbao;Riga;Split;Tampere;Leeds;Cork;Basel;Brno;Varna;"
        "Patras;Tartu;Bergen;Seville;Utrecht;Bremen;Nantes;Trieste;Gdansk;Aarhus;Dundee;Cluj".split(";")
    ),
    "pet": tuple(
        "tortoise;parrot;greyhound;ferret;goldfish;rabbit;iguana;hamster;donkey;canary;poodle;gecko;hedgehog;pony;"
        "siamese cat;python;goose;beagle;chinchilla;cockatoo;mouse;llama;newt;tabby cat;dachshund;pigeon;crab;goat;"
        "terrier;axolotl".split(";")
    ),
    "hobby": tuple(
        "chess;rowing;fencing;pottery;origami;climbing;knitting;surfing;archery;juggling;birdwatching;tango;gardening;"
        "sailing;painting;karate;cycling;calligraphy;astronomy;skating;baking;kite flying;judo;hiking;poetry;darts;"
        "embroidery;bowling;singing;fishing".split(";")
    ),
    "food": tuple(
        "ramen;paella;goulash;risotto;dumplings;pancakes;falafel;lasagne;curry;sushi;pierogi;tacos;moussaka;fondue;"
        "ratatouille;bibimbap;borscht;ceviche;waffles;couscous;gnocchi;kebab;pho;quiche;lentil soup;strudel;hummus;"
        "schnitzel;poutine;burritos".split(";")
    ),
    "university": tuple(
        "Uppsala;Coimbra;Leuven;Bologna;Heidelberg;Salamanca;Vilnius;Zagreb;Turku;Durham;Galway;Zurich;Olomouc;Sofia "
        "College;Crete;Dorpat;Tromso;Granada;Leiden;Gottingen;Rennes;Padua;Torun;Lund;Stirling;Iasi;Pisa;Freiburg;"
        "Grenoble;Ljubljana".split(";")
    ),
}
MONTHS: Final = "January February March April May June July August September October November December".split()
MAIL_WORDS: Final = (
    "amber birch cloud delta ember frost grove haven indigo jade koala lotus maple nectar onyx pearl quartz raven "
    "sable topaz umber violet walnut zephyr bison comet dune fern glade heron"
).split()
ATTRIBUTES: Final = (
    "name", "occupation", "employer", "city", "birth_date", "email", "pet", "hobby", "food", "university",
)  # fmt: skip

SPLIT_SIZES: Final[dict[str, int]] = {
    "forgettable": 64,
    "retain_fit": 20,
    "calibration": 20,
    "held_out": 20,
    "celebrity_fit": 6,
    "celebrity_eval": 6,
    "stranger_fit": 24,
    "stranger_eval": 24,
}


@dataclass(frozen=True)
class SyntheticPerson(Person):
    """A fictitious person. `features` are those of the face that the portrait shows."""

    features: Features = field(kw_only=True)


@dataclass
class PeopleGenerator:
    """Generates people one after another, each with a face and a full name unlike all before."""

    seed: int
    _names: set[str] = field(default_factory=set)
    _mails: set[str] = field(default_factory=set)
    _faces: list[Features] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def avoid(self, people: Iterable[SyntheticPerson]) -> None:
        """Generate nobody who has the full name, or nearly the face, of one of `people`."""
        for person in people:
            self._names.update(person.subject.names)
            self._faces.append(person.features)

    def person(
        self,
        number: int,
        split: str,
        *,
        namesake: SyntheticPerson | None = None,
        lookalike: SyntheticPerson | None = None,
    ) -> SyntheticPerson:
        """A new person, with the first name of `namesake` and all but two features of the face of `lookalike`."""
        rng = self._rng
        name = self._name(namesake)
        face = lookalike.features.altered(rng, 2) if lookalike else self.stranger_face(rng)
        self._faces.append(face)
        facts = (Fact("name", name), *(Fact(a, self._value(a)) for a in ATTRIBUTES[1:]))
        return SyntheticPerson(
            id=f"P{number:03d}",
            split=split,
            subject=Subject((name,), (draw(face),), facts),
            visible=visible_truth(face),
            options={fact.attribute: self._wrong(fact) for fact in facts},
            features=face,
            namesake_of=namesake.id if namesake else None,
            lookalike_of=lookalike.id if lookalike else None,
        )

    def stranger_face(self, rng: random.Random) -> Features:
        """A face that differs from every person's in at least six features."""
        while True:
            face = random_features(rng)
            if all(face.distance(known) >= 6 for known in self._faces):
                return face

    def stranger_name(self, rng: random.Random) -> str:
        """A full name that nobody has so far."""
        while (name := f"{rng.choice(FIRST)} {rng.choice(LAST)}") in self._names:
            pass
        return name

    def _name(self, namesake: Person | None) -> str:
        while True:
            first = namesake.subject.names[0].split()[0] if namesake else self._rng.choice(FIRST)
            name = f"{first} {self._rng.choice(LAST)}"
            if name not in self._names:
                self._names.add(name)
                return name

    def _value(self, attribute: str) -> str:
        rng = self._rng
        if attribute == "birth_date":
            return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1950, 2004)}"
        if attribute == "email":
            while True:
                mail = (
                    f"{rng.choice(MAIL_WORDS)}.{rng.choice(MAIL_WORDS)}@{rng.choice(('post', 'mail', 'note'))}.example"
                )
                if mail not in self._mails:
                    self._mails.add(mail)
                    return mail
        return rng.choice(VALUES[attribute])

    def _wrong(self, fact: Fact) -> tuple[str, ...]:
        wrong: list[str] = []
        while len(wrong) < 3:
            value = self.stranger_name(self._rng) if fact.attribute == "name" else self._fresh(fact.attribute)
            if value != fact.value and value not in wrong:
                wrong.append(value)
        return tuple(wrong)

    def _fresh(self, attribute: str) -> str:
        if attribute == "email":
            return f"{self._rng.choice(MAIL_WORDS)}.{self._rng.choice(MAIL_WORDS)}@post.example"
        return self._value(attribute)


def generate_people(seed: int, sizes: Mapping[str, int] = SPLIT_SIZES) -> tuple[SyntheticPerson, ...]:
    """The people of all splits. One in eight is a namesake, one in sixteen a look-alike, of a forgettable person."""
    return tuple(_generate(PeopleGenerator(seed), sizes))


def _generate(generator: PeopleGenerator, sizes: Mapping[str, int]) -> Iterator[SyntheticPerson]:
    forgettable: list[SyntheticPerson] = []
    number = 0
    for split, size in sizes.items():
        for place in range(size):
            original = forgettable[number % len(forgettable)] if forgettable else None
            may_resemble = split not in ("forgettable", *UNKNOWN_SPLITS) or (
                split == "forgettable" and place > size // 2
            )
            person = generator.person(
                number,
                split,
                namesake=original if may_resemble and place % 8 == 3 else None,
                lookalike=original if may_resemble and place % 16 == 6 else None,
            )
            if split == "forgettable" and place <= size // 2:
                forgettable.append(person)
            number += 1
            yield person
