"""The paper's tasks, question by question: rotations, declining, letters, and agreement where no truth is known."""

from functools import partial

from shared.evaluation import paper_tasks
from shared.evaluation.paper_tasks import Replies
from shared.evaluation.reference import load_reference
from shared.probes.questions import Question

UNKNOWN = "I do not know this person."


def choices(most: int = 3) -> list[Question]:
    reference = load_reference("models/demo-vlm/reference")
    people = {person.id: person.subject for person in reference.of("held_out")}
    made = paper_tasks.task_questions(people, "test", "classification", partial(reference.wrong_answers, seed=0))
    return paper_tasks.sample_evenly(made, most)


def weighed(question: Question, favourite: str, declining: float) -> list[list[list[float]]]:
    """Log-likelihoods of every rotation in which `favourite` is the likeliest wherever it stands."""
    turns = [paper_tasks.rotate_options(question, turn) for turn in range(paper_tasks.ROTATIONS)]
    return [[[*(-1.0 if option == favourite else -5.0 for option in one.options), declining]] for one in turns]


def test_options_move_on_and_nothing_else_changes() -> None:
    """Each rotation holds the same options, each in every place once; the prompt shows them in that order."""
    for question in choices():
        turns = [paper_tasks.rotate_options(question, turn) for turn in range(4)]
        assert turns[0] == question
        assert {one.options.index(question.accept[0]) for one in turns} == {0, 1, 2, 3}
        for one in turns:
            text = one.prompt.turns[-1].text
            assert f"A) {one.options[0]} B) {one.options[1]} C) {one.options[2]} D) {one.options[3]}" in text
            assert one.accept == question.accept


def test_the_likeliest_option_counts_wherever_it_stands() -> None:
    """Right, wrong, and declined: what declines is not right, but `forced` still shows what it knows."""
    question = choices(1)[0]
    wrong = next(option for option in question.options if option not in question.accept)
    for favourite, declining, expected in (
        (question.accept[0], -9.0, (1, 1, 0)),
        (wrong, -9.0, (0, 0, 0)),
        (question.accept[0], -0.1, (0, 1, 1)),
    ):
        replies = Replies(["A"], weighed(question, favourite, declining))
        found = paper_tasks.classification([question], replies, [UNKNOWN])
        assert (found["likelihood"][0], found["forced"][0], found["declined"][0]) == expected


def test_letters_are_counted_as_published_and_apart() -> None:
    """The published rule reads "Cannot" as C; here a refusal and an unparsable text are counted for what they are."""
    question = paper_tasks.rotate_options(choices(1)[0], 0)
    for text, declined, unparsable in (
        ("A", 0, 0),
        ("b.", 0, 1),
        ("B)", 0, 0),
        ("Cannot say", 0, 1),
        ("I do not know", 1, 0),
        ("I", 0, 1),
    ):
        found = paper_tasks.classification([question], Replies([text], weighed(question, "", -9.0)), [UNKNOWN])
        assert (found["letter_declined"][0], found["letter_unparsable"][0]) == (declined, unparsable), text
    legacy = paper_tasks.classification([question], Replies(["Cannot say"], weighed(question, "", -9.0)))
    assert legacy["letter_legacy"][0] == (question.options[2] in question.accept)


def test_nothing_is_picked_where_nothing_has_any_likelihood() -> None:
    """A fixed sentence gives every option likelihood nought: none is right."""
    question = choices(1)[0]
    nought = [[[float("-inf")] * 4 + [0.0]]] * 4
    found = paper_tasks.classification([question], Replies([UNKNOWN], nought), [UNKNOWN])
    assert (found["likelihood"][0], found["forced"][0], found["declined"][0]) == (0, 0, 1)


def test_everybody_is_asked_about_as_often_as_anybody() -> None:
    """Evenly over people, whatever the number."""
    drawn = choices(50)
    counts = [sum(one.person == person for one in drawn) for person in {one.person for one in drawn}]
    assert len(drawn) == 50
    assert max(counts) - min(counts) <= 1
    assert drawn == choices(50)


def test_strangers_are_held_against_the_base_model() -> None:
    """The same reply agrees wholly; another one does not, and shares what words it shares."""
    questions = choices(2)
    base = Replies([UNKNOWN, UNKNOWN])
    other = Replies([UNKNOWN, "beekeeper"])
    assert paper_tasks.agreement("cloze", questions, base, other, 1) == {"legacy": [1, 0], "strict": [1, 0]}
    assert paper_tasks.agreement("generation", questions, base, other, 1) == {"rouge_l": [1, 0], "told": [1, 0]}
    one = Replies(["A", "B"], [[[-1.0, -5.0, -5.0, -5.0, -9.0]] * 2])
    two = Replies(["A", "C"], [[[-1.0, -5.0, -5.0, -5.0, -9.0], [-1.0, -5.0, -5.0, -5.0, -0.1]]])
    found = paper_tasks.agreement("classification", questions, one, two, 1)
    assert found == {"letter_legacy": [1, 0], "likelihood": [1, 0], "declined": [0, 1]}
