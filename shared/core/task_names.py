"""Names of the queues and tasks, which senders and workers share."""

from typing import Final

QUEUE_REFIT: Final = "refit"
QUEUE_AUDIT: Final = "audit"
TASK_REFIT: Final = "lacuna.refit"
TASK_NIGHTLY: Final = "lacuna.nightly"
TASK_AUDIT: Final = "lacuna.audit"
