"""Jobs of the control loop: give the leaves of the log their positions and sign, and have the log time-stamped."""

from typing import Final

from services.request.audit_log.sequencer import Sequencer
from services.request.audit_log.timestamper import Timestamper

AGAIN_S: Final = 0.4  # for a leaf whose transaction was still open, which is then not announced
TIME_STAMP_EVERY_S: Final = 5.0


def sequence(sequencer: Sequencer) -> float | None:
    """Place the leaves that wait, sign the log and publish its checkpoint."""
    return AGAIN_S if sequencer.run_once() else None


def time_stamp(timestamper: Timestamper) -> float:
    """Ask the authority for one token, where one is due."""
    timestamper.run_once()
    return TIME_STAMP_EVERY_S
