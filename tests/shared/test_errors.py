"""Every error is a problem document (RFC 9457) with a type of its own."""

import pytest

from shared import errors
from shared.errors import LacunaError, problem_types

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LacunaError)]


def test_each_error_class_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    assert set(problem_types().values()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_problem_document_has_the_members_of_the_standard_and_the_extra_ones(kind: type[LacunaError]) -> None:
    body = kind("A sentence.", tickets=["T-1"]).problem()
    assert body.keys() == {"type", "title", "status", "detail", "tickets"}
    assert 400 <= body["status"] < 600
