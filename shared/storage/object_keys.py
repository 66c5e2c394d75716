"""The keys of all objects in the object store."""

from typing import Final

CHECKPOINTS: Final = "log/checkpoints/"
NEWEST_CHECKPOINT: Final = "log/checkpoint"
TIMESTAMPS: Final = "log/timestamps/"
ABANDONED: Final = "log/abandoned/"  # checkpoints of a history that two people gave up by accepting an older database
STATISTICS: Final = "statistics/"


def payload_key(tenant: str, ticket: str) -> str:
    """The sealed raw material of a ticket: photographs, names, facts."""
    return f"payloads/{tenant}/{ticket}"


def import_key(tenant: str, job: str) -> str:
    """A sealed file of tickets, which is removed when the import is done."""
    return f"imports/{tenant}/{job}"


def drop_list_key(tenant: str, number: str) -> str:
    """A sealed download of DROP, which is removed when it is matched."""
    return f"imports/{tenant}/drop-{number}"


def kit_key(tenant: str, ticket: str, attempt: str) -> str:
    """The sealed audit kit of a ticket: later audits ask it once the raw material is destroyed.

    Each attempt has a key of its own, so that a control loop that was given up for dead overwrites nothing.
    """
    return f"kits/{tenant}/{ticket}.{attempt}"


def statistics_key(model: str, digest: str) -> str:
    """The base statistics, which are computed once for each base model, retain set and recipe."""
    return f"{STATISTICS}{model}/{digest}"


def pulls_key(model: str, digest: str) -> str:
    """The sealed steering vectors of a base model, which no ticket and no retain set changes."""
    return f"{STATISTICS}{model}/pulls/{digest}"


def profile_key(model: str, site: str) -> str:
    """The sealed profile of a base model at the site with this digest; its steering vectors are at `<key>.vectors`."""
    return f"{STATISTICS}{model}/profile/{site}"


def retain_key(model: str, number: int, digest: str, attempt: str) -> str:
    """One sealed version of an operator's own retain set. Each attempt has a key of its own, as with fits."""
    return f"retain/{model}/{number:06d}-{digest[:16]}.{attempt}"


def rows_key(tenant: str, model: str, ticket: str, digest: str, attempt: str) -> str:
    """The sealed fit of one ticket.

    Each attempt has a key of its own, so that a worker that lost its lease overwrites nothing.
    """
    return f"rows/{tenant}/{model}/{ticket}/{digest}.{attempt}"


def eraser_key(model: str, number: int, digest: str) -> str:
    """The sealed tensors of one eraser version."""
    return f"erasers/{model}/{number:06d}-{digest[:16]}.safetensors"


def edited_key(tenant: str, ticket: str, version: int) -> str:
    """Edited raw material. Its key is a new one, because the row opens the old object until the edit is committed."""
    return f"payloads/{tenant}/{ticket}.{version}"


def highwater_key(model: str) -> str:
    """The high-water mark, below which the database must not be."""
    return f"highwater/{model}"


def highwater_companions(model: str) -> str:
    """Where the companions of the high-water mark stand: one for each publication and promotion, written once."""
    return f"highwater-companions/{model}/"


def highwater_companion_key(model: str, epoch: int, generation: int, version: int) -> str:
    """The companion of one mark; of two keys, the greater one is of the later mark. `version` is -1 before any."""
    return f"{highwater_companions(model)}{epoch:06d}-{generation:010d}-{version + 1:08d}"


def checkpoint_key(size: int) -> str:
    """The signed checkpoint at `size` leaves."""
    return f"{CHECKPOINTS}{size:012d}"


def timestamp_key(size: int) -> str:
    """The time-stamp (TimeStampResp, DER) on the checkpoint at `size` leaves."""
    return f"{TIMESTAMPS}{size:012d}.tsr"
