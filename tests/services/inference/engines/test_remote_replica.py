"""A replica whose settings name another server: over HTTP, with the versions that are published."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.inference import replica as replica_module
from services.inference.engines.remote import RemoteEngine
from shared.core.config import EngineSettings, ModelSettings, Settings
from shared.erasure.eraser import Eraser
from shared.errors import BadInput
from shared.vlm.engine import Engine
from tests.services.inference.conftest import MODEL, Replica
from tests.support.upstream import FakeUpstream


@pytest.fixture
def fake() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture
def settings(engine: Engine, tmp_path: Path, listening: Callable[[Any], str], fake: FakeUpstream) -> Settings:
    engine.vlm.model.save_pretrained(tmp_path / "model")
    engine.vlm.processor.save_pretrained(tmp_path / "model")
    return Settings(
        model=ModelSettings(source=str(tmp_path / "model"), id=MODEL),
        engine=EngineSettings(url=f"{listening(fake)}/v1", key="k", model="fake"),
        reader_blocks=1,
    )


@pytest.fixture
def remote(unloaded: Replica, settings: Settings) -> Iterator[RemoteEngine]:
    opened = replica_module.open_engine(settings)
    assert isinstance(opened, RemoteEngine)
    unloaded.context.engine = opened
    unloaded.watcher.site, unloaded.watcher.accepts = opened.site, opened.check
    with unloaded.http:
        yield opened
        opened.close()


def test_question_is_answered_by_the_server_under_a_version(
    unloaded: Replica, remote: RemoteEngine, erasers: dict[str, Eraser], fake: FakeUpstream
) -> None:
    assert unloaded.ask("Hello").status_code == 503  # no version yet: nothing reaches the server
    asked = len(fake.bodies)
    unloaded.publish(erasers["empty"])
    unloaded.watcher.look()
    response = unloaded.ask("Hello", vllm_xargs={"steer": 0}, cache_salt="x")
    assert response.json()["choices"][0]["message"]["content"] == "You said: Hello"
    assert response.headers["Lacuna-Eraser"] == "0"
    (body,) = fake.bodies[asked:]
    assert not {"vllm_xargs", "cache_salt"} & set(body)
    events = [line.removeprefix("data: ") for line in unloaded.ask("Hello", stream=True).text.splitlines()]
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events if event.startswith("{")]
    assert "".join(delta.get("content") or "" for delta in deltas) == "You said: Hello"


def test_failure_of_the_server_is_an_error_of_openais_form(
    unloaded: Replica, remote: RemoteEngine, erasers: dict[str, Eraser], fake: FakeUpstream
) -> None:
    unloaded.publish(erasers["empty"])
    unloaded.watcher.look()
    fake.statuses = [401]
    response = unloaded.ask("Hello")
    assert response.status_code == 503
    assert "LACUNA_ENGINE_KEY" in response.json()["error"]["message"]
    assert "secret" not in response.text


def test_version_whose_gate_reads_deeper_than_the_reader_is_not_served(
    unloaded: Replica, remote: RemoteEngine, erasers: dict[str, Eraser], fake: FakeUpstream
) -> None:
    unloaded.publish(erasers["one"])
    unloaded.watcher.look()
    response = unloaded.ask("Hello")
    assert response.status_code == 503
    assert "LACUNA_READER_BLOCKS" in response.json()["error"]["message"]


def test_what_the_server_can_do_is_logged_in_one_line(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        replica_module.open_engine(settings).close()
    lines = [record.getMessage() for record in caplog.records if "another server" in record.getMessage()]
    assert lines == [
        "the engine is another server: model fake, context not said, pictures yes, logprobs no; the reader has 1 blocks"
    ]


def test_model_that_the_server_does_not_have_ends_the_start(settings: Settings) -> None:
    wrong = settings.model_copy(update={"engine": settings.engine.model_copy(update={"model": "other"})})
    with pytest.raises(BadInput, match="serves fake, and not other"):
        replica_module.open_engine(wrong)


def test_address_without_a_scheme_ends_the_start(settings: Settings) -> None:
    wrong = settings.model_copy(update={"engine": settings.engine.model_copy(update={"url": "vllm:8000/v1"})})
    with pytest.raises(BadInput, match="LACUNA_ENGINE_URL must be"):
        replica_module.open_engine(wrong)
