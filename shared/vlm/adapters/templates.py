"""Chat templates: from the turns of a chat to the text that a model reads.

Templates differ in what they accept: message contents as strings or as lists of parts, chats with or without a system
turn, a switch that turns off thinking aloud. What a template accepts is tried out once, with a short chat; no list of
families says it.

The same chat has to become the same text all day: an answer is compared with an earlier one, and a name is found in one
rendering and hidden in another. So a template that asks for the time (`strftime_now`) is told the beginning of the day.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateError

from shared.domain.prompts import Turn
from shared.errors import BadInput

SWITCHES: Final = ("enable_thinking", "thinking")  # variables of templates (Qwen3 and SmolLM3; Granite and DeepSeek)
# Words that no template contains, with what one might change: capitals inside, quotes, signs of HTML, length.
USER: Final = f'Plorvick O\'Zhûl-McPROBE & "Søn" <3, {"again and " * 40}1 + 1 = 2.'
SYSTEM: Final = 'Zanthule O\'Zhûl-McPROBE & "Søn" <3.'
LONG: Final = f"Plorvick. {'And again. ' * 2000}Zanthule."  # characters
# A chat of many turns, as long as any that is cut off by a template.
TALK: Final = (
    *(Turn("assistant" if place % 2 else "user", f"Plorvick Zanthule {place}.") for place in range(40)),
    Turn("user", LONG),
)
CHANGES: Final = "it leaves out or changes what the user says"
ERRORS: Final = (  # a template is a small program
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)
TRIES: Final = 4  # renderings of one chat, which have to be the same
MORNING, EVENING = time(), time(22, 47, 58, 123456)
CLOCK: Final = re.compile(r"""strftime_now\(\s*(?P<quote>['"])(?P<form>[^'"]*)(?P=quote)\s*\)""")
REMEDY: Final = "Put the template that the model was trained with into the file chat_template.jinja beside it."


@dataclass(frozen=True)
class TemplateTraits:
    """What a chat template accepts.

    `parts`: contents are lists of parts, not strings. `system_turns`: a system turn is rendered; else it is refused or
    left out. `switches`: variables that keep the model from thinking aloud. `time_of_day`: the time is written, not the
    day alone. `opens_thought`: the answer begins inside a thought (`<think>`), so that it has the closing tag only.
    """

    parts: bool
    system_turns: bool
    switches: Mapping[str, bool]
    time_of_day: bool = False
    opens_thought: bool = False


def traits_of(processor: Any) -> TemplateTraits:
    """What the processor's chat template accepts. Raises BadInput where there is none, or one that renders no chat."""
    return _traits(processor, template_of(processor))


def template_of(processor: Any) -> str:
    """The chat template, of the processor or else its tokenizer; of several, the one named "default".

    Raises BadInput where there is none.
    """
    template = processor.chat_template or processor.tokenizer.chat_template
    if isinstance(template, dict):
        if template and "default" not in template:
            raise BadInput(
                f"The model has chat templates named {', '.join(sorted(template))}, and none named default: "
                "put the one for a plain chat into the file chat_template.jinja beside it."
            )
        template = template.get("default")
    if not template or not isinstance(template, str):
        raise BadInput(
            "The model has no chat template, so it cannot be told who says what: take the instruction-tuned model of "
            "the same name, or put the template that it was trained with into the file chat_template.jinja beside it."
        )
    return template


def render(processor: Any, turns: Sequence[Turn], *, generation_prompt: bool = True) -> str:
    """The chat as the model reads it. System turns stand before the next user turn where the template has none.

    Raises BadInput for a chat that the template refuses, for example one whose roles do not alternate, and where it
    does not write what the user says: without a name that it takes out, the question would be answered in silence.
    """
    traits = traits_of(processor)
    attempts = [turns] if traits.system_turns else []
    if not traits.system_turns or any(turn.role == "system" for turn in turns[1:]):  # some allow it at the start only
        attempts.append(without_system_turns(turns))
    reason = ""
    for chat in attempts:
        try:
            text = _apply(processor, chat, traits, generation_prompt=generation_prompt)
        except ERRORS as exc:
            reason = reason or str(exc)
            continue
        if not _written([turn.text for turn in chat if turn.role == "user"], text):
            raise BadInput(f"The model's chat template cannot be used for this chat: {CHANGES}. {REMEDY}")
        return text
    raise BadInput(f"The model's chat template refuses this chat: {reason}")


def without_system_turns(turns: Sequence[Turn]) -> list[Turn]:
    """The same chat with each system text before the text of the next user turn, which is added where none follows."""
    chat: list[Turn] = []
    waiting: list[str] = []
    for turn in turns:
        if turn.role == "system":
            waiting.append(turn.text)
        elif turn.role == "user" and waiting:
            chat.append(replace(turn, text="\n\n".join([*waiting, turn.text])))
            waiting = []
        else:
            chat.append(turn)
    return [*chat, Turn("user", "\n\n".join(waiting))] if waiting else chat


@lru_cache(maxsize=16)
def _traits(processor: Any, template: str) -> TemplateTraits:
    switches = {name: False for name in SWITCHES if name in template}
    # A processor for pictures takes parts. Of a text-only template, strings are the older and more common form.
    forms = (True, False) if processor.image_processor is not None else (False, True)
    reasons: list[str] = []
    for parts in forms:
        traits = TemplateTraits(parts, system_turns=True, switches=switches)
        try:
            if _renders(processor, [Turn("user", USER)], traits):
                return _described(processor, traits)
            reasons.insert(0, CHANGES)
        except ERRORS as exc:
            reasons.append(" ".join(str(exc).split()).rstrip(".") or type(exc).__name__)
    raise BadInput(f"The model's chat template cannot be used: {reasons[0]}. {REMEDY}")


def _described(processor: Any, traits: TemplateTraits) -> TemplateTraits:
    """All traits of a template that takes a user's turn as `traits` say.

    Raises BadInput where it writes at random, or not all that is said in a long chat.
    """
    asked = [Turn("user", USER)]
    renderings = [_apply(processor, asked, traits, generation_prompt=True) for _ in range(TRIES)]
    if len(set(renderings)) > 1:
        raise BadInput(f"The model's chat template writes something else each time that it is used. {REMEDY}")
    if not _keeps(processor, TALK, traits, refused=True):
        raise BadInput(f"The model's chat template cannot be used: it leaves out or changes part of a chat. {REMEDY}")
    system = Turn("system", SYSTEM)
    system_turns = _keeps(processor, [system, *asked], traits) and _keeps(
        processor, [system, *TALK], traits, refused=True
    )
    return replace(
        traits,
        system_turns=system_turns,
        time_of_day=_apply(processor, asked, traits, generation_prompt=True, at=EVENING) != renderings[0],
        opens_thought=renderings[0].rstrip().endswith(("<think>", "<thinking>")),
    )


def _keeps(processor: Any, turns: Sequence[Turn], traits: TemplateTraits, *, refused: bool = False) -> bool:
    """`_renders`, with `refused` as the answer for a chat that the template refuses."""
    try:
        return _renders(processor, turns, traits)
    except ERRORS:
        return refused


def _renders(processor: Any, turns: Sequence[Turn], traits: TemplateTraits) -> bool:
    """Whether the rendered chat has all texts as they are, and not a list of parts written out.

    A system text may stand anywhere: Mistral's templates write it before the last user text.
    """
    text = _apply(processor, turns, traits, generation_prompt=True)
    said = [turn.text for turn in turns if turn.role != "system"]
    system = [turn.text for turn in turns if turn.role == "system"]
    return _written(said, text) and all(each in text for each in system) and "'type':" not in text


def _written(said: Sequence[str], text: str) -> bool:
    """Whether `text` has all that was said, in its order; many templates remove the blanks around it."""
    place = 0
    for each in said:
        found = text.find(each.strip(), place)
        if found < 0:
            return False
        place = found + len(each.strip())
    return True


def _apply(
    processor: Any, turns: Sequence[Turn], traits: TemplateTraits, *, generation_prompt: bool, at: time = MORNING
) -> str:
    """The chat, rendered as if it were that time of today."""
    messages = [{"role": turn.role, "content": _parts(turn) if traits.parts else turn.text} for turn in turns]
    rendered: str = processor.apply_chat_template(
        messages,
        chat_template=_with_clock(template_of(processor), at),
        add_generation_prompt=generation_prompt,
        tokenize=False,
        **traits.switches,
    )
    return rendered


def _with_clock(template: str, at: time) -> str:
    """The template with each `strftime_now("...")` as what it gives today, as the machine counts days, at that time.

    transformers gives no function to a template but its own.
    """
    now = datetime.combine(datetime.now(UTC).astimezone().date(), at)
    return CLOCK.sub(lambda call: json.dumps(now.strftime(call["form"]), ensure_ascii=False), template)


def _parts(turn: Turn) -> list[dict[str, str]]:
    return [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}]
