"""What the endpoints use."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from services.inference.active_eraser import ActiveEraser, Served
from services.inference.authentication import ClientKeys
from services.inference.client_limits import ClientLimits
from services.inference.engines.base import AnswerEngine
from services.inference.protocol.pictures import PictureReader
from services.inference.protocol.remote_pictures import RemotePictures
from services.inference.protocol.workers import Workers
from shared.errors import NotFound, NotReady


class Ready(NamedTuple):
    """What a request is answered with."""

    engine: AnswerEngine
    served: Served


@dataclass
class InferenceContext:
    """What the endpoints use. `engine` is None until the model is loaded; `step_grace_s` is a setting."""

    active_eraser: ActiveEraser
    client_keys: ClientKeys
    model_id: str
    step_grace_s: float = 15.0
    engine: AnswerEngine | None = None
    workers: Workers = field(default_factory=Workers)
    client_limits: ClientLimits = field(default_factory=ClientLimits)
    remote_pictures: RemotePictures = field(default_factory=RemotePictures)

    def __post_init__(self) -> None:
        self.pictures = PictureReader(self.workers, self.remote_pictures)

    def ready(self) -> Ready:
        """The engine and the version to answer with; raises NotReady."""
        if self.engine is None:
            raise NotReady("The model is being loaded.")
        return Ready(self.engine, self.active_eraser.current())

    def ready_for(self, model: str) -> Ready:
        """The same for a request that names its model; raises NotFound for another model's name."""
        ready = self.ready()
        self.check_model(model)
        return ready

    def check_model(self, model: str) -> None:
        """Raise NotFound for another model's name."""
        if model != self.model_id:
            raise NotFound(
                f"There is no model {model}; this is {self.model_id}.", param="model", reason="model_not_found"
            )

    def check_progress(self) -> None:
        """Raise NotReady where the engine has work and has not finished a step for longer than `step_grace_s`."""
        stalled_s = self.engine.stalled_s() if self.engine is not None else 0.0
        if stalled_s > self.step_grace_s:
            raise NotReady(f"The engine has work and has not finished a step for {stalled_s:.0f} s.")

    def close(self) -> None:
        """End what is under way, and release the threads."""
        if self.engine is not None:
            self.engine.close()
        self.workers.close()


async def _context(request: Request) -> InferenceContext:  # async although nothing is awaited: it needs no thread
    context: InferenceContext = request.app.state.context
    return context


ContextDep = Annotated[InferenceContext, Depends(_context)]
