"""Chat templates: from the turns of a chat to the text that a model reads.

Templates differ in what they accept: message contents as strings or as lists of parts, chats with or without a system
turn, a switch that turns off thinking aloud. What a template accepts is tried out once, with a short chat; no list of
families says it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateError

from shared.domain.prompts import Turn
from shared.errors import BadInput

SWITCHES: Final = ("enable_thinking", "thinking")  # variables of templates (Qwen3 and SmolLM3; Granite and DeepSeek)
USER, SYSTEM = "Plorvick probe.", "Zanthule probe."  # words that no template contains
ERRORS: Final = (TemplateError, TypeError, ValueError, LookupError, AttributeError)  # a template is a small program


@dataclass(frozen=True)
class TemplateTraits:
    """What a chat template accepts.

    `parts`: contents are lists of parts, not strings. `system_turns`: a system turn is rendered; else it is refused or
    left out. `switches`: variables that keep the model from thinking aloud.
    """

    parts: bool
    system_turns: bool
    switches: Mapping[str, bool]


def traits_of(processor: Any) -> TemplateTraits:
    """What the processor's chat template accepts. Raises BadInput where there is none, or one that renders no chat."""
    return _traits(processor, template_of(processor))


def template_of(processor: Any) -> str:
    """The chat template, of the processor or else its tokenizer; of several, the one named "default".

    Raises BadInput where there is none.
    """
    template = processor.chat_template or processor.tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise BadInput(
            "The model has no chat template, so it cannot be told who says what: take the instruction-tuned model of "
            "the same name, or put the template that it was trained with into the file chat_template.jinja beside it."
        )
    return str(template)


def render(processor: Any, turns: Sequence[Turn], *, generation_prompt: bool = True) -> str:
    """The chat as the model reads it. System turns stand before the next user turn where the template has none.

    Raises BadInput for a chat that the template refuses, for example one whose roles do not alternate.
    """
    traits = traits_of(processor)
    attempts = [turns] if traits.system_turns else []
    if not traits.system_turns or any(turn.role == "system" for turn in turns[1:]):  # some allow it at the start only
        attempts.append(without_system_turns(turns))
    reason = ""
    for chat in attempts:
        try:
            return _apply(processor, chat, traits, generation_prompt=generation_prompt)
        except ERRORS as exc:
            reason = reason or str(exc)
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
    reason = "it leaves out what the user says"
    for parts in forms:
        traits = TemplateTraits(parts, system_turns=True, switches=switches)
        try:
            if not _renders(processor, [Turn("user", USER)], traits):
                continue
        except ERRORS as exc:
            reason = str(exc)
            continue
        try:
            return replace(
                traits, system_turns=_renders(processor, [Turn("system", SYSTEM), Turn("user", USER)], traits)
            )
        except ERRORS:
            return replace(traits, system_turns=False)
    raise BadInput(f"The model's chat template cannot be used: {reason}.")


def _renders(processor: Any, turns: Sequence[Turn], traits: TemplateTraits) -> bool:
    """Whether the rendered chat has all texts as they are, and not a list of parts written out."""
    text = _apply(processor, turns, traits, generation_prompt=True)
    return all(turn.text in text for turn in turns) and "'type':" not in text


def _apply(processor: Any, turns: Sequence[Turn], traits: TemplateTraits, *, generation_prompt: bool) -> str:
    messages = [{"role": turn.role, "content": _parts(turn) if traits.parts else turn.text} for turn in turns]
    rendered: str = processor.apply_chat_template(
        messages,
        chat_template=template_of(processor),
        add_generation_prompt=generation_prompt,
        tokenize=False,
        **traits.switches,
    )
    return rendered


def _parts(turn: Turn) -> list[dict[str, str]]:
    return [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}]
