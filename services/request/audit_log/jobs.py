"""Jobs of the control loop: give the leaves of the log their positions and sign, and have the log time-stamped."""

from services.request.audit_log.sequencer import Sequencer
from services.request.audit_log.timestamper import Timestamper


def sequence(sequencer: Sequencer) -> None:
    """Place the leaves that wait, sign the log and publish its checkpoint."""
    sequencer.turn()


def time_stamp(timestamper: Timestamper) -> None:
    """Ask the authority for one token, where one is due."""
    timestamper.turn()
