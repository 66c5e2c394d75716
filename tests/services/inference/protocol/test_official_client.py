"""OpenAI's official client works unchanged: chats, completions, responses and models, whole and as streams."""

import asyncio
import base64
import io
from typing import Any

import openai
import pytest
from PIL import Image
from pydantic import BaseModel

from services.inference.protocol.sampling import MOST_CHOICES
from shared.errors import NotReady
from shared.vlm.generation import Answer
from shared.vlm.sampling import ToolCall
from tests.services.inference.protocol.conftest import KEY, MODEL, TEXT, Service

HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = ToolCall("call_1", "weather", '{"city": "Kiel"}')


def data_url(color: tuple[int, int, int]) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def calling(service: Service) -> None:
    """The engine takes tools, and calls one."""
    service.engine.passes = frozenset({"tools", "tool_choice", "response_format"})
    service.engine.answering = lambda *_: [Answer("", (1, 2), 7, "stop", tool_calls=(CALL,))]


def test_chat_is_answered_whole_and_as_a_stream(service: Service) -> None:
    whole = service.client.chat.completions.create(model=MODEL, messages=HELLO)
    assert whole.choices[0].message.content == TEXT
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole.system_fingerprint == "lacuna-1-9f86d081"
    chunks = list(service.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {chunk.usage for chunk in chunks} == {None}


def test_asynchronous_client_streams_many_chats_at_once(service: Service) -> None:
    async def ask(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=KEY) as client:
            return list(await asyncio.gather(*(ask(client) for _ in range(16))))

    assert asyncio.run(all_of_them()) == [TEXT] * 16


def test_stream_ends_with_the_counts_where_they_are_wanted(service: Service) -> None:
    chunks = list(
        service.client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 7
    assert {chunk.usage for chunk in chunks[:-1]} == {None}
    with pytest.raises(openai.BadRequestError, match="stream=true"):
        service.client.chat.completions.create(model=MODEL, messages=HELLO, stream_options={"include_usage": True})


def test_several_answers_are_given_at_once_with_seeds_of_their_own(service: Service) -> None:
    create = service.client.chat.completions.create
    whole = create(model=MODEL, messages=HELLO, n=3, temperature=1.0, seed=5)
    assert [(choice.index, choice.message.content) for choice in whole.choices] == [(at, TEXT) for at in range(3)]
    assert [sampling.seed for _, sampling in service.engine.asked] == [5, 6, 7]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 7
    service.engine.asked.clear()
    texts = dict.fromkeys(range(3), "")
    reasons = []
    for chunk in create(model=MODEL, messages=HELLO, n=3, temperature=1.0, stream=True):
        choice = chunk.choices[0]
        texts[choice.index] += choice.delta.content or ""
        reasons += [choice.finish_reason] if choice.finish_reason else []
    assert texts == dict.fromkeys(range(3), TEXT)
    assert reasons == ["stop"] * 3
    assert [sampling.seed for _, sampling in service.engine.asked] == [None] * 3
    with pytest.raises(openai.BadRequestError) as refused:
        create(model=MODEL, messages=HELLO, n=MOST_CHOICES + 1)
    assert refused.value.param == "n"


@pytest.mark.parametrize("top", [None, 0, 3])
def test_likelihoods_are_given_whole_and_in_streams(service: Service, top: int | None) -> None:
    options: dict[str, Any] = {"model": MODEL, "messages": HELLO, "logprobs": True, "top_logprobs": top}
    whole = service.client.chat.completions.create(**options)
    assert whole.choices[0].logprobs is not None
    content = whole.choices[0].logprobs.content
    assert content is not None
    assert [len(token.top_logprobs) for token in content] == [top or 0] * len(TEXT.split())
    assert bytes(content[5].bytes or []).decode() == content[5].token
    streamed: list[Any] = []
    for chunk in service.client.chat.completions.create(**options, stream=True):
        logprobs = chunk.choices[0].logprobs
        streamed += (logprobs.content or []) if logprobs else []
    assert streamed == content
    assert service.client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].logprobs is None


@pytest.mark.parametrize("stream", [False, True])
def test_too_many_likelihoods_are_refused(service: Service, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        service.client.chat.completions.create(
            model=MODEL, messages=HELLO, logprobs=True, top_logprobs=21, stream=stream
        )
    assert refused.value.param == "top_logprobs"


def test_sampling_members_reach_the_engine(service: Service) -> None:
    service.client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        temperature=0.7,
        top_p=0.9,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        seed=-3,
        stop=["\n", ""],
        max_completion_tokens=9,
        user="somebody",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        parallel_tool_calls=True,
        reasoning_effort="low",
    )
    ((_, sampling),) = service.engine.asked
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.stop) == (0.7, 0.9, -3, ("\n",))
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.5, -0.5)
    assert (sampling.max_new_tokens, sampling.fills_context, sampling.extra) == (9, False, {})
    service.client.chat.completions.create(model=MODEL, messages=HELLO)
    assert service.engine.asked[1][1].fills_context


