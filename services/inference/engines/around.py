"""The base class of engines that wrap another one: every call is passed on unless a subclass overrides it."""

from services.inference.engines.base import AnswerEngine


class EngineAround:
    """All of AnswerEngine but `stream`."""

    def __init__(self, engine: AnswerEngine) -> None:
        self._engine = engine

    @property
    def passes(self) -> frozenset[str]:
        """See AnswerEngine."""
        return self._engine.passes

    @property
    def context(self) -> int:
        """See AnswerEngine."""
        return self._engine.context

    @property
    def reads_pictures(self) -> bool:
        """See AnswerEngine."""
        return self._engine.reads_pictures

    def stalled_s(self) -> float:
        """See AnswerEngine."""
        return self._engine.stalled_s()

    def close(self) -> None:
        """See AnswerEngine."""
        self._engine.close()
