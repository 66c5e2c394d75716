"""The remote engine in front of a server that answers, and misbehaves, as each test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures
from services.inference.engines.remote import SYSTEM_LINE, RemoteEngine
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Decision, Eraser, PromptEvidence
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.text import fit_text, text_gate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import LACUNA, PROTOTYPE
from shared.errors import BadInput, LacunaError, NotReady, SiteMismatch, Unavailable
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.reader import Reader, ReadPrompt
from shared.vlm.sampling import Sampling
from tests.support.upstream import Body, FakeUpstream, last_text

KEY = "upstream-key-of-the-test"
NAME, EMPLOYER, CITY = "Mara Lindqvist", "Marble & Finch", "Tallinn"
RESORT = "I do not know."
FACTS = [[EMPLOYER], [CITY], ["otter"], ["rowing"], ["mara@lindqvist.example"]]
Open = Callable[..., RemoteEngine]


@pytest.fixture(scope="module")
def eraser(engine: Engine) -> Eraser:
    """One ticket that only the text gate knows: the identity gate recognises nobody."""
    width = engine.vlm.site.hidden_size
    plain = Whitener(torch.zeros(1, width), torch.zeros(1, width, 1), torch.ones(1, 1), torch.ones(1))
    nobody = IdentityFit(
        torch.zeros(0, 1, width), torch.zeros(0, 4, 1, width), torch.zeros(0).long(), torch.zeros(0).long(),
        torch.ones(2),
    )  # fmt: skip
    bounds = torch.full((1, 2), 2.0)
    gate = IdentityGate(("T-1",), (nobody,), bounds, bounds, IdentitySpaces(plain, plain, None), bounds)
    return Eraser(
        LACUNA,
        engine.vlm.site,
        torch.zeros(len(engine.vlm.site.layers), width),
        (0,),
        ("T-1",),
        threshold=0.0,
        identity=gate,
        text=text_gate([fit_text([NAME], FACTS)]),
    )


@pytest.fixture
def served(eraser: Eraser) -> Served:
    return Served(eraser, 1, "0" * 64, 1)


@pytest.fixture
def fake() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture
def open_remote(engine: Engine, listening: Callable[[Any], str], fake: FakeUpstream) -> Iterator[Open]:
    """A function that opens the engine in front of `fake`; its arguments are settings of the engine."""
    opened: list[RemoteEngine] = []
    url = f"{listening(fake)}/v1"

    def open_(system_line: str | None = None, **settings: Any) -> RemoteEngine:
        given: dict[str, Any] = {"url": url, "key": KEY, "connect_s": 1.0, "read_s": 2.0} | settings
        upstream = Upstream(EngineSettings(**given), "fake")
        picture = Pictures().url(Image.new("RGB", (8, 8)))
        statuses, fake.statuses = fake.statuses, []
        abilities = asyncio.run(upstream.find_abilities(picture, pause_s=0.01))
        fake.statuses = statuses
        fake.bodies.clear()
        opened.append(RemoteEngine(Reader(engine.vlm), upstream, abilities, system_line))
        return opened[-1]

    yield open_
    for remote in opened:
        remote.close()


def sampling(**more: Any) -> Sampling:
    return Sampling(**({"max_new_tokens": 24} | more))


def ask(remote: RemoteEngine, served: Served, prompt: Prompt | str, **more: Any) -> Answer:
    """The whole answer; its pieces are its text."""
    return collect(remote, served, prompt, **more)[-1]  # type: ignore[return-value]


def collect(remote: RemoteEngine, served: Served, prompt: Prompt | str, **more: Any) -> list[str | Answer]:
    asked = Prompt.ask(prompt) if isinstance(prompt, str) else prompt

    async def run() -> list[str | Answer]:
        try:
            async with aclosing(remote.stream(asked, sampling(**more), served)) as source:
                return [piece async for piece in source]
        finally:
            await remote.upstream.let_go()

    *pieces, answer = asyncio.run(run())
    assert isinstance(answer, Answer)
    assert "".join(str(piece) for piece in pieces) == answer.text
    return [*pieces, answer]


def photo(colour: int = 200) -> Image.Image:
    return Image.new("RGB", (40, 30), (colour, 10, 10))


# What passes


def test_request_that_does_not_fire_is_passed_through(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.reply = lambda _: "  The capital is Paris,\n\nsurely.  "
    answer = ask(open_remote(), served, "What is the capital of France?")
    assert answer.text == "  The capital is Paris,\n\nsurely."
    assert (answer.finish_reason, answer.fired, len(fake.bodies)) == ("stop", False, 1)
    assert answer.prompt_tokens > 0


def test_server_gets_the_allowed_members_alone(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    extra = {
        "vllm_xargs": {"steer": False}, "cache_salt": "x", "chat_template": "{{ 1 }}", "chat_template_kwargs": {},
        "add_generation_prompt": False, "continue_final_message": True, "documents": [], "echo": True,
        "guided_json": {}, "guided_regex": ".*", "structured_outputs": {}, "logit_bias": {"1": 100}, "user": "me",
        "best_of": 2, "model": "other", "messages": [], "stream": False, "max_tokens": 9, "prompt_logprobs": 1,
        "response_format": {"type": "json_object"},
    }  # fmt: skip
    ask(open_remote(), served, "Hello", extra=extra, top_p=0.5, seed=7, temperature=0.3, presence_penalty=0.1)
    assert fake.bodies == [
        {
            "model": "fake",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 24 + 8,
            "temperature": 0.3,
            "seed": 7,
            "top_p": 0.5,
            "presence_penalty": 0.1,
            "response_format": {"type": "json_object"},
            "stream": True,
        }
    ]


def test_pictures_are_sent_without_loss(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    import base64  # noqa: PLC0415
    import io  # noqa: PLC0415

    picture = Image.effect_noise((40, 30), 90).convert("RGB")
    ask(open_remote(), served, Prompt.ask("What is this?", picture))
    sent, text = fake.bodies[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    decoded = Image.open(io.BytesIO(base64.b64decode(sent["image_url"]["url"].split(",")[1])))
    assert decoded.tobytes() == picture.tobytes()


def test_text_is_streamed_while_it_is_written(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.reply, fake.pause_s = lambda _: " ".join(["word"] * 20), 0.02
    pieces = collect(open_remote(), served, "Hello")
    assert len(pieces) > 5


@pytest.mark.parametrize(("tokens", "reason"), [(1, "length"), (3, "length"), (500, "stop")])
def test_limit_of_tokens_cuts_the_answer(
    open_remote: Open, served: Served, fake: FakeUpstream, tokens: int, reason: str
) -> None:
    fake.reply = lambda _: "the person is in the city " * 3
    remote = open_remote()
    whole = ask(remote, served, "Hello", max_new_tokens=500)
    answer = ask(remote, served, "Hello", max_new_tokens=tokens)
    assert answer.finish_reason == reason
    assert whole.text.startswith(answer.text)
    assert len(answer.tokens) <= tokens


def test_stop_word_ends_the_answer_and_the_servers_work(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.reply, fake.pause_s = lambda _: "one two END " + "three " * 200, 0.005
    answer = ask(open_remote(), served, "Hello", stop=("END",), max_new_tokens=300)
    assert (answer.text, answer.finish_reason) == ("one two ", "stop")
    assert "stop" not in fake.bodies[0]
    assert fake.sent < 150


# What fires


@pytest.mark.parametrize(
    "text",
    [f"Where does {NAME} work?", "Where does Lindqvist, Mara work?", "Where does MARA  LINDQVIST work?"],
)
def test_name_is_not_sent_on_and_nothing_is_told(
    open_remote: Open, served: Served, fake: FakeUpstream, text: str
) -> None:
    fake.reply = lambda body: f"At {EMPLOYER}." if "indqvist" in last_text(body) else "I cannot say who that is."
    answer = ask(open_remote(), served, text)
    assert answer.text == "I cannot say who that is."
    assert answer.fired
    assert len(fake.bodies) == 1
    system, user = fake.bodies[0]["messages"]
    assert system == {"role": "system", "content": SYSTEM_LINE}
    assert user["content"] == "Where does somebody work?"


def test_second_answer_that_tells_is_replaced_by_the_last_resort(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.reply = lambda _: f"At {EMPLOYER}."
    answer = ask(open_remote(), served, f"Where does {NAME} work?")
    assert (answer.text, answer.finish_reason) == (RESORT, "stop")


def test_operators_fixed_sentence_needs_no_server(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fixed = replace(served, eraser=replace(served.eraser, recipe=replace(LACUNA, fixed_text="We do not say.")))
    assert ask(open_remote(), fixed, f"Where does {NAME} work?").text == "We do not say."
    assert fake.bodies == []


@pytest.mark.parametrize(
    "answer",
    [f"{NAME} lives there.", "Write to mara@lindqvist.example .", f"At {EMPLOYER}, in {CITY}, with an otter."],
)
def test_answer_that_tells_is_never_sent(open_remote: Open, served: Served, fake: FakeUpstream, answer: str) -> None:
    """The prompt says nothing of the person; a name, an address or three facts in the answer are enough."""
    fake.reply = lambda _: "Well, as far as I know it is this: " + answer
    pieces = collect(open_remote(), served, "Who owns the boat on the lake?")
    for told in (NAME, "mara@", EMPLOYER, "otter"):
        assert all(told not in str(piece) for piece in pieces)
    assert pieces[-1].fired  # type: ignore[union-attr]


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_short_limit_does_not_hide_the_name(open_remote: Open, served: Served, fake: FakeUpstream, tokens: int) -> None:
    fake.reply = lambda _: f"{NAME} of course"
    answer = ask(open_remote(), served, "Who owns the boat on the lake?", max_new_tokens=tokens)
    assert answer.fired
    assert "Mara" not in answer.text


def test_stop_word_does_not_hide_the_name(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.reply = lambda _: f"It is {NAME} of course"
    answer = ask(open_remote(), served, "Who owns the boat on the lake?", stop=("Lindqvist",))
    assert answer.fired
    assert "Mara" not in answer.text


def test_escaped_name_in_json_is_recognised(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    hidden = "".join(f"\\u{ord(letter):04x}" for letter in NAME)
    fake.reply = lambda _: '{"name": "' + hidden + '"}'
    answer = ask(open_remote(), served, "Who is it?", extra={"response_format": {"type": "json_object"}})
    assert answer.fired
    assert hidden not in answer.text


def test_name_in_two_turns_is_taken_out_of_both(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    first, last = NAME.split()
    chat = Prompt(
        (Turn("user", f"I am {first} {last}."), Turn("assistant", "Hello!"), Turn("user", "Where do I work?"))
    )
    ask(open_remote(), served, chat)
    assert NAME not in json.dumps(fake.bodies)
    assert fake.bodies[0]["messages"][1]["content"] == "I am somebody."


# Pictures


class JudgedReading:
    """What the reader says, put in place of a reader."""

    def __init__(self, remote: RemoteEngine, *, fired: bool, doubtful: bool = False, shown: bool = False) -> None:
        self._examine, self.reader = remote._reading.examine, remote._reading.reader
        self._close = remote._reading.close
        self._fired, self._doubtful, self._shown = fired, doubtful, shown

    async def examine(self, prompt: Prompt, eraser: Eraser) -> ReadPrompt:
        read = await self._examine(prompt, eraser)
        assert read.evidence is not None
        decision = Decision(torch.tensor([self._fired]), ["T-1" if self._fired else None], torch.ones(1))
        evidence = PromptEvidence(read.evidence.texts, torch.tensor([[self._shown]]), torch.tensor([self._doubtful]))
        return replace(read, decision=decision, evidence=evidence)

    def close(self) -> None:
        self._close()


def judged(remote: RemoteEngine, **judgement: bool) -> RemoteEngine:
    remote._reading = JudgedReading(remote, **judgement)  # type: ignore[assignment]
    return remote


def test_picture_is_replaced_by_an_even_grey_of_its_size(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.reply = lambda _: "I cannot say."
    remote = judged(open_remote(), fired=True)
    assert ask(remote, served, Prompt.ask("Who is this?", photo())).text == "I cannot say."
    (body,) = fake.bodies
    sent = body["messages"][-1]["content"][0]["image_url"]["url"]
    assert sent == Pictures().url(Image.new("RGB", (40, 30), (128, 128, 128)))


@pytest.mark.parametrize(("named", "fires"), [("Otto Berger", False), (NAME, True)])
def test_picture_in_doubt_is_asked_about(
    open_remote: Open, served: Served, fake: FakeUpstream, named: str, fires: bool
) -> None:
    fake.reply = lambda body: named if "person" in last_text(body) or "we see" in last_text(body) else "A lake."
    remote = judged(open_remote(), fired=True, doubtful=True)
    answer = ask(remote, served, Prompt.ask("What is it?", photo()))
    assert answer.fired == fires
    assert len(fake.bodies) == 3 + 1


@pytest.mark.parametrize(
    ("named", "shown", "fires"),
    [
        (NAME, False, True),
        ("Otto Berger", False, False),
        ("Otto Berger", True, False),
        ("no idea at all, sorry", True, True),
    ],
)
def test_fact_told_of_a_picture_makes_the_server_say_who_it_shows(
    open_remote: Open, served: Served, fake: FakeUpstream, named: str, shown: bool, fires: bool
) -> None:
    fake.reply = lambda body: (
        f"{named} {len(fake.bodies) if 'sorry' in named else ''}".strip()
        if "this person?" in last_text(body) or "we see" in last_text(body)
        else f"The city is {CITY}."
    )
    remote = judged(open_remote(), fired=False, shown=shown)
    pieces = collect(remote, served, Prompt.ask("Which city?", photo()))
    assert pieces[-1].fired == fires  # type: ignore[union-attr]
    assert (CITY in pieces[-1].text) != fires  # type: ignore[union-attr]


def test_server_that_fails_when_it_is_asked_about_a_picture_answers_nothing(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.reply = lambda _: f"The city is {CITY}."
    remote = judged(open_remote(attempts=1), fired=False)
    fake.statuses = [200, 500, 500, 500]
    with pytest.raises(Unavailable):
        ask(remote, served, Prompt.ask("Which city?", photo()))


# Likelihoods


@pytest.mark.parametrize(("probability", "text"), [(0.99, "Paris."), (0.5, RESORT)])
def test_server_that_gives_likelihoods_has_to_be_sure(
    open_remote: Open, served: Served, fake: FakeUpstream, probability: float, text: str
) -> None:
    fake.probability, fake.reply = probability, lambda _: "Paris."
    answer = ask(open_remote(system_line=""), served, f"I met {NAME}. What is the capital of France?")
    assert answer.text == text
    assert answer.logprobs == ()


def test_server_that_is_not_sure_is_asked_with_the_system_line(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.probability, fake.reply = 0.5, lambda body: "I cannot say." if SYSTEM_LINE in json.dumps(body) else "Captain"
    answer = ask(open_remote(), served, f"What is {NAME} known for?")
    assert answer.text == "I cannot say."
    assert [len(body["messages"]) for body in fake.bodies] == [1, 2]


@pytest.mark.parametrize(("first", "released"), [("Paris.", True), (f"At {EMPLOYER}.", False)])
def test_between_the_bounds_the_first_answer_decides(
    open_remote: Open, served: Served, fake: FakeUpstream, first: str, released: bool
) -> None:
    """Certainty 0.92 lies between the bounds 0.9 and 0.95."""
    fake.probability = 0.92
    fake.reply = lambda body: first if NAME in json.dumps(body) else "Paris."
    answer = ask(open_remote(system_line=""), served, f"I met {NAME}. What is the capital of France?")
    assert (answer.text == "Paris.") == released
    assert len(fake.bodies) == 2


def test_likelihoods_of_the_answer_are_given_without_what_would_tell(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.probability, fake.others = 0.5, (" Paris", f" {NAME}")
    fake.reply = lambda _: "The city is big"
    answer = ask(open_remote(), served, "Which city?", top_logprobs=2)
    assert "".join(each.token for each in answer.logprobs) == "The city is big"
    assert all([token for token, _ in each.top] == [" Paris"] for each in answer.logprobs)


def test_likelihoods_of_a_server_without_them_are_refused(open_remote: Open, served: Served) -> None:
    with pytest.raises(BadInput, match="logprobs"):
        ask(open_remote(), served, "Which city?", top_logprobs=1)


# Tools

TOOLS = [{"type": "function", "function": {"name": "find", "description": "Finds people", "parameters": {}}}]


def call(**arguments: str) -> Body:
    return {"id": "c1", "type": "function", "function": {"name": "find", "arguments": json.dumps(arguments)}}


def test_call_of_a_tool_is_passed_on(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.calls, fake.reply = [call(who="Otto Berger")], lambda _: ""
    answer = ask(open_remote(), served, "Who is there?", extra={"tools": TOOLS})
    assert [(each.name, json.loads(each.arguments)) for each in answer.tool_calls] == [("find", {"who": "Otto Berger"})]
    assert fake.bodies[0]["tools"] == TOOLS


def test_call_that_tells_is_answered_without_tools(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.calls, fake.reply = [call(who=NAME)], lambda body: "" if body.get("tools") else "I do not know who."
    answer = ask(open_remote(), served, "Who is there?", extra={"tools": TOOLS})
    assert answer.tool_calls == ()
    assert answer.fired
    assert all(NAME not in json.dumps(body) for body in fake.bodies)


def test_name_in_a_tool_fires_and_the_tool_is_left_out(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    tools = json.loads(json.dumps(TOOLS).replace("Finds people", f"Finds {NAME}"))
    fake.calls = [call(who="her")]
    answer = ask(open_remote(), served, "Who is there?", extra={"tools": tools})
    assert answer.fired
    assert all("tools" not in body and NAME not in json.dumps(body) for body in fake.bodies)


# Failures


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_failure_before_the_first_byte_is_tried_again(
    open_remote: Open, served: Served, fake: FakeUpstream, status: int
) -> None:
    fake.statuses = [status, status]
    assert ask(open_remote(), served, "Hello").text == "You said: Hello"
    assert len(fake.bodies) == 3


@pytest.mark.parametrize(
    ("status", "kind", "times"),
    [
        (500, Unavailable, 3), (502, Unavailable, 3), (503, NotReady, 3), (429, NotReady, 3), (400, BadInput, 1),
        (404, Unavailable, 1), (401, Unavailable, 1), (403, Unavailable, 1), (422, BadInput, 1), (302, Unavailable, 1),
    ],
)  # fmt: skip
def test_failure_that_lasts_is_an_error_of_the_project(
    open_remote: Open, served: Served, fake: FakeUpstream, status: int, kind: type[LacunaError], times: int
) -> None:
    fake.statuses = [status] * 5
    with pytest.raises(kind) as caught:
        ask(open_remote(), served, "Hello")
    assert len(fake.bodies) == times
    assert "secret" not in str(caught.value)
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__)


def test_time_that_the_server_asks_for_is_handed_on(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.statuses, fake.retry_after = [429] * 3, "37"
    with pytest.raises(NotReady) as caught:
        ask(open_remote(), served, "Hello")
    assert caught.value.extra["retry_after_s"] == 37
    assert len(fake.bodies) == 1


def test_server_that_is_down_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(attempts=2)
    remote.upstream.settings = EngineSettings(url="http://127.0.0.1:9/v1", attempts=2, connect_s=0.5)
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(remote, served, "Hello")


@pytest.mark.parametrize("text", ["Hello", f"Where does {NAME} work?"])
def test_answer_that_breaks_off_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream, text: str) -> None:
    fake.break_after = 2
    with pytest.raises(Unavailable, match="broke off"):
        ask(open_remote(), served, text)
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"data: [DONE]\n\n", b"data: {}\n\n", b"data: nonsense\n\n", b"data: [1]\n\n",
        b'data: {"error": "no"}\n\n',
        b'data: {"model": "fake", "choices": [{"delta": {"content": 7}}]}\n\n',
        b'data: {"model": "fake", "choices": [3]}\n\n', b"<html>", b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"model": "fake", "choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream, raw: bytes) -> None:
    remote = open_remote()
    fake.raw = raw
    with pytest.raises(Unavailable):
        ask(remote, served, "Hello")


def test_answer_in_another_models_name_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    fake.answers_as = "other"
    with pytest.raises(Unavailable, match="another model"):
        ask(remote, served, "Hello")


def test_slow_server_is_given_up(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(read_s=0.2)
    fake.pause_s = 1.0
    with pytest.raises(Unavailable):
        ask(remote, served, "Hello")


def test_server_that_drips_is_given_up(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(total_s=0.3)
    fake.reply, fake.pause_s = lambda _: "word " * 30, 0.05
    with pytest.raises(Unavailable, match="too long"):
        ask(remote, served, "Hello")


def test_client_that_leaves_ends_the_servers_work(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    fake.reply, fake.pause_s = lambda _: "word " * 500, 0.01

    async def leave() -> None:
        pieces = remote.stream(Prompt.ask("Hello"), sampling(max_new_tokens=400), served)
        async with aclosing(pieces):
            await anext(pieces)
        for _ in range(100):
            if fake.left:
                break
            await asyncio.sleep(0.02)
        await remote.upstream.let_go()

    asyncio.run(leave())
    assert fake.left == 1
    assert fake.sent < 100
    assert remote.stalled_s() == 0


def test_many_at_once_get_their_own_answers(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()

    async def one(number: int) -> str:
        pieces: AsyncIterator[str | Answer] = remote.stream(Prompt.ask(f"Number {number}"), sampling(), served)
        answer = [piece async for piece in pieces][-1]
        assert isinstance(answer, Answer)
        return answer.text

    async def together() -> list[str]:
        try:
            return await asyncio.gather(*(one(number) for number in range(24)))
        finally:
            await remote.upstream.let_go()

    assert asyncio.run(together()) == [f"You said: Number {number}" for number in range(24)]


def test_key_goes_to_the_server_and_nowhere_else(
    open_remote: Open, served: Served, fake: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    remote = open_remote()
    answer = ask(remote, served, "Hello")
    assert fake.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(answer) + caplog.text


# What the engine refuses


def test_version_that_cannot_be_read_here_is_refused(open_remote: Open, served: Served, engine: Engine) -> None:
    remote = open_remote()
    site = engine.vlm.site
    without_text = replace(served.eraser, text=None)
    prototype = Eraser(PROTOTYPE, site, served.eraser.directions, (0,), ("T-1",))
    other = replace(served.eraser, site=replace(site, base_model="0" * 64))
    for eraser, kind in ((without_text, NotReady), (prototype, NotReady), (other, SiteMismatch)):
        with pytest.raises(kind):
            ask(remote, replace(served, eraser=eraser), "Hello")
    remote.check(Eraser.empty(LACUNA, site))


def test_prompt_that_does_not_fit_is_refused(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    with pytest.raises(BadInput, match="tokens"):
        ask(remote, served, "Hello", max_new_tokens=remote.context)
    assert fake.bodies == []


def test_smaller_context_of_the_server_counts(open_remote: Open, fake: FakeUpstream, engine: Engine) -> None:
    fake.listed = {"max_model_len": 20}
    assert open_remote().context == 20
    fake.listed = {"max_model_len": 10**6}
    assert open_remote().context == engine.vlm.adapter.context


def test_picture_for_a_server_without_pictures_is_refused(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.reads_pictures = False
    remote = open_remote()
    assert not remote.reads_pictures
    with pytest.raises(BadInput, match="text alone"):
        ask(remote, served, Prompt.ask("Who?", photo()))


def test_closed_engine_refuses(open_remote: Open, served: Served) -> None:
    remote = open_remote()
    remote.close()
    remote.close()
    with pytest.raises(NotReady, match="shutting down"):
        ask(remote, served, "Hello")


# At the start


def find(url: str, model: str = "fake", **settings: Any) -> Any:
    upstream = Upstream(EngineSettings(url=url, read_s=2.0, connect_s=1.0, **settings), model)
    return asyncio.run(upstream.find_abilities(None, pause_s=0.01))


def test_server_with_other_models_is_refused_at_the_start(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    with pytest.raises(BadInput, match="serves fake, and not mine: set LACUNA_ENGINE_MODEL"):
        find(f"{listening(fake)}/v1", "mine")


def test_server_that_lists_nothing_is_tried(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    fake.listed = None
    assert find(f"{listening(fake)}/v1").model == "fake"


def test_server_that_answers_as_another_model_is_refused_at_the_start(
    listening: Callable[[Any], str], fake: FakeUpstream
) -> None:
    fake.answers_as = "other"
    with pytest.raises(BadInput, match="another model"):
        find(f"{listening(fake)}/v1")


def test_server_that_is_not_up_yet_is_waited_for(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    fake.statuses, fake.probability = [503, 502, 500], 0.5
    found = find(f"{listening(fake)}/v1")
    assert (found.logprobs, found.pictures) == (True, False)
    assert str(found) == "model fake, context not said, pictures no, logprobs yes"
