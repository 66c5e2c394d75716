"""LangChain, litellm and the `llm` command line work unchanged. Slow: importing them takes longer than asking."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.vlm.generation import Answer
from shared.vlm.sampling import ToolCall
from tests.services.inference.protocol.conftest import KEY, MODEL, TEXT, Service
from tests.services.inference.protocol.test_requests import png

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # the libraries' own
]
CALL = ToolCall("call_1", "weather", '{"city": "Kiel"}')
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")


def test_langchain_asks_streams_and_calls_tools(service: Service) -> None:
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 (seconds)

    options: dict[str, Any] = {"base_url": f"{service.url}/v1", "api_key": KEY, "model": MODEL}
    chat = ChatOpenAI(**options | {"temperature": 0.5, "max_tokens": 9})
    assert chat.invoke([("system", "Be brief."), ("human", "Hello!")]).content == TEXT
    message: Any = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}
    assert chat.invoke([message]).content == TEXT
    assert len(service.engine.asked[-1][0].images) == 1
    assert "".join(str(chunk.content) for chunk in chat.stream("Hello!")) == TEXT
    assert asyncio.run(chat.ainvoke("Hello!")).content == TEXT
    assert chat.batch(["a", "b", "c"])[2].content == TEXT
    responses = ChatOpenAI(**options, use_responses_api=True)
    assert responses.invoke("Hello!").text == TEXT
    assert "".join(chunk.text for chunk in responses.stream("Hello!")) == TEXT
    service.engine.passes = frozenset({"tools", "tool_choice"})
    service.engine.answering = lambda *_: [Answer("", (1,), 7, "stop", tool_calls=(CALL,))]
    called: Any = chat.bind_tools([TOOL]).invoke("Rain?")
    assert called.tool_calls == [{"name": "weather", "args": {"city": "Kiel"}, "id": "call_1", "type": "tool_call"}]
    streamed: Any = None
    for chunk in chat.bind_tools([TOOL]).stream("Rain?"):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed.tool_calls == called.tool_calls


def test_litellm_asks_streams_and_maps_errors(service: Service) -> None:
    import litellm  # noqa: PLC0415 (seconds)
    from litellm import exceptions  # noqa: PLC0415

    options: dict[str, Any] = {"model": f"openai/{MODEL}", "api_base": f"{service.url}/v1", "api_key": KEY}
    hello = [{"role": "user", "content": "Hello!"}]
    assert litellm.completion(messages=hello, **options).choices[0].message.content == TEXT
    pieces = litellm.completion(messages=hello, stream=True, **options)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == TEXT
    picture = [{"role": "user", "content": [{"type": "text", "text": "What?"}, PICTURE]}]
    assert litellm.completion(messages=picture, **options).choices[0].message.content == TEXT
    assert asyncio.run(litellm.acompletion(messages=hello, n=2, **options)).choices[1].message.content == TEXT
    assert litellm.text_completion(prompt="Hello!", **options | {"model": f"text-completion-openai/{MODEL}"})
    long = [{"role": "user", "content": "word " * 20_000}]
    with pytest.raises(exceptions.ContextWindowExceededError):
        litellm.completion(messages=long, **options)
    with pytest.raises(exceptions.AuthenticationError):
        litellm.completion(messages=hello, **options | {"api_key": "lk_wrong"})
    with pytest.raises(exceptions.NotFoundError):
        litellm.completion(messages=hello, **options | {"model": "openai/gpt-9"})


@pytest.mark.parametrize("streams", [True, False])
def test_llm_command_line_asks(service: Service, tmp_path: Path, streams: bool) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: lacuna\n  model_name: {MODEL}\n  api_base: {service.url}/v1\n  api_key_name: lacuna\n"
        "  vision: true\n"
    )
    environment = os.environ | {"LLM_USER_PATH": str(tmp_path), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "llm", "Hello!", "-m", "lacuna", "--key", KEY, "-s", "Be brief."]
    command += [] if streams else ["--no-stream"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == TEXT.strip()
    ((prompt, _),) = service.engine.asked
    assert [turn.text for turn in prompt.turns] == ["Be brief.", "Hello!"]
