"""The bytes of every answer are those that OpenAI's clients were given before the answers had models."""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from services.inference.engines.base import AnswerEngine
from shared.erasure.eraser import Eraser
from shared.vlm.generation import Answer
from tests.services.inference.conftest import MODEL, Replica

TEXT = 'She said: "Grüße", 山田 🎈\\ \u2028\x7f\x01\t/</script>'
WHOLE = (
    '{"id":"ID","created":CREATED,"model":"demo-vlm","system_fingerprint":"FINGERPRINT","object":"chat.completion",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"She said: \\"Grüße\\", 山田 🎈\\\\ '
    '\u2028\x7f\\u0001\\t/</script>"},"finish_reason":"length"}],'
    '"usage":{"prompt_tokens":17,"completion_tokens":3,"total_tokens":20}}'
)
EVENT = (
    'data: {"id": "ID", "created": CREATED, "model": "demo-vlm", "system_fingerprint": "FINGERPRINT", "object": '
    '"chat.completion.chunk", "choices": [{"index": 0, "delta": DELTA, "finish_reason": REASON}]}\n\n'
)
DELTAS = (
    ('{"role": "assistant", "content": ""}', "null"),
    (
        '{"content": "She said: \\"Gr\\u00fc\\u00dfe\\", \\u5c71\\u7530 \\ud83c\\udf88\\\\ '
        '\\u2028\\u007f\\u0001\\t/</script>"}',
        "null",
    ),
    ('{"content": " "}', "null"),
    ("{}", '"length"'),
)
VARIABLE = (
    (r'"chatcmpl-[0-9a-f]{32}"', '"ID"'),
    (r'("created": ?)\d{10}', r"\1CREATED"),
    (r'"lacuna-0-[0-9a-f]{8}"', '"FINGERPRINT"'),
)


class FixedEngine:
    """Answers TEXT, which the tiny random model would never say."""

    passes: frozenset[str] = frozenset()
    context, reads_pictures = 512, True
    answer = Answer(TEXT, (1, 2, 3), 17, "length", fired=True, ticket="T-1", score=0.9)

    async def stream(self, *_: Any) -> AsyncGenerator[str | Answer, None]:
        """TEXT in pieces, then the whole answer."""
        for piece in (TEXT, " ", self.answer):
            yield piece

    def stalled_s(self) -> float:
        """It never stalls."""
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def fixed(replica: Replica, erasers: dict[str, Eraser]) -> Iterator[Replica]:
    """A replica that serves the empty version and whose model says TEXT."""
    replica.publish(erasers["empty"])
    replica.watcher.look()
    engine = replica.context.engine
    fixed: AnswerEngine = FixedEngine()
    replica.context.engine = fixed
    yield replica
    replica.context.engine = engine


def settled(content: bytes) -> str:
    """The body without what differs from answer to answer."""
    text = content.decode()
    for pattern, name in VARIABLE:
        text = re.sub(pattern, name, text)
    return text


def test_whole_answer_has_the_same_bytes(fixed: Replica) -> None:
    response = fixed.ask("Hello!")
    assert settled(response.content) == WHOLE
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))


def test_streamed_answer_has_the_same_bytes(fixed: Replica) -> None:
    response = fixed.ask("Hello!", stream=True)
    events = "".join(EVENT.replace("DELTA", delta).replace("REASON", reason) for delta, reason in DELTAS)
    assert settled(response.content) == events + "data: [DONE]\n\n"
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_models_and_health_have_the_same_bytes(fixed: Replica) -> None:
    head = {"Authorization": f"Bearer {fixed.people.keys['casey']}"}
    listed = b'{"object":"list","data":[{"id":"demo-vlm","object":"model","created":0,"owned_by":"lacuna"}]}'
    for path, expected in (
        ("/v1/models", listed),
        ("/healthz", b'{"status":"alive"}'),
        ("/readyz", b'{"status":"ready","eraser":0}'),
    ):
        response = fixed.http.get(path, headers=head)
        assert (response.status_code, response.content) == (200, expected)
        assert response.headers["content-type"] == "application/json"


def test_refusal_has_the_same_members_in_the_same_order(fixed: Replica) -> None:
    body = {"model": "gpt-9", "messages": [{"role": "user", "content": "Hello!"}]}
    response = fixed.post(body)
    detail = f"There is no model gpt-9; this is {MODEL}."
    expected = {
        "type": "/v1/problems/not-found",
        "title": "What was asked for does not exist",
        "status": 404,
        "detail": detail,
        "param": "model",
        "reason": "model_not_found",
        "error": {
            "message": detail,
            "type": "invalid_request_error",
            "code": "model_not_found",
            "param": "model",
        },
        "request_id": response.headers["x-request-id"],
    }
    assert response.content == json.dumps(expected, ensure_ascii=False, separators=(",", ":")).encode()
