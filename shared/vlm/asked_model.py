"""A model with an eraser, or without one, as attacks ask it: prompts that it cannot take are answered with None."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.errors import BadInput
from shared.vlm.adapters.control_tokens import control_tokens_of
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.likelihood import option_likelihood


@dataclass(frozen=True)
class AskedModel:
    """One engine; `eraser` None is the base model. `system` is put before every chat, before its own system turn."""

    engine: Engine
    eraser: Eraser | None = None
    system: str | None = None

    def answers(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str | None]:
        """One answer for each prompt, in order; None for a prompt that the model cannot take."""
        asked = [self._asked(prompt) for prompt in prompts]
        try:
            answers = self.engine.generate(
                asked, eraser=self.eraser, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, stop=stop
            )
        except BadInput:
            if len(prompts) == 1:
                return [None]
            half = len(prompts) // 2
            parts = ((prompts[:half], seed), (prompts[half:], seed + half))
            return [
                text
                for part, start in parts
                for text in self.answers(
                    part, max_new_tokens=max_new_tokens, temperature=temperature, seed=start, stop=stop
                )
            ]
        return [answer.text for answer in answers]

    def streamed(self, prompt: Prompt, *, max_new_tokens: int, stop: Sequence[str] = ()) -> str | None:
        """The pieces of a streamed greedy answer, joined."""
        try:
            pieces = list(
                self.engine.stream(self._asked(prompt), eraser=self.eraser, max_new_tokens=max_new_tokens, stop=stop)
            )
        except BadInput:
            return None
        return "".join(piece for piece in pieces if not isinstance(piece, Answer))

    def likelihoods(self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[list[float] | None]:
        """log P(option | prompt) for each option of each prompt."""
        asked = [self._asked(prompt) for prompt in prompts]
        try:
            return [*option_likelihood(self.engine, asked, options, eraser=self.eraser)]
        except BadInput:
            if len(prompts) == 1:
                return [None]
            half = len(prompts) // 2
            return [
                *self.likelihoods(prompts[:half], options[:half]),
                *self.likelihoods(prompts[half:], options[half:]),
            ]

    def _asked(self, prompt: Prompt) -> Prompt:
        return prompt if self.system is None else Prompt((Turn("system", self.system), *prompt.turns))


def typed_control_tokens(engine: Engine) -> tuple[str, ...]:
    """The control tokens of the model's template that somebody could type, without those that stand for pictures."""
    tokenizer = engine.vlm.tokenizer
    written = (tokenizer.convert_ids_to_tokens(number) for number in control_tokens_of(engine.vlm.processor).ids)
    return tuple(sorted(token for token in written if isinstance(token, str) and "image" not in token))
