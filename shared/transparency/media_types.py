"""Type names in DSSE envelopes and in-toto statements, and the name of the log."""

from typing import Final

MANIFEST_TYPE: Final = "application/vnd.lacuna.eraser+json"
STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_TYPE: Final = "urn:lacuna:certificate-of-suppression:v1"
LOG_NAME: Final = "lacuna.log"  # origin of its checkpoints and name of its key, where no other is configured
