"""In front of `transformers serve`, unmodified, with the demo model: the base model tells, the gateway does not."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.engine_process import engine_process
from services.inference.engines.messages import Pictures
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt, Turn
from shared.evaluation.scorers import reveals
from shared.vlm.reader import Reader
from tests.services.inference.engines.conftest import Forgetting
from tests.support.refits import MODEL_FOLDER
from tests.support.remote_engines import ask, directly, photo, questions

STARTS_S = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve models/demo-vlm`; its base URL."""
    pytest.importorskip("openai", reason="the extra `serving` of transformers")
    program = Path(sys.executable).parent / "transformers"
    options = ("--host", "127.0.0.1", "--device", "cpu", "--dtype", "float32")
    with engine_process(
        lambda port: [program, "serve", MODEL_FOLDER, "--port", str(port), *options],
        tmp_path_factory.mktemp("serve") / "log",
        ready="/health",
        starts_s=STARTS_S,
    ) as process:
        yield process.url


@pytest.fixture(scope="module")
def remote(server: str, reader: Reader) -> Iterator[RemoteEngine]:
    upstream = Upstream(EngineSettings(url=server, key="upstream-key"), str(MODEL_FOLDER))
    abilities = asyncio.run(upstream.find_abilities(Pictures().url(photo())))
    engine = RemoteEngine(reader, upstream, abilities)
    yield engine
    engine.close()


def test_what_the_server_can_do_is_found(remote: RemoteEngine) -> None:
    assert remote.abilities.pictures
    assert not remote.abilities.logprobs
    assert remote.reads_pictures
    assert remote.context > 0


def test_forgotten_people_are_told_of_by_the_server_and_not_by_the_gateway(
    server: str, remote: RemoteEngine, forgetting: Forgetting
) -> None:
    by_server, by_gateway = [], []
    for prompt, value in questions(forgetting.forgotten):
        by_server.append(reveals(directly(server, str(MODEL_FOLDER), prompt), [value]))
        by_gateway.append(reveals(ask(remote, forgetting.served, prompt).text, [value]))
    assert sum(by_server) >= len(by_server) * 0.75
    assert sum(by_gateway) == 0


def test_answers_about_other_people_are_those_of_the_server_byte_for_byte(
    server: str, remote: RemoteEngine, forgetting: Forgetting
) -> None:
    for prompt, _ in questions(forgetting.others[:3]):
        assert ask(remote, forgetting.served, prompt).text == directly(server, str(MODEL_FOLDER), prompt)


@pytest.mark.parametrize("form", ["{1}, {0}", "{0} Maria {1}", "{0} of the {1} family"])
def test_name_in_another_spelling_is_not_told_of(remote: RemoteEngine, forgetting: Forgetting, form: str) -> None:
    for person in forgetting.forgotten:
        first, last = person.subject.names[0].split(" ", 1)
        facts = {fact.attribute: fact.value for fact in person.subject.facts}
        answer = ask(remote, forgetting.served, Prompt.ask(f"Where does {form.format(first, last)} work?"))
        assert not reveals(answer.text, [facts["employer"]])


def test_person_of_an_earlier_turn_is_not_told_of(remote: RemoteEngine, forgetting: Forgetting) -> None:
    person = forgetting.forgotten[0]
    facts = {fact.attribute: fact.value for fact in person.subject.facts}
    chat = Prompt(
        (
            Turn("user", f"I am {person.subject.names[0]}."),
            Turn("assistant", "Hello!"),
            Turn("user", "In which city does this person live?"),
        )
    )
    assert not reveals(ask(remote, forgetting.served, chat).text, [facts["city"]])


def test_question_that_only_mentions_the_person_keeps_its_answer(
    remote: RemoteEngine, forgetting: Forgetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a system line, which this small model has never seen and which confuses it."""
    monkeypatch.setattr(remote, "_line", "")
    name = forgetting.forgotten[0].subject.names[0]
    answer = ask(remote, forgetting.served, Prompt.ask(f"I met {name}. What is the capital of France?"))
    assert answer.fired
    assert "Paris" in answer.text


@pytest.mark.parametrize("tokens", [1, 2])
def test_limit_of_tokens_does_not_hide_what_is_about_to_be_said(
    server: str, remote: RemoteEngine, forgetting: Forgetting, tokens: int
) -> None:
    person = forgetting.forgotten[0]
    email = next(fact.value for fact in person.subject.facts if fact.attribute == "email")
    prompt = Prompt.ask(f"Who has the e-mail {email}?")
    assert reveals(directly(server, str(MODEL_FOLDER), prompt), [person.subject.names[0]])
    answer = ask(remote, forgetting.served, prompt, max_new_tokens=tokens)
    assert not person.subject.names[0].startswith(answer.text.strip())
