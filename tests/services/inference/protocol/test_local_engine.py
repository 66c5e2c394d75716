"""The official client against the engine of this process with a real, tiny model: what only a model can show."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from shared.erasure.eraser import Eraser
from tests.services.inference.conftest import MODEL, Replica

HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
SYSTEM_IN_BETWEEN: list[Any] = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": None},
    {"role": "developer", "content": "Be brief."},
    {"role": "assistant", "content": "Hello!"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "How are you?"},
]


@pytest.fixture
def client(replica: Replica, erasers: dict[str, Eraser], listening: Callable[[Any], str]) -> Iterator[openai.OpenAI]:
    """The client of a replica that serves an eraser that forgets nobody."""
    replica.publish(erasers["empty"])
    replica.watcher.look()
    url = listening(replica.http.app)
    with openai.OpenAI(base_url=f"{url}/v1", api_key=replica.people.keys["casey"], max_retries=0) as opened:
        yield opened


def test_sampling_is_what_was_asked_for(client: openai.OpenAI) -> None:
    def ask(**members: Any) -> list[str]:
        answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, **members)
        return [choice.message.content or "" for choice in answer.choices]

    assert len(set(ask(n=3, temperature=1.0, seed=3))) == 3
    assert ask(n=3, temperature=1.0, seed=3) == ask(n=3, temperature=1.0, seed=3)
    assert ask(temperature=1.0, seed=4) == ask(n=2, temperature=1.0, seed=3)[1:]
    assert ask(temperature=1.0) != ask(temperature=1.0)
    assert ask(temperature=2.0, top_p=0.0, seed=1) == ask()
    assert ask(frequency_penalty=2.0, presence_penalty=2.0) != ask()


def test_likelihoods_are_those_of_the_tokens(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 6, "logprobs": True, "top_logprobs": 3}
    whole = client.chat.completions.create(**options)
    assert whole.choices[0].logprobs is not None
    content = whole.choices[0].logprobs.content or []
    assert whole.usage is not None
    assert len(content) == whole.usage.completion_tokens
    for token in content:  # greedy: the token is the most likely one
        assert token.logprob == max(other.logprob for other in token.top_logprobs) <= 0.0
        assert len(token.top_logprobs) == 3
    streamed: list[Any] = []
    for chunk in client.chat.completions.create(**options, stream=True):
        logprobs = chunk.choices[0].logprobs
        streamed += (logprobs.content or []) if logprobs else []
    assert streamed == content


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_that_does_not_fit_is_refused_in_the_words_of_openai(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError, match=r"This model's maximum context length is \d+ tokens") as refused:
        client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=100_000, stream=stream)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")


def test_answer_without_a_limit_ends_with_the_context(client: openai.OpenAI, replica: Replica) -> None:
    assert replica.context.engine is not None
    long: list[Any] = [{"role": "user", "content": "Hello! " * 130}]
    answer = client.chat.completions.create(model=MODEL, messages=long)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens < replica.context.engine.context
    if answer.choices[0].finish_reason == "length":
        assert answer.usage.total_tokens == replica.context.engine.context


def test_any_order_of_roles_is_answered_or_refused_by_name(client: openai.OpenAI) -> None:
    refused = None
    try:
        client.chat.completions.create(model=MODEL, messages=SYSTEM_IN_BETWEEN, max_tokens=3)
    except openai.BadRequestError as exc:
        refused = exc
    assert refused is None or refused.param == "messages"
    assert client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=3).choices[0].finish_reason


def test_stop_words_end_an_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12).choices[0].message.content or ""
    words = whole.split()
    if len(words) > 2:
        stopped = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, stop=[words[2]])
        assert words[2] not in (stopped.choices[0].message.content or "")
