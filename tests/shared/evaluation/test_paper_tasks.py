"""The paper's tasks, question by question: rotations, declining, letters, and agreement where no truth is known."""

from functools import cache, partial

from shared.evaluation import paper_tasks
from shared.evaluation.paper_tasks import Replies
from shared.evaluation.reference import load_reference
from shared.probes.questions import Question

UNKNOWN = "I do not know this person."


@cache
def all_choices() -> list[Question]:
    """Every multiple choice about the held-out people of the demo model's reference."""
    reference = load_reference("models/demo-vlm/reference")
    people = {person.id: person.subject for person in reference.of("held_out")}
    return paper_tasks.task_questions(people, "test", "classification", partial(reference.wrong_answers, seed=0))


def choices(most: int = 3) -> list[Question]:
    """A sample of them, with as many about each person."""
    return paper_tasks.sample_evenly(all_choices(), most)


def weighed(question: Question, favourite: str, declining: float) -> list[list[list[float]]]:
    """Log-likelihoods of every rotation in which `favourite` is the likeliest wherever it stands."""
    turns = [paper_tasks.rotate_options(question, turn) for turn in range(paper_tasks.ROTATIONS)]
    return [[[*(-1.0 if option == favourite else -5.0 for option in turn.options), declining]] for turn in turns]


def test_rotation_moves_the_options_and_changes_nothing_else() -> None:
    """Over the rotations each option is in every place once; the prompt shows them in that order."""
    for question in choices():
        turns = [paper_tasks.rotate_options(question, turn) for turn in range(4)]
        assert turns[0] == question
        assert {turn.options.index(question.accept[0]) for turn in turns} == {0, 1, 2, 3}
        for turn in turns:
            text = turn.prompt.turns[-1].text
            assert f"A) {turn.options[0]} B) {turn.options[1]} C) {turn.options[2]} D) {turn.options[3]}" in text
            assert turn.accept == question.accept


def test_likeliest_option_counts_in_every_position() -> None:
    """Right, wrong and declined: declining is not right, but `forced` still shows what the model knows."""
    question = choices(1)[0]
    wrong = next(option for option in question.options if option not in question.accept)
    for favourite, declining, expected in (
        (question.accept[0], -9.0, (1, 1, 0)),
        (wrong, -9.0, (0, 0, 0)),
        (question.accept[0], -0.1, (0, 1, 1)),
    ):
        replies = Replies(["A"], weighed(question, favourite, declining))
        scores = paper_tasks.classification([question], replies, [UNKNOWN])
        assert (scores["likelihood"][0], scores["forced"][0], scores["declined"][0]) == expected


def test_letters_are_scored_by_the_published_rule_and_apart() -> None:
    """The published rule reads "Cannot" as C; refusals and unparsable texts are counted apart."""
    question = paper_tasks.rotate_options(choices(1)[0], 0)
    for text, declined, unparsable in (
        ("A", 0, 0),
        ("b.", 0, 1),
        ("B)", 0, 0),
        ("Cannot say", 1, 0),
        ("I do not know", 1, 0),
        ("I", 0, 1),
    ):
        scores = paper_tasks.classification([question], Replies([text], weighed(question, "", -9.0)), [UNKNOWN])
        assert (scores["letter_declined"][0], scores["letter_unparsable"][0]) == (declined, unparsable), text
    legacy = paper_tasks.classification([question], Replies(["Cannot say"], weighed(question, "", -9.0)))
    assert legacy["letter_legacy"][0] == (question.options[2] in question.accept)


def test_no_option_is_chosen_where_none_has_any_likelihood() -> None:
    """A fixed sentence gives every option likelihood zero, so none is right."""
    question = choices(1)[0]
    zero = [[[float("-inf")] * 4 + [0.0]]] * 4
    scores = paper_tasks.classification([question], Replies([UNKNOWN], zero), [UNKNOWN])
    assert (scores["likelihood"][0], scores["forced"][0], scores["declined"][0]) == (0, 0, 1)


def test_even_sample_has_as_many_questions_about_each_person() -> None:
    drawn = choices(50)
    counts = [sum(q.person == person for q in drawn) for person in {q.person for q in drawn}]
    assert len(drawn) == 50
    assert max(counts) - min(counts) <= 1
    assert drawn == choices(50)


def test_replies_about_strangers_are_compared_with_the_base_model() -> None:
    """The same reply agrees completely; another one does not."""
    questions = choices(2)
    base = Replies([UNKNOWN, UNKNOWN])
    other = Replies([UNKNOWN, "beekeeper"])
    assert paper_tasks.agreement("cloze", questions, base, other, 1) == {"legacy": [1, 0], "strict": [1, 0]}
    assert paper_tasks.agreement("generation", questions, base, other, 1) == {"rouge_l": [1, 0], "told": [1, 0]}
    first = Replies(["A", "B"], [[[-1.0, -5.0, -5.0, -5.0, -9.0]] * 2])
    second = Replies(["A", "C"], [[[-1.0, -5.0, -5.0, -5.0, -9.0], [-1.0, -5.0, -5.0, -5.0, -0.1]]])
    scores = paper_tasks.agreement("classification", questions, first, second, 1)
    assert scores == {"letter_legacy": [1, 0], "likelihood": [1, 0], "declined": [0, 1]}
