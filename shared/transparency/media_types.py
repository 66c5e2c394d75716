"""DSSE and in-toto type names, log origin."""

from typing import Final

MANIFEST_TYPE: Final = "application/vnd.lacuna.eraser+json"
STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_TYPE: Final = "urn:lacuna:certificate-of-suppression:v1"
LOG_NAME: Final = "lacuna.log"  # where none is configured: origin of checkpoints, name of the key
