"""GET /v1/models and /v1/models/{id}."""

from fastapi import APIRouter

from services.inference.context import ContextDep
from services.inference.responses import ModelList, ModelResponse

router = APIRouter()


@router.get("/v1/models")
async def models(context: ContextDep) -> ModelList:
    """The one model of this replica."""
    return ModelList(data=[ModelResponse(id=context.model_id)])


@router.get("/v1/models/{model:path}")
async def model(model: str, context: ContextDep) -> ModelResponse:
    """A model by its name, which may hold slashes."""
    context.check_model(model)
    return ModelResponse(id=context.model_id)
