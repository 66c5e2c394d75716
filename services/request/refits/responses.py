"""Run."""

from typing import Any

from shared.db.models.refits import RefitRun


def run(one: RefitRun) -> dict[str, Any]:
    """A refit."""
    return {
        "id": str(one.id),
        "kind": one.kind,
        "status": one.status,
        "stage": one.stage,
        "progress": one.progress,
        "attempt": one.attempt,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "seconds": one.seconds,
        "notes": one.notes or [],
        "error": one.error,
    }
