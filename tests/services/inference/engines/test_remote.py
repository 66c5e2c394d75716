"""The remote engine in front of a server that answers as each test wants: what passes, what fires, what is watched."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from services.inference.active_eraser import Served
from services.inference.engines.messages import Pictures
from services.inference.engines.remote import SYSTEM_LINE, RemoteEngine
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Decision, Eraser, ReleaseBounds
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput, Unavailable
from shared.vlm.reader import ReadPrompt
from tests.support.remote_engines import CITY, EMPLOYER, NAME, RESORT, Open, ask, collect, photo
from tests.support.upstream import Body, FakeUpstream, last_text

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


def test_question_beside_a_mention_is_answered_as_without_it(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    """The server is not told of the person where another question stands beside the mention and it is sure."""
    fake.reply, fake.probability = lambda _: "Paris.", 0.99
    answer = ask(open_remote(), served, f"I met {NAME} yesterday. What is the capital of France?")
    assert (answer.text, answer.fired, answer.reading) == ("Paris.", True, "omitted")
    assert [last_text(body) for body in fake.bodies] == ["What is the capital of France?"]


@pytest.mark.parametrize(("beside", "given"), [("Paris.", True), (f"At {EMPLOYER}.", False)])
def test_server_that_is_fairly_sure_has_to_say_the_same_with_the_mention(
    open_remote: Open, served: Served, fake: FakeUpstream, beside: str, given: bool
) -> None:
    between = replace(served, eraser=replace(served.eraser, release=ReleaseBounds(0.5, 0.95)))
    fake.reply, fake.probability = lambda body: beside if NAME in last_text(body) else "Paris.", 0.8
    answer = ask(open_remote(), between, f"I met {NAME} yesterday. What is the capital of France?")
    assert (answer.reading == "omitted") == given
    assert EMPLOYER not in answer.text


@pytest.mark.parametrize("said", [f"At {EMPLOYER}.", "I do not know who that is.", "at at at at at at at at at at"])
def test_answer_without_the_mention_that_tells_or_declines_is_not_given(
    open_remote: Open, served: Served, fake: FakeUpstream, said: str
) -> None:
    fake.reply, fake.probability = lambda _: said, 0.99
    answer = ask(open_remote(), served, f"I met {NAME} yesterday. Where does she work?")
    assert answer.reading != "omitted"
    assert EMPLOYER not in answer.text


def test_server_that_says_no_likelihoods_is_not_asked_without_the_mention(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.reply = lambda _: "Paris."
    answer = ask(open_remote(), served, f"I met {NAME} yesterday. What is the capital of France?")
    assert answer.reading == "line"
    assert NAME not in json.dumps(fake.bodies)


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
        evidence = replace(read.evidence, shown=torch.tensor([[self._shown]]), doubtful=torch.tensor([self._doubtful]))
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
    assert len(fake.bodies) == (2 if released else 3)  # the first answer is asked for once


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
