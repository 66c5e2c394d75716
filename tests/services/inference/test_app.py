"""The OpenAI-compatible service: its bodies, what it refuses, and that no client can avoid the eraser."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from services.inference.engines.local import LocalEngine
from shared.erasure.eraser import Eraser
from shared.vlm.engine import Engine
from tests.services.inference.conftest import ABOUT, MODEL, Replica


def picture(size: tuple[int, int] = (32, 32), kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 200, 90)).save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def with_picture(url: str, question: str = "Who is this person?", pictures: int = 1) -> list[dict[str, Any]]:
    images = [{"type": "image_url", "image_url": {"url": url}}] * pictures
    return [{"role": "user", "content": [*images, {"type": "text", "text": question}]}]


def problem(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"].endswith(f"/{code}")
    assert body["error"]["message"] == body["detail"]
    return str(body["detail"])


@pytest.fixture
def serving(replica: Replica, erasers: dict[str, Eraser]) -> Replica:
    """A replica that serves version 1, which fires for `ABOUT`; version 0 was empty."""
    replica.publish(erasers["empty"])
    replica.publish(erasers["one"])
    replica.watcher.look()
    return replica


def test_answer_has_the_shape_of_openai_and_names_its_version(serving: Replica) -> None:
    response = serving.ask("Hello!")
    body = response.json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["role"] == "assistant"
    assert body["choices"][0]["finish_reason"] in ("stop", "length")
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert body["system_fingerprint"].startswith("lacuna-1-")
    assert response.headers["lacuna-eraser"] == "1"
    assert serving.http.get("/healthz").headers["lacuna-eraser"] == "1"


def test_eraser_changes_only_answers_for_which_it_fires(replica: Replica, erasers: dict[str, Eraser]) -> None:
    replica.publish(erasers["empty"])
    replica.watcher.look()
    before = {question: replica.answer_to(question) for question in (ABOUT, "Where does Ivo Berger live?", "Hello!")}
    replica.publish(erasers["one"])
    replica.watcher.look()
    after = {question: replica.answer_to(question) for question in before}
    assert after.pop(ABOUT) != before.pop(ABOUT)
    assert after == before


def test_no_field_of_a_request_switches_steering_off(serving: Replica) -> None:
    steered = serving.answer_to(ABOUT)
    attempts: tuple[dict[str, Any], ...] = (
        {"eraser": None},
        {"eraser": 0},
        {"version": 0},
        {"steering": False},
        {"lacuna": {"off": True}},
        {"extra_body": {"eraser": "none"}},
        {"tools": []},
        {"user": "oscar"},
    )
    for extra in attempts:
        assert serving.answer_to(ABOUT, **extra) == steered
    head = {"Authorization": f"Bearer {serving.people.keys['casey']}", "Lacuna-Eraser": "0"}
    body = {"model": MODEL, "messages": [{"role": "user", "content": ABOUT}], "max_tokens": 6}
    reply = serving.http.post("/v1/chat/completions?eraser=0", json=body, headers=head)
    assert reply.json()["choices"][0]["message"]["content"] == steered
    assert reply.headers["lacuna-eraser"] == "1"


@pytest.mark.parametrize("question", [ABOUT, "Hello!"])
def test_streamed_answer_equals_the_whole_answer(serving: Replica, question: str) -> None:
    response = serving.ask(question, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["lacuna-eraser"] == "1"
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event)["choices"][0] for event in events[:-1]]
    assert "".join(chunk["delta"].get("content", "") for chunk in chunks).strip() == serving.answer_to(question)
    assert chunks[-1]["finish_reason"] in ("stop", "length")


def test_same_seed_draws_the_same_answer(serving: Replica) -> None:
    drawn = [serving.answer_to("Hello!", temperature=1.0, seed=7) for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"messages": with_picture("data:image/png;base64,bm90IGFuIGltYWdl")}, 400, "bad-input", "not a picture"),
        ({"messages": with_picture("https://example.org/a.png")}, 400, "bad-input", "data URL"),
        ({"messages": with_picture("file:///etc/passwd")}, 400, "bad-input", "data URL"),
        ({"messages": with_picture(picture((10_000, 5_000)))}, 413, "too-large", "megapixels"),
        ({"messages": with_picture(picture(kind="BMP"))}, 400, "bad-input", "PNG, JPEG or WebP"),
        ({"messages": with_picture(picture(), pictures=9)}, 400, "bad-input", "8 pictures"),
        ({"messages": with_picture(picture(), question=" ")}, 400, "bad-input", "no text"),
        ({"messages": []}, 400, "bad-input", "messages"),
        ({"messages": [{"role": "assistant", "content": "I"}]}, 400, "bad-input", "user"),
        ({"messages": [{"role": "tool", "content": "I"}]}, 400, "bad-input", "tools"),
        ({"model": "gpt-9"}, 404, "not-found", "gpt-9"),
        ({"max_tokens": 0}, 400, "bad-input", "max_tokens"),
        ({"temperature": 3}, 400, "bad-input", "temperature"),
        ({"n": 17}, 400, "bad-input", "n: "),
        ({"top_logprobs": 2}, 400, "bad-input", "logprobs=true"),
        ({"messages": [{"role": "user", "content": "word " * 6_000}]}, 400, "bad-input", "tokens"),
    ],
)
def test_request_that_cannot_be_answered_is_refused(
    serving: Replica, change: dict[str, Any], status: int, code: str, says: str
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]} | change
    assert says in problem(serving.post(body), status, code)
    assert serving.ask("Hello!").status_code == 200


def test_missing_unknown_and_wrong_keys_are_refused(serving: Replica) -> None:
    assert serving.http.post("/v1/chat/completions", json={}).status_code == 401
    problem(serving.http.get("/v1/models", headers={"Authorization": "Bearer lk_wrong"}), 401, "unauthorized")
    problem(serving.ask("Hello!", who="olivia"), 403, "forbidden")


def test_request_before_model_and_version_are_loaded_is_refused(unloaded: Replica, engine: Engine) -> None:
    response = unloaded.ask("Hello!")
    assert "being loaded" in problem(response, 503, "not-ready")
    assert response.headers["retry-after"]
    assert response.headers["lacuna-eraser"] == "none"
    unloaded.context.engine = LocalEngine(engine)
    assert "No eraser version" in problem(unloaded.ask("Hello!"), 503, "not-ready")
    assert unloaded.http.get("/readyz").status_code == 503
    assert unloaded.http.get("/healthz").status_code == 200
    unloaded.context.engine.close()
