"""Claim and fenced update, shared by refits and audits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """The right to carry out a run, until somebody with a higher `fence` has it."""

    fence: int
    already_done: bool = False
