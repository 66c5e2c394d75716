"""What the inference service answers: health, the list of models, and answers as OpenAI's clients read them.

The order of the fields is the order of the members in JSON. Whether a gate fired, and for which ticket, is in none.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Version = Annotated[int, Field(description="The number of the eraser version that answers.", examples=[1])]
FinishReason = Annotated[
    str, Field(description="stop, length at the limit of tokens, or tool_calls.", examples=["stop"])
]


class ResponseModel(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HealthResponse(ResponseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyResponse(ResponseModel):
    """The model is loaded, and a version is served."""

    status: Literal["ready"] = "ready"
    eraser: Version


class ModelResponse(ResponseModel):
    """A model that can be asked."""

    id: str = Field(examples=["demo-vlm"])
    object: Literal["model"] = "model"
    created: int = Field(default=0, description="Not recorded: always 0.")
    owned_by: Literal["lacuna"] = "lacuna"


class ModelList(ResponseModel):
    """The models of this replica: one."""

    object: Literal["list"] = "list"
    data: list[ModelResponse]


class AnswerHead(ResponseModel):
    """What an answer and each piece of a streamed answer begin with."""

    id: str = Field(examples=["chatcmpl-6f1c4a520f2e4d0a9d3f5a0c7b9f1e11"])
    created: int = Field(description="Seconds since 1970.", examples=[1795512600])
    model: str = Field(examples=["demo-vlm"])
    system_fingerprint: str = Field(
        description="`lacuna-<eraser version>-<first 8 of its sha256>`.", examples=["lacuna-1-9f86d081"]
    )


class FunctionResponse(ResponseModel):
    """A function and the JSON with which the model calls it."""

    name: str
    arguments: str


class ToolCallResponse(ResponseModel):
    """A call that the model asks for. `index` is given in streams."""

    index: int | None = None
    id: str
    type: Literal["function"] = "function"
    function: FunctionResponse


class MessageResponse(ResponseModel):
    """The text of an answer; null where it calls tools alone."""

    role: Literal["assistant"] = "assistant"
    content: str | None = Field(examples=["A harbour at dusk."])
    tool_calls: list[ToolCallResponse] | None = None


class TopLogprobResponse(ResponseModel):
    """A token and the natural logarithm of its probability. `bytes`: of the token in UTF-8."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprobResponse(TopLogprobResponse):
    """A token of the answer, and the most likely ones at its place."""

    top_logprobs: list[TopLogprobResponse]


class LogprobsResponse(ResponseModel):
    """How likely the tokens of an answer were."""

    content: list[TokenLogprobResponse]


class ChoiceResponse(ResponseModel):
    """An answer and why it ended. `logprobs` is given where it was wanted."""

    index: int = 0
    message: MessageResponse
    logprobs: LogprobsResponse | None = None
    finish_reason: FinishReason


class UsageResponse(ResponseModel):
    """Tokens of the prompt, of the answer, and of both."""

    prompt_tokens: int = Field(examples=[21])
    completion_tokens: int = Field(examples=[6])
    total_tokens: int = Field(examples=[27])


class ChatCompletion(AnswerHead):
    """A whole answer."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChoiceResponse]
    usage: UsageResponse


class Delta(ResponseModel):
    """What a piece adds to the answer: the role in the first piece, text in the following, nothing in the last.

    Members that are not given are left out of the JSON.
    """

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallResponse] | None = None


class ChunkChoice(ResponseModel):
    """A piece of an answer; the last one says why it ended."""

    index: int
    delta: Delta
    logprobs: LogprobsResponse | None = None
    finish_reason: FinishReason | None


class ChatCompletionChunk(AnswerHead):
    """One server-sent event of a streamed answer."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]
    usage: UsageResponse | None = None
