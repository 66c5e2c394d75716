"""Response models: checkpoints, time-stamps, leaves and proofs of the audit log.

`lacuna verify log` reads these, so that their fields are those of an exported log.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.request.api.responses import ItemList, ResponseModel

Hash = str  # 32 bytes in base64


class SignedCheckpointResponse(ResponseModel):
    """A signed checkpoint: what the log was at one size."""

    size: int = Field(examples=[1234])
    at: datetime
    note: str = Field(description="The signed note (C2SP).", examples=["lacuna.log\n1234\n...\n"])


class CheckpointResponse(SignedCheckpointResponse):
    """A signed checkpoint with its root, and the newest note in the object store."""

    root: Hash = Field(description="The root hash of the Merkle tree, in base64.")
    stored: str | None = Field(description="The newest note in the object store; null where that cannot be read.")


class CheckpointPage(ItemList[SignedCheckpointResponse]):
    """Signed checkpoints, the smallest first."""

    next: int | None = Field(description="The `after` of the next page; null on the last page.")


class LogTimestampResponse(ResponseModel):
    """A time-stamp on a checkpoint."""

    size: int = Field(description="The size of the checkpoint.", examples=[1234])
    attested_at: datetime
    token: str = Field(description="RFC 3161, TimeStampResp, in base64.", examples=["MII..."])


class LogTimestampPage(ItemList[LogTimestampResponse]):
    """Time-stamps, those of the smallest checkpoints first."""

    next: int | None = Field(description="The `after` of the next page; null on the last page.")


class LeafResponse(ResponseModel):
    """A leaf of the log as the line that is hashed; of another tenant's leaf, the hash alone."""

    position: int
    line: str | None = Field(
        description="Null for a leaf of another tenant.", examples=['{"kind":"ticket.received",...}']
    )
    leaf_hash: Hash | None = Field(
        default=None, description="Of another tenant's leaf: its RFC 6962 hash, which the proofs are made of."
    )


class LeafPage(ItemList[LeafResponse]):
    """Leaves in the order of the log."""

    next: int | None = Field(description="The `start` of the next page; null on the last page.")


class InclusionProofResponse(ResponseModel):
    """The proof (RFC 6962) that a leaf is among the first `size`."""

    kind: Literal["inclusion"]
    position: int = Field(examples=[0])
    size: int = Field(examples=[2])
    path: list[Hash]


class ConsistencyProofResponse(ResponseModel):
    """The proof (RFC 6962) that the first `first` leaves of the log of `size` are unchanged."""

    kind: Literal["consistency"]
    first: int = Field(examples=[1])
    size: int = Field(examples=[2])
    path: list[Hash]
