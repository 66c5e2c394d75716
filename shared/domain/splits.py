"""Fit, calibration or held out: each identity is in one of them, which its row states or its hash gives."""

import hashlib
from typing import Final, Literal, get_args

Split = Literal["fit", "calibration", "held_out"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)
SHARES: Final = (0.6, 0.8)  # of the identities: fit up to the first, calibration up to the second


def split_of(identity: str, seed: int) -> Split:
    """The split of an identity that states none: by hash, so that it never changes and no two splits share it."""
    place = int.from_bytes(hashlib.sha256(f"{seed}/{identity}".encode()).digest()[:8], "big") / 2**64
    return SPLITS[sum(place >= share for share in SHARES)]
