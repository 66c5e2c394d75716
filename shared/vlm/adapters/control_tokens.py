"""Control tokens that somebody types: read as the text that they are, never as the end of a turn.

A tokenizer takes `<|im_end|>` in a message for the token that ends a turn, so that a message, or a name in a ticket,
could write turns of its own. Here such a piece of text is encoded as plain text instead. It is not refused, since
`<s>` is also HTML, and since one name or retain prompt must not stop a whole refit. Only tokens that stand for
pictures are refused (`processed` in base.py): the processor would look for the picture.

transformers has the same (`sanitize_control_tokens`), without offsets, by which names are found among the tokens, and
not for a tokenizer that writes the beginning-of-text token itself, as LLaVA-1.5's does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from tokenizers import Tokenizer

from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput
from shared.vlm.adapters.templates import render, template_of

STAND_IN: Final = "\U000f5a5a"  # a private-use character, which no chat template looks for
PROBE: Final = (Turn("user", "Plorvick."), Turn("assistant", "Zanthule."), Turn("user", "Plorvick."))


@dataclass(frozen=True)
class TextToken:
    """A token and the span [start, end) of the rendered chat that it stands for."""

    id: int
    start: int
    end: int


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens of a model: `special` in its tokenizer, or written by its chat template around turns.

    `pattern` finds them in a text. `plain` is the tokenizer without them.
    """

    ids: frozenset[int]
    pattern: re.Pattern[str]
    plain: Tokenizer

    def typed(self, prompt: Prompt) -> bool:
        """Whether a message holds one."""
        return any(self.pattern.search(turn.text) for turn in prompt.turns)

    def as_text(self, text: str) -> list[int]:
        """The tokens of `text` without any control token. Raises BadInput where the tokenizer has no other tokens."""
        ids = self._after_a_line_break(text)
        if not self.ids.isdisjoint(ids):  # not special in the tokenizer: character by character
            ids = [token for letter in text for token in self._after_a_line_break(letter)]
        if not self.ids.isdisjoint(ids):
            raise BadInput(f"A message may not contain the text {text}.")
        return ids

    def _after_a_line_break(self, text: str) -> list[int]:
        """Its tokens inside a text: at the beginning of one, SentencePiece would add a space."""
        alone, line_break, whole = (
            list[int](self.plain.encode(part, add_special_tokens=False).ids) for part in (text, "\n", f"\n{text}")
        )
        return whole[len(line_break) :] if whole[: len(line_break)] == line_break else alone


def control_tokens_of(processor: Any) -> ControlTokens:
    """The control tokens of the processor's tokenizer under its chat template."""
    return _control_tokens(processor, template_of(processor))


@lru_cache(maxsize=16)
def _control_tokens(processor: Any, _: str) -> ControlTokens:
    tokenizer = processor.tokenizer
    frame = set(tokenizer(render(processor, PROBE, generation_prompt=False), add_special_tokens=False)["input_ids"])
    contents = {
        number: token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or (number in frame and not token.content.isspace())  # Gemma has added tokens of line breaks
    }
    longest_first = sorted(contents.values(), key=len, reverse=True)
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.encode_special_tokens = True
    plain.no_padding()
    plain.no_truncation()
    return ControlTokens(
        ids=frozenset(contents),
        pattern=re.compile("|".join(map(re.escape, longest_first)) or "(?!)"),  # (?!) never matches
        plain=plain,
    )


def text_tokens(processor: Any, prompt: Prompt, *, add_special_tokens: bool) -> list[TextToken]:
    """The rendered chat's tokens with their places; what somebody typed is text. For a fast tokenizer only."""
    return [
        TextToken(number, token.start, token.end)
        for token, written in _read(processor, prompt, add_special_tokens=add_special_tokens)
        for number in ([token.id] if written is None else written)
    ]


def with_typed_as_text(
    processor: Any, prompt: Prompt, ids: Sequence[int], *, add_special_tokens: bool, pictures: frozenset[int]
) -> list[int]:
    """`ids`, which the processor made of the prompt, with each typed control token as text.

    `pictures` are the control tokens that stand for pictures: the processor repeats them as it needs.
    Raises BadInput where it writes further control tokens, so that they cannot be told from those that are typed.
    """
    control = control_tokens_of(processor)
    if not control.typed(prompt):
        return list(ids)
    counted = control.ids - pictures
    read = [
        (token.id, written)
        for token, written in _read(processor, prompt, add_special_tokens=add_special_tokens)
        if token.id in counted
    ]
    if [number for number, _ in read] != [number for number in ids if number in counted]:
        raise BadInput("A message may not contain a control token of the model beside a picture.")
    following = iter(read)
    plain: list[int] = []
    for number in ids:
        written = next(following)[1] if number in counted else None
        plain += [number] if written is None else written
    return plain


def _read(processor: Any, prompt: Prompt, *, add_special_tokens: bool) -> list[tuple[TextToken, list[int] | None]]:
    """Each token that the tokenizer reads in the rendered chat; for a typed control token, the tokens of its text."""
    text = render(processor, prompt.turns)
    encoding = processor.tokenizer(text, return_offsets_mapping=True, add_special_tokens=add_special_tokens)
    control = control_tokens_of(processor)
    typed = _typed_places(processor, prompt, text, control) if control.typed(prompt) else set()
    tokens: list[tuple[TextToken, list[int] | None]] = []
    for number, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
        is_typed = number in control.ids and not typed.isdisjoint(range(start, end))
        tokens.append((TextToken(number, start, end), control.as_text(text[start:end]) if is_typed else None))
    return tokens


def _typed_places(processor: Any, prompt: Prompt, text: str, control: ControlTokens) -> set[int]:
    """The places in the rendered chat `text` of control tokens that stand in messages.

    They are where the same chat with STAND_IN in their place differs from it.
    """
    turns = [
        replace(turn, text=control.pattern.sub(lambda match: STAND_IN * len(match.group()), turn.text))
        for turn in prompt.turns
    ]
    other = render(processor, turns)
    if len(other) != len(text):
        raise BadInput("A message holds a control token of the model in a place where its chat template looks for one.")
    return {place for place, letter in enumerate(other) if letter == STAND_IN and text[place] != STAND_IN}


def end_of_turn(processor: Any) -> int | None:
    """The control token that the chat template writes after what the assistant says; None where it writes no such."""
    text = render(processor, PROBE, generation_prompt=False)
    encoding = processor.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    end = text.find(PROBE[1].text) + len(PROBE[1].text)
    following = text.find(PROBE[2].text, end)
    controls = control_tokens_of(processor).ids
    for number, (start, _) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
        if end <= start < following and number in controls:
            return int(number)
    return None


def end_turns(model: Any, processor: Any) -> None:
    """Make the token with which the chat template ends a turn the first that ends an answer.

    Many models name another first (Llama 3 `<|end_of_text|>`), or none but that of the pretraining.
    """
    named = model.generation_config.eos_token_id
    known = range(model.get_output_embeddings().weight.shape[0])
    ends = [token for token in (named if isinstance(named, list) else [named]) if token in known]
    turn = end_of_turn(processor)
    if turn is None and not ends:
        turn = processor.tokenizer.eos_token_id
    if turn is not None and ends[:1] != [turn]:
        model.generation_config.eos_token_id = [turn, *(token for token in ends if token != turn)]
    elif not ends:
        raise BadInput(
            "Neither the model nor its chat template names a token that ends an answer: set eos_token_id in "
            "generation_config.json to the token that does."
        )
    elif isinstance(named, list) and ends != named:
        model.generation_config.eos_token_id = ends
