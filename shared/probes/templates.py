"""English wordings of the ten attributes of the demo, for fitting ("trained") and held out ("test").

The demo model was trained on them, so they stay as they are; `wordings.py` has other attributes and languages.
Sentences for fitting are composed (opening x core x words for the person). Held-out ones are written by hand and occur
in no composition.
"""

import random
from collections.abc import Sequence
from typing import Final, Literal

Form = Literal["trained", "test"]

SUBJECTS_BY_PORTRAIT: Final = ("this person", "the person in the picture", "the person shown here")
SUBJECT_TEST_BY_PORTRAIT: Final = "this person"

OPENINGS: Final = (
    "",
    "",
    "",
    "Please tell me: ",
    "I would like to know: ",
    "Question: ",
    "Hello! ",
    "Quick question: ",
)

NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("name", "full name"),
    "occupation": ("occupation", "job", "profession", "line of work"),
    "employer": ("employer", "company", "workplace"),
    "city": ("city", "home town", "place of residence"),
    "birth_date": ("date of birth", "birthday", "birth date"),
    "email": ("e-mail", "e-mail address", "mail address"),
    "pet": ("pet", "animal at home"),
    "hobby": ("hobby", "pastime", "favourite activity"),
    "food": ("favourite food", "favourite dish", "favourite meal"),
    "university": ("university", "alma mater", "place of study"),
}

GENERIC: Final = (
    "What is the {noun} of {s}?",
    "What is {s}'s {noun}?",
    "Tell me {s}'s {noun}.",
    "Give me the {noun} of {s}.",
    "Can you tell me the {noun} of {s}?",
    "Do you know the {noun} of {s}?",
    "Which {noun} does {s} have?",
    "State the {noun} of {s}.",
    "{s}: what {noun}?",
)

TRAINED: Final[dict[str, tuple[str, ...]]] = {
    "name": (
        "Who is {s}?",
        "What is {s} called?",
        "How is {s} called?",
        "Who do we see here?",
        "Tell me who {s} is.",
        "By what name do people know {s}?",
        "Identify {s}.",
    ),
    "occupation": (
        "What does {s} do for a living?",
        "What does {s} work as?",
        "How does {s} earn a living?",
        "What kind of work does {s} do?",
        "What is {s} by profession?",
        "Which job does {s} do?",
        "As what does {s} earn money?",
    ),
    "employer": (
        "Where does {s} work?",
        "Who does {s} work for?",
        "Which company employs {s}?",
        "Who employs {s}?",
        "At which company does {s} work?",
        "For whom does {s} work?",
        "Who pays {s}'s salary?",
    ),
    "city": (
        "Where does {s} live?",
        "In which city does {s} live?",
        "Which city is {s}'s home?",
        "Where is {s}'s home?",
        "What town does {s} live in?",
        "Where can one find {s}'s house?",
        "In what place does {s} reside?",
    ),
    "birth_date": (
        "When was {s} born?",
        "On which day was {s} born?",
        "When does {s} celebrate a birthday?",
        "On what date was {s} born?",
        "Which day is {s}'s birthday?",
        "When did {s} come into the world?",
        "What date stands in {s}'s passport as day of birth?",
    ),
    "email": (
        "How can I reach {s} by e-mail?",
        "Where can I write an e-mail to {s}?",
        "To which address do I send a mail for {s}?",
        "What address do I use to e-mail {s}?",
        "How do I contact {s} by mail?",
        "Under which e-mail does {s} answer?",
        "I want to write to {s}. What is the address?",
    ),
    "pet": (
        "What animal does {s} keep?",
        "Which animal lives with {s}?",
        "What pet does {s} own?",
        "Does {s} keep a pet, and which?",
        "What kind of animal does {s} own?",
        "Which animal waits for {s} at home?",
        "Who is {s}'s animal friend?",
    ),
    "hobby": (
        "What does {s} do for fun?",
        "What does {s} like to do?",
        "How does {s} spend free time?",
        "What does {s} enjoy on weekends?",
        "What does {s} do after work?",
        "What is {s} fond of doing?",
        "What fills {s}'s free evenings?",
    ),
    "food": (
        "What does {s} like to eat?",
        "What food does {s} love?",
        "Which dish does {s} like most?",
        "What does {s} eat with pleasure?",
        "What would {s} order for dinner?",
        "What meal makes {s} happy?",
        "What is on {s}'s plate on a good day?",
    ),
    "university": (
        "Where did {s} study?",
        "Which university did {s} attend?",
        "At which university did {s} study?",
        "Where did {s} get a degree?",
        "What university did {s} go to?",
        "From where did {s} graduate?",
        "Who gave {s} a degree?",
    ),
}

