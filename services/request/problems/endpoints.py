"""The problem types (RFC 9457, section 3.1.1) where their URIs lead: what each means and what to do."""

from typing import Any

from fastapi import APIRouter

from services.request.problems.catalogue import ADVICE
from shared.errors import PROBLEM_BASE, NotFound, problem_types

router = APIRouter(tags=["problems"])


@router.get("/v1/problems")
def list_problems() -> dict[str, Any]:
    """Every type of problem that an answer may name."""
    return {"items": [_view(code) for code in problem_types()]}


@router.get("/v1/problems/{code}")
def show_problem(code: str) -> dict[str, Any]:
    """One type of problem."""
    if code not in problem_types():
        raise NotFound("There is no such type of problem.")
    return _view(code)


def _view(code: str) -> dict[str, Any]:
    kind = problem_types()[code]
    return {"type": PROBLEM_BASE + code, "title": kind.title, "status": kind.status, "what_to_do": ADVICE.get(code, "")}
