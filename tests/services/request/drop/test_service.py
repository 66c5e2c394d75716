"""What a work item is answered, by how the tickets of its people ended."""

import pytest

from services.request.drop.service import Outcome, status_of

DONE = Outcome("completed")
EXEMPT = Outcome("rejected", "freedom_of_expression")
NO_MATCH = Outcome("rejected", "no_match")
UNVERIFIED = Outcome("rejected", "insufficient_verification")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 5),
        ([None], None),
        ([DONE], 3),
        ([EXEMPT], 2),
        ([NO_MATCH], 5),
        ([UNVERIFIED], 4),
        ([Outcome("expired")], 4),
        ([DONE, DONE], 4),
        ([DONE, None], None),
        ([DONE, NO_MATCH], 3),
        ([DONE, EXEMPT], 3),
        ([EXEMPT, EXEMPT], 2),
        ([NO_MATCH, NO_MATCH], 5),
    ],
)
def test_status_of_a_work_item(outcomes: list[Outcome | None], status: int | None) -> None:
    assert status_of(outcomes) == status
