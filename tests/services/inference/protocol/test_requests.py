"""Bodies that clients send, and bodies that nobody should: answered, or refused with 400 in OpenAI's shape."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from jinja2 import TemplateError
from PIL import Image

from shared.core.admission import MOST_MEMBERS
from tests.services.inference.protocol.conftest import KEY, MODEL, PATIENCE_S, TEXT, Service

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello!"}]
NULLS = [
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "stream",
    "stream_options",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "logit_bias",
    "presence_penalty",
    "frequency_penalty",
    "user",
    "metadata",
    "store",
    "service_tier",
    "modalities",
    "audio",
    "prediction",
    "reasoning_effort",
    "echo",
]


def refusal(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    """The member `error` of a refusal in both shapes."""
    assert response.status_code == status, response.text
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert body["error"].keys() == {"message", "type", "code", "param"}
    assert body["error"]["message"] == body["detail"]
    assert body["error"]["type"] == "invalid_request_error"
    error: dict[str, Any] = body["error"]
    return error


def raw(service: Service, body: bytes, path: str = CHAT, **headers: str) -> httpx.Response:
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"} | headers
    return httpx.post(f"{service.url}{path}", content=body, headers=sent, timeout=PATIENCE_S)


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def test_null_means_not_given_for_every_member(service: Service) -> None:
    assert text_of(service.post(CHAT, {"model": MODEL, "messages": HELLO} | dict.fromkeys(NULLS))) == TEXT
    ((_, sampling),) = service.engine.asked
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.extra) == (0.0, 1.0, 0, {})
    message = {"role": "user", "content": "Hello!", "name": None, "tool_calls": None, "tool_call_id": None}
    assistant = {"role": "assistant", "content": None, "refusal": None, "audio": None, "function_call": None}
    body = {"model": MODEL, "messages": [message, assistant, message]}
    assert text_of(service.post(CHAT, body)) == TEXT
    completion = {"model": MODEL, "prompt": "Hello!"} | dict.fromkeys(("max_tokens", "logprobs", "best_of", "suffix"))
    assert service.post("/v1/completions", completion).status_code == 200
    nulls = dict.fromkeys(("instructions", "max_output_tokens", "tools", "text", "metadata", "previous_response_id"))
    assert service.post("/v1/responses", {"model": MODEL, "input": "Hello!"} | nulls).status_code == 200


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"n": 0}, "n"),
        ({"n": 10**30}, "n"),
        ({"seed": 2**63}, "seed"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_completion_tokens": 2**40}, "max_completion_tokens"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": 7}, "stop"),
        ({"messages": None}, "messages"),
        ({"messages": "Hello!"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "pirate", "content": "Arr"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "user", "content": "a"}] * 1001}, "messages"),
        ({"messages": [{"role": "user", "content": "a" * 20_000}]}, "messages"),
        ({"model": 5}, "model"),
        ({"echo": True}, "echo"),
        ({"stream": "perhaps"}, "stream"),
    ],
)
def test_member_that_is_out_of_range_is_named(service: Service, members: dict[str, Any], param: str | None) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]} | members
    assert refusal(raw(service, json.dumps(body).encode()))["param"] == param
    assert not service.engine.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"model": "demo-vlm", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "demo-vlm", "messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
        b'{"model": "demo-vlm", "messages": [{"role": "user", "content": "a"}], "temperature": NaN}',
        b'{"model": "demo-vlm", "messages": [{"role": "user", "content": "a"}], "temperature": Infinity}',
        b'{"model": "demo-vlm", "messages": [{"role": "user", "content": "a"}], "seed": ' + b"9" * 5000 + b"}",
        b'{"model": "demo-vlm", "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "demo-vlm", "messages": ' + b'[{"content": ' * 5_000,
    ],
    ids=range(13),
)
@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses"])
def test_body_that_is_no_request_is_refused(service: Service, path: str, body: bytes) -> None:
    refusal(raw(service, body, path))
    assert service.chat().status_code == 200


def test_member_given_twice_counts_as_the_last(service: Service) -> None:
    body = b'{"model": "x", "model": "demo-vlm", "messages": [{"role": "user", "role": "user", "content": "a"}]}'
    assert text_of(raw(service, body)) == TEXT


def test_body_of_too_many_members_is_refused_before_it_is_built(service: Service) -> None:
    body = b'{"messages": [' + b"[]," * MOST_MEMBERS + b"[]]}"
    assert refusal(raw(service, body), 413)["message"].startswith("A body may have at most")


@pytest.mark.parametrize("stream", [False, True])
def test_order_of_roles_that_the_template_refuses_is_named(service: Service, stream: bool) -> None:
    service.engine.answering = lambda *_: [TemplateError("roles must alternate")]
    error = refusal(service.chat(stream=stream))
    assert "roles must alternate" in error["message"]
    assert error["param"] == "messages"


def test_other_media_types_and_lengths_are_refused(service: Service) -> None:
    refusal(raw(service, b"a=b", **{"Content-Type": "application/x-www-form-urlencoded"}), 415)
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]}).encode()
    assert text_of(raw(service, body, **{"Content-Type": "application/json; charset=utf-8"})) == TEXT
    assert text_of(raw(service, body, **{"Content-Type": "application/vnd.api+json"})) == TEXT
    refusal(raw(service, b"x" * 70_000, "/v1/models"), 413)


def png() -> str:
    buffer = io.BytesIO()
    Image.effect_noise((24, 24), 90).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def lines(text: str) -> str:
    return "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))


@pytest.mark.parametrize(
    "write",
    [
        lambda data: f"data:image/png;base64,{data}",
        lambda data: f"DATA:IMAGE/PNG;BASE64,{data}",
        lambda data: f"data:image/png;charset=utf-8;name=a.png;base64,{data}",
        lambda data: f"data:image/png;base64,{lines(data)}",
        lambda data: f"data:image/png;base64, {data}\n",
        lambda data: f"data:image/png;base64,{data.rstrip('=')}",
        lambda data: f"data:image/png;base64,{data.translate(str.maketrans('+/', '-_'))}",
        lambda data: f"data:image/png;base64,{data.replace('+', '%2B').replace('=', '%3D')}",
        lambda data: f"data:image/jpeg;base64,{data}",  # what it claims to be does not matter
        lambda data: data,
    ],
    ids=range(10),
)
def test_picture_is_read_as_clients_write_it(service: Service, write: Any) -> None:
    data = png()
    content = [
        {"type": "image_url", "image_url": {"url": write(data)}},
        {"type": "text", "text": "What is this?"},
    ]
    assert text_of(service.chat(messages=[{"role": "user", "content": content}])) == TEXT
    ((prompt, _),) = service.engine.asked
    assert prompt.images[0].tobytes() == Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("data:image/png;base64,", "not a picture"),
        (f"data:image/png;base64,{'A' * 101}", "base64"),
        ("data:image/png;base64,Grüße", "base64"),
        ("data:image/png,abc", "data URL"),
        ("data:text/html;base64,YWJj", "data URL"),
        ("https://example.org/a.png", "data URL"),
        ("http://169.254.169.254/latest", "data URL"),
        ("file:///etc/passwd", "data URL"),
        ("ftp://example.org/a.png", "data URL"),
        ("/etc/passwd", "not a picture"),
        (f"data:image/heic;base64,{base64.b64encode(b'    ftypheic' + bytes(40)).decode()}", "not a picture"),
        (f"data:image/svg+xml;base64,{base64.b64encode(b'<svg/>').decode()}", "not a picture"),
    ],
)
def test_picture_that_cannot_be_read_is_named(service: Service, url: str, says: str) -> None:
    content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    error = refusal(service.chat(messages=[{"role": "user", "content": content}]))
    assert says in error["message"]
    assert error["param"] == "messages[0].content"


def test_pictures_are_refused_by_a_model_that_reads_none(service: Service) -> None:
    service.engine.reads_pictures = False
    content = [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}},
    ]
    assert "reads no pictures" in refusal(service.chat(messages=[{"role": "user", "content": content}]))["message"]