def test_pictures_and_roles_become_turns(service: Service) -> None:
    service.client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief.", "name": "operator"},
            {
                "role": "user",
                "name": "casey",
                "content": [
                    {"type": "text", "text": "Compare"},
                    {"type": "image_url", "image_url": {"url": data_url((255, 0, 0)), "detail": "high"}},
                    {"type": "text", "text": "with"},
                    {"type": "image_url", "image_url": {"url": data_url((0, 0, 255))}},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "They differ."}]},
            {"role": "user", "content": "How?"},
        ],
    )
    ((prompt, _),) = service.engine.asked
    assert [turn.role for turn in prompt.turns] == ["system", "user", "assistant", "user"]
    assert [turn.text for turn in prompt.turns] == ["Be brief.", "Compare\nwith", "They differ.", "How?"]
    assert [image.getpixel((0, 0)) for image in prompt.images] == [(255, 0, 0), (0, 0, 255)]
    assert len(prompt.turns[1].images) == 2
    assert not any(turn.extra for turn in prompt.turns)


def test_tools_are_refused_by_name_where_the_engine_has_none(service: Service) -> None:
    create: Any = service.client.chat.completions.create
    for members, param in (
        ({"tools": [TOOL]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"functions": [TOOL["function"]]}, "functions"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            create(model=MODEL, messages=HELLO, **members)
        assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")
    with pytest.raises(openai.BadRequestError) as refused:
        create(model=MODEL, messages=[*HELLO, {"role": "tool", "content": "5", "tool_call_id": "call_1"}])
    assert refused.value.param == "messages[1].role"
    harmless = {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "logit_bias": {}}
    assert create(model=MODEL, messages=HELLO, **harmless).choices[0].message.content == TEXT


def test_tools_pass_through_an_engine_that_has_them(service: Service) -> None:
    calling(service)
    options: dict[str, Any] = {"model": MODEL, "tools": [TOOL], "tool_choice": "auto"}
    whole = service.client.chat.completions.create(messages=HELLO, **options)
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.choices[0].message.content is None
    assert whole.choices[0].message.tool_calls is not None
    assert whole.choices[0].message.tool_calls[0].to_dict() == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": CALL.arguments},
    }
    assert service.engine.asked[0][1].extra == {"tools": [TOOL], "tool_choice": "auto"}
    with service.client.chat.completions.stream(messages=HELLO, **options) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.arguments == CALL.arguments
    service.client.chat.completions.create(
        messages=[
            *HELLO,
            whole.choices[0].message,
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
        ],
        **options,
    )
    prompt, _ = service.engine.asked[-1]
    assert prompt.turns[1].extra["tool_calls"][0]["id"] == "call_1"
    assert "Kiel" in prompt.turns[1].text  # a gate reads what a tool is called with
    escaped = {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": '{"who": "\\u004dara"}'}}
    service.post(
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "assistant", "tool_calls": [escaped]}, *HELLO]},
    )
    assert "Mara" in service.engine.asked[-1][0].turns[0].text
    assert prompt.turns[2].extra == {"role": "tool", "content": "Rain.", "tool_call_id": "call_1"}


def test_answers_are_parsed_into_a_model(service: Service) -> None:
    class Harbour(BaseModel):
        name: str

    service.engine.passes = frozenset({"response_format"})
    service.engine.answering = lambda *_: ['{"name": "Kiel"}', Answer('{"name": "Kiel"}', (1,), 7, "stop")]
    parsed = service.client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Harbour)
    assert parsed.choices[0].message.parsed == Harbour(name="Kiel")
    response = service.client.responses.parse(model=MODEL, input="Hello!", text_format=Harbour)
    assert response.output_parsed == Harbour(name="Kiel")
    assert service.engine.asked[1][1].extra["response_format"]["json_schema"]["name"] == "Harbour"


def test_error_before_the_first_piece_is_a_status(service: Service) -> None:
    service.engine.answering = lambda *_: [NotReady("Too many requests are waiting.", retry_after_s=3)]
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as refused:
            service.client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
        assert refused.value.status_code == 503
        assert refused.value.response.headers["retry-after"] == "3"


def test_error_after_the_first_piece_is_an_event(service: Service) -> None:
    for error, says in ((NotReady("Shutting down."), "Shutting down."), (RuntimeError("x"), "went wrong")):
        service.engine.answering = lambda *_, error=error: ["A harbour", error]
        stream = service.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "A harbour"]
        with pytest.raises(openai.APIError, match=says):
            next(stream)


def test_models_are_listed_and_found_by_name(service: Service) -> None:
    assert [model.id for model in service.client.models.list()] == [MODEL]
    assert service.client.models.retrieve(MODEL).owned_by == "lacuna"
    with pytest.raises(openai.NotFoundError) as refused:
        service.client.models.retrieve("meta/gpt-9")
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        service.client.chat.completions.create(model="gpt-9", messages=HELLO)


def test_what_is_not_served_is_not_found(service: Service) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        service.client.embeddings.create(model=MODEL, input="Hello!")
    assert refused.value.code == "unknown_url"
    assert refused.value.type == "invalid_request_error"


