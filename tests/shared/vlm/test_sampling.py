"""Likelihoods lose the alternatives that would tell, and no others."""

from shared.vlm.sampling import TokenLogprob, without_telling

ANSWER = (
    TokenLogprob("I", -0.1, (("I", -0.1), ("Mara", -2.0), ("She", -3.0))),
    TokenLogprob(" know", -0.2, ((" know", -0.2), (" am", -1.5))),
    TokenLogprob(" Mara", -0.3, ((" Mara", -0.3), (" Novak", -2.5))),
    TokenLogprob(" here", -0.4, ((" Novak", -1.0), (" here", -0.4))),
)


def test_alternative_that_tells_is_left_out_and_the_answer_stays() -> None:
    """Mara Novak is forgotten; the answer's own "Mara" was judged with the whole answer."""
    kept = without_telling(ANSWER, lambda text: "Mara Novak" in text or "Mara" in text.split("\n"))
    assert [each.token for each in kept] == [each.token for each in ANSWER]
    assert [[token for token, _ in each.top] for each in kept] == [
        ["I", "She"],
        [" know", " am"],
        [" Mara", " Novak"],  # of the first place of a name, nothing is told by the second
        [" here"],
    ]


def test_nothing_is_read_one_by_one_where_a_place_tells_nothing() -> None:
    read: list[str] = []

    def tells(text: str) -> bool:
        read.append(text)
        return False

    assert without_telling(ANSWER, tells) == ANSWER
    assert len(read) == len(ANSWER)
