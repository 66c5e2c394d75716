"""/v1/problems: what each type of problem (RFC 9457, section 3.1.1) means and what to do. Its URI leads here."""

from fastapi import APIRouter

from services.request.problems.catalogue import ADVICE
from services.request.problems.responses import ProblemTypeList, ProblemTypeResponse
from shared.errors import PROBLEM_BASE, NotFound, problem_types

router = APIRouter(tags=["problems"])


@router.get("/v1/problems")
def list_problems() -> ProblemTypeList:
    """Every type of problem that an answer may name."""
    return ProblemTypeList(items=[_problem_type(code) for code in problem_types()])


@router.get("/v1/problems/{code}")
def show_problem(code: str) -> ProblemTypeResponse:
    """One type of problem."""
    if code not in problem_types():
        raise NotFound("There is no such type of problem.")
    return _problem_type(code)


def _problem_type(code: str) -> ProblemTypeResponse:
    error = problem_types()[code]
    return ProblemTypeResponse(
        type=PROBLEM_BASE + code, title=error.title, status=error.status, what_to_do=ADVICE.get(code, "")
    )
