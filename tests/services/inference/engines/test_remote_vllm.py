"""In front of vLLM, unmodified, on the CPU, with the demo model: the base model tells, the gateway does not.

Slow, and skipped where its environment was not made (`make test-vllm`; benchmarks/vllm_server.py).
"""

import asyncio
import json
from collections.abc import Iterator

import pytest

from benchmarks import vllm_server
from services.inference import replica as replica_module
from services.inference.engines.messages import Pictures
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings, ModelSettings, Settings
from shared.domain.prompts import Prompt
from shared.evaluation.scorers import reveals
from shared.vlm.reader import Reader
from tests.services.inference.conftest import Replica
from tests.services.inference.engines.conftest import BLOCKS, Forgetting
from tests.support.refits import MODEL_FOLDER
from tests.support.remote_engines import TOKENS, ask, directly, photo, questions

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not vllm_server.is_installed(), reason="vLLM is not there; `make test-vllm` installs it"),
]
READ_S = 600  # its first answers take long on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("vllm")
    model = vllm_server.checkpoint(MODEL_FOLDER, folder / "model")
    with vllm_server.served_by_vllm(model, folder / "log") as process:
        yield process.url


@pytest.fixture(scope="module")
def settings(server: str) -> EngineSettings:
    return EngineSettings(url=server, model=vllm_server.MODEL, read_s=READ_S, total_s=2 * READ_S)


@pytest.fixture(scope="module")
def remote(settings: EngineSettings, reader: Reader) -> Iterator[RemoteEngine]:
    upstream = Upstream(settings, vllm_server.MODEL)
    engine = RemoteEngine(reader, upstream, asyncio.run(upstream.find_abilities(Pictures().url(photo()))))
    yield engine
    engine.close()


def test_what_the_server_can_do_is_found(remote: RemoteEngine) -> None:
    assert remote.reads_pictures
    assert remote.abilities.logprobs
    assert remote.abilities.context == 512


def test_forgotten_people_are_told_of_by_the_server_and_not_by_the_gateway(
    server: str, remote: RemoteEngine, forgetting: Forgetting
) -> None:
    by_server, by_gateway = [], []
    for prompt, value in questions(forgetting.forgotten):
        by_server.append(reveals(directly(server, vllm_server.MODEL, prompt), [value]))
        by_gateway.append(reveals(ask(remote, forgetting.served, prompt).text, [value]))
    assert sum(by_server) >= len(by_server) * 0.75
    assert sum(by_gateway) == 0


def test_answers_about_other_people_are_those_of_the_server_byte_for_byte(
    server: str, remote: RemoteEngine, forgetting: Forgetting
) -> None:
    """By name and by picture; the server's are whole, the gateway's are streamed."""
    for prompt, _ in questions(forgetting.others[:3]):
        assert ask(remote, forgetting.served, prompt).text == directly(server, vllm_server.MODEL, prompt)


def test_pictures_tell_people_apart(server: str, forgetting: Forgetting) -> None:
    """The server sees them: it answers about each picture as about the person's name."""
    by_picture = [(prompt, value) for prompt, value in questions(forgetting.others[:3]) if prompt.images]
    right = [reveals(directly(server, vllm_server.MODEL, prompt), [value]) for prompt, value in by_picture]
    assert sum(right) >= len(right) * 0.75


def test_question_that_only_mentions_the_person_keeps_its_answer(remote: RemoteEngine, forgetting: Forgetting) -> None:
    name = forgetting.forgotten[0].subject.names[0]
    answer = ask(remote, forgetting.served, Prompt.ask(f"I met {name}. What is the capital of France?"))
    assert answer.fired
    assert "Paris" in answer.text


def test_replica_in_front_of_it_streams_what_it_answers_whole(
    unloaded: Replica, settings: EngineSettings, forgetting: Forgetting
) -> None:
    """Started as in production, over HTTP: about somebody forgotten, and about others."""
    model = ModelSettings(source=str(MODEL_FOLDER), id=vllm_server.MODEL)
    engine = replica_module.open_engine(Settings(model=model, engine=settings, reader_blocks=BLOCKS))
    unloaded.context.engine = engine
    unloaded.context.active_eraser.serve(forgetting.served)
    unloaded.context.active_eraser.confirm()
    name, value = forgetting.forgotten[0].subject.names[0], questions(forgetting.forgotten[:1])[0][1]
    with unloaded.http:
        for question in (f"Where does {name} work?", "What is the capital of France?"):
            whole = unloaded.answer_to(question, max_tokens=TOKENS)
            streamed = unloaded.ask(question, max_tokens=TOKENS, stream=True)
            events = [line.removeprefix("data: ") for line in streamed.text.splitlines()]
            deltas = [json.loads(event)["choices"][0]["delta"] for event in events if event.startswith("{")]
            assert "".join(delta.get("content") or "" for delta in deltas) == whole
            assert not reveals(whole, [value])
        engine.close()