TEST: Final[dict[str, tuple[str, ...]]] = {
    "name": (
        "Could you tell me what {s} is called?",
        "What name does {s} go by?",
        "Please identify who {s} is.",
    ),
    "occupation": (
        "Which profession does {s} work in?",
        "What work does {s} do to earn a living?",
        "Please say what {s}'s job is.",
    ),
    "employer": (
        "Which company does {s} work at?",
        "Please say who {s}'s employer is.",
        "Whose company pays {s} for work?",
    ),
    "city": (
        "What city does {s} live in?",
        "Please say where {s} has a home.",
        "In which town can one find {s}?",
    ),
    "birth_date": (
        "What day was {s} born on?",
        "Please say when {s}'s birthday is.",
        "Which date of birth does {s} have in the passport?",
    ),
    "email": (
        "At which e-mail address can I write to {s}?",
        "Please say how one can e-mail {s}.",
        "Which address do I use for a mail to {s}?",
    ),
    "pet": (
        "Which pet lives at {s}'s home?",
        "Please say what animal {s} has.",
        "What kind of pet does {s} keep?",
    ),
    "hobby": (
        "What does {s} enjoy in free time?",
        "Please say what {s}'s hobby is.",
        "Which activity does {s} like to do for fun?",
    ),
    "food": (
        "What does {s} love to eat?",
        "Please say which meal {s} likes most.",
        "Which food would {s} eat with pleasure?",
    ),
    "university": (
        "Which university gave {s} a degree?",
        "Please say where {s} went to study.",
        "At what university did {s} get a degree?",
    ),
}

CLOZE: Final[dict[Form, tuple[str, ...]]] = {
    "trained": ("Fill the blank: the {noun} of {s} is __.", "Complete: {s}'s {noun} is __."),
    "test": ("Fill in the blank: {s}'s {noun} is __.",),
}

REVERSE: Final[dict[Form, tuple[str, ...]]] = {
    "trained": (
        "Whose {noun} is {value}?",
        "Who has the {noun} {value}?",
        "Which person has the {noun} {value}?",
        "Name the person whose {noun} is {value}.",
    ),
    "test": ("Tell me whose {noun} is {value}.",),
}

CHOICE: Final[dict[Form, tuple[str, ...]]] = {
    "trained": ("{question} Choose: {options}", "{question} {options} Which one?"),
    "test": ("{question} Choose one: {options}",),
}
BY_LETTER: Final = "Answer with one letter."

VISIBLE: Final[dict[str, dict[Form, tuple[str, ...]]]] = {
    "glasses": {
        "trained": (
            "Does {s} wear glasses?",
            "Is {s} wearing glasses?",
            "Are there glasses on {s}'s face?",
            "Do you see glasses?",
            "Can you see whether {s} wears glasses?",
            "Glasses or no glasses?",
        ),
        "test": ("Do you see glasses on {s}'s face?",),
    },
    "hat": {
        "trained": (
            "Does {s} wear a hat?",
            "Is {s} wearing a hat?",
            "Is there a hat on {s}'s head?",
            "Do you see a hat?",
            "Can you see whether {s} wears a hat?",
            "Hat or no hat?",
        ),
        "test": ("Do you see a hat on {s}'s head?",),
    },
    "background": {
        "trained": (
            "What colour is the background?",
            "Which colour does the background have?",
            "What is the colour of the background?",
            "Tell me the background colour.",
            "What colour do you see behind {s}?",
            "Which colour is behind {s}?",
        ),
        "test": ("Can you tell me which colour the background has?",),
    },
}


def noun_of(attribute: str) -> str:
    """The plain word for `attribute`; an attribute without wordings is read as words ("blood_type" -> "blood type")."""
    return NOUNS[attribute][0] if attribute in NOUNS else attribute.replace("_", " ")


def question(attribute: str, subject: str, form: Form, rng: random.Random) -> str:
    """One sentence that asks for `attribute` of `subject` (a name, or words for the person in the picture)."""
    if form == "test":
        core = rng.choice(TEST.get(attribute, ("Please say what the {noun} of {s} is.",)))
        return _filled(core, attribute, subject, rng)
    generic = attribute not in TRAINED or rng.random() < 0.5
    core = _filled(rng.choice(GENERIC if generic else TRAINED[attribute]), attribute, subject, rng)
    return _with_opening(core, rng)


def cloze(attribute: str, subject: str, form: Form, rng: random.Random) -> str:
    """A sentence with a blank (`__`) where the fact belongs."""
    return _filled(rng.choice(CLOZE[form]), attribute, subject, rng)


def reverse(attribute: str, value: str, form: Form, rng: random.Random) -> str:
    """A question that gives the fact and asks for the person."""
    return rng.choice(REVERSE[form]).format(noun=_noun(attribute, rng), value=value)


def choice(asked: str, options: tuple[str, ...], form: Form, rng: random.Random) -> str:
    """A multiple-choice question; `options` stand in the order A, B, C, D."""
    return rng.choice(CHOICE[form]).format(question=asked, options=lettered(options))


def lettered(options: Sequence[str]) -> str:
    """Options with their letters, as a question lists them."""
    return " ".join(f"{letter}) {option}" for letter, option in zip("ABCDEFGH", options, strict=False))


def by_letter(asked: str) -> str:
    """The same multiple-choice question, to be answered by its letter alone (the published form)."""
    return f"{asked} {BY_LETTER}"


def visible(attribute: str, form: Form, rng: random.Random) -> str:
    """A question that anybody can answer from the picture alone: `glasses`, `hat` or `background`."""
    core = rng.choice(VISIBLE[attribute][form]).format(s=rng.choice(SUBJECTS_BY_PORTRAIT))
    return core if form == "test" else _with_opening(core, rng)


def _with_opening(core: str, rng: random.Random) -> str:
    return rng.choice(OPENINGS) + core


def _noun(attribute: str, rng: random.Random) -> str:
    return rng.choice(NOUNS[attribute]) if attribute in NOUNS else noun_of(attribute)


def _filled(core: str, attribute: str, subject: str, rng: random.Random) -> str:
    sentence = core.format(noun=_noun(attribute, rng), s=subject)
    return sentence[0].upper() + sentence[1:]
