"""Words that two processes must spell alike: queues, task names, object keys, headers, roles. Holds no logic."""

from typing import Final

CHECKPOINTS: Final = "log/checkpoints/"
NEWEST_CHECKPOINT: Final = "log/checkpoint"
TIMESTAMPS: Final = "log/timestamps/"
ABANDONED: Final = "log/abandoned/"  # checkpoints of a past that two people gave up
STATISTICS: Final = "statistics/"


def payload_key(tenant: str, ticket: str) -> str:
    """Object key of a ticket's raw material (photos, names, facts), sealed."""
    return f"payloads/{tenant}/{ticket}"


def import_key(tenant: str, job: str) -> str:
    """Object key of a file of tickets, sealed; gone when the import is done."""
    return f"imports/{tenant}/{job}"


def kit_key(tenant: str, ticket: str, attempt: str) -> str:
    """Object key of a ticket's audit kit, sealed: what later audits ask once the raw material is destroyed.

    Each attempt has its own: a clerk that was given up for dead overwrites nothing.
    """
    return f"kits/{tenant}/{ticket}.{attempt}"


def statistics_key(model: str, digest: str) -> str:
    """Object key of what is computed once per base model, retain set and recipe."""
    return f"{STATISTICS}{model}/{digest}"


def pulls_key(model: str, digest: str) -> str:
    """Object key of a base model's pulls, which no ticket and no retain set changes, sealed."""
    return f"{STATISTICS}{model}/pulls/{digest}"


def retain_key(model: str, number: int, digest: str, attempt: str) -> str:
    """Object key of one version of an operator's own retain set, sealed. Each attempt has its own, as with rows."""
    return f"retain/{model}/{number:06d}-{digest[:16]}.{attempt}"


def rows_key(tenant: str, model: str, ticket: str, digest: str, attempt: str) -> str:
    """Object key of one ticket's rows, sealed. Each attempt has its own: one that lost its lease overwrites nothing."""
    return f"rows/{tenant}/{model}/{ticket}/{digest}.{attempt}"


def eraser_key(model: str, number: int, digest: str) -> str:
    """Object key of one eraser version's tensors, sealed."""
    return f"erasers/{model}/{number:06d}-{digest[:16]}.safetensors"


def edited_key(tenant: str, ticket: str, version: int) -> str:
    """Object key of edited raw material: never over the old object, which the row opens until it is changed."""
    return f"payloads/{tenant}/{ticket}.{version}"


def highwater_key(model: str) -> str:
    """Object key of the mark below which the database must not be."""
    return f"highwater/{model}"


def checkpoint_key(size: int) -> str:
    """Object key of the signed checkpoint at `size` leaves."""
    return f"{CHECKPOINTS}{size:012d}"


def timestamp_key(size: int) -> str:
    """Object key of the time-stamp (TimeStampResp, DER) on the checkpoint at `size` leaves."""
    return f"{TIMESTAMPS}{size:012d}.tsr"