def test_wrong_key_is_an_authentication_error(service: Service) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        service.client.with_options(api_key="lk_wrong").models.list()
    assert refused.value.code == "invalid_api_key"


def test_completions_answer_one_or_several_prompts(service: Service) -> None:
    create = service.client.completions.create
    one = create(model=MODEL, prompt="Hello!", logprobs=2)
    assert one.choices[0].text == TEXT
    logprobs = one.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens == TEXT.split()
    assert logprobs.text_offset is not None
    assert logprobs.text_offset[1] == len(TEXT.split()[0])
    assert service.engine.asked[0][1].max_new_tokens == 16
    several = create(model=MODEL, prompt=["Hello!", "Bye!"], n=2, temperature=1.0)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    assert several.usage is not None
    assert several.usage.prompt_tokens == 14
    assert [prompt.turns[0].text for prompt, _ in service.engine.asked[1:]] == ["Hello!", "Hello!", "Bye!", "Bye!"]
    texts = ["", ""]
    for chunk in create(model=MODEL, prompt=["a", "b"], stream=True, stream_options={"include_usage": True}):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == [TEXT] * 2
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 14


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"echo": True}, "echo"),
        ({"suffix": "!"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ""}, "prompt.content"),
        ({"logprobs": 6}, "logprobs"),
        ({"prompt": ["a"] * 16, "n": 5}, "n"),
    ],
)
def test_completions_that_cannot_be_honoured_are_refused(service: Service, members: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        service.client.completions.create(**({"model": MODEL, "prompt": "Hello!"} | members))
    assert refused.value.param == param


def test_responses_are_given_whole_and_as_a_stream(service: Service) -> None:
    picture = {"type": "input_image", "image_url": data_url((255, 0, 0)), "detail": "auto"}
    asked: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Who?"}, picture]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A harbour."}]},
        {"role": "user", "content": "Where?"},
    ]
    whole = service.client.responses.create(model=MODEL, input=asked, instructions="Be brief.", max_output_tokens=9)
    assert whole.output_text == TEXT
    assert (whole.status, whole.previous_response_id) == ("completed", None)
    assert whole.usage is not None
    assert whole.usage.input_tokens == 7
    ((prompt, sampling),) = service.engine.asked
    assert [turn.text for turn in prompt.turns] == ["Be brief.", "Who?", "A harbour.", "Where?"]
    assert len(prompt.turns[1].images) == 1
    assert sampling.max_new_tokens == 9
    with service.client.responses.stream(model=MODEL, input="Hello!") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == TEXT
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == sorted(
        event.sequence_number for event in events if hasattr(event, "sequence_number")
    )
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_response_that_is_cut_off_is_incomplete(service: Service) -> None:
    service.engine.answering = lambda *_: ["A", Answer("A", (1,), 7, "length")]
    whole = service.client.responses.create(model=MODEL, input="Hello!")
    assert whole.status == "incomplete"
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"
    events = list(service.client.responses.create(model=MODEL, input="Hello!", stream=True))
    assert events[-1].type == "response.incomplete"


def test_responses_call_functions(service: Service) -> None:
    calling(service)
    tool: Any = {"type": "function", "name": "weather", "parameters": {}, "strict": False}
    whole = service.client.responses.create(model=MODEL, input="Rain?", tools=[tool])
    assert [item.type for item in whole.output] == ["function_call"]
    call: Any = whole.output[0]
    assert (call.name, call.arguments, call.call_id) == ("weather", CALL.arguments, "call_1")
    with service.client.responses.stream(model=MODEL, input="Rain?", tools=[tool]) as stream:
        final: Any = stream.get_final_response()
    assert final.output[0].arguments == CALL.arguments
    returned = {"type": "function_call_output", "call_id": "call_1", "output": "Rain."}
    history: Any = [{"role": "user", "content": "Rain?"}, call.to_dict(), returned]
    service.client.responses.create(model=MODEL, input=history, tools=[tool])
    prompt, sampling = service.engine.asked[-1]
    assert prompt.turns[2].extra["tool_call_id"] == "call_1"
    assert sampling.extra["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "function", "name": "f"}]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"input": []}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]"),
    ],
)
def test_responses_that_cannot_be_honoured_are_refused(service: Service, members: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        service.client.responses.create(**({"model": MODEL, "input": "Hello!"} | members))
    assert refused.value.param == param


def test_stored_responses_do_not_exist(service: Service) -> None:
    for call in (service.client.responses.retrieve, service.client.responses.delete):
        with pytest.raises(openai.NotFoundError, match="not stored"):
            call("resp_1")


def test_failed_response_is_an_event(service: Service) -> None:
    service.engine.answering = lambda *_: ["A harbour", NotReady("Shutting down.")]
    events: list[Any] = list(service.client.responses.create(model=MODEL, input="Hello!", stream=True))
    assert [event.type for event in events[-3:]] == ["response.output_text.delta", "error", "response.failed"]
    assert events[-2].message == events[-1].response.error.message == "Shutting down."
