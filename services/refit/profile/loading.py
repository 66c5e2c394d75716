"""What the model is, and how fast it answers on this machine."""

import time
from typing import Final

from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.evaluation.model_profile import Loading
from shared.vlm.adapters.templates import traits_of
from shared.vlm.engine import Engine

QUESTION: Final = "Please read the following list of words and name the last one. "
WORDS: Final = "water stone tree river "
MOST_REPEATS: Final = 40  # of the words
BATCH: Final = 8
DECODED: Final = 16  # tokens


def measure_loading(engine: Engine, source: str) -> Loading:
    """Sizes from the loaded weights; speeds from one batch of long prompts, after one that warms up."""
    vlm = engine.vlm
    prompts = [_long_prompt(engine)] * BATCH
    engine.generate(prompts[:1], max_new_tokens=1)
    began = time.perf_counter()
    first = engine.generate(prompts, max_new_tokens=1)
    prefill_s = time.perf_counter() - began
    began = time.perf_counter()
    answers = engine.generate(prompts, max_new_tokens=DECODED)
    decode_s = max(time.perf_counter() - began - prefill_s, 1e-6)
    decoded = sum(len(answer.tokens) for answer in answers) - BATCH
    parameters = list(vlm.model.parameters())
    return Loading(
        source=source,
        family=str(vlm.model.config.model_type),
        dtype=vlm.site.dtype,
        device=vlm.device.type,
        layers=len(vlm.site.layers),
        hidden_size=vlm.site.hidden_size,
        context=vlm.adapter.context,
        parameters=sum(parameter.numel() for parameter in parameters),
        weight_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters),
        pictures=engine.reads_pictures,
        system_turns=traits_of(vlm.processor).system_turns,
        prefill_speed=round(sum(answer.prompt_tokens for answer in first) / prefill_s, 1),
        decode_speed=round(max(decoded, 0) / decode_s, 1),
    )


def _long_prompt(engine: Engine) -> Prompt:
    """A prompt that fills at most half of the context. Raises BadInput where the shortest does not."""
    repeats, context = MOST_REPEATS, engine.vlm.adapter.context
    while repeats:
        prompt = Prompt.ask(QUESTION + WORDS * repeats)
        length = len(engine.vlm.adapter.encode([prompt])[0].ids)
        if length + DECODED <= context // 2:
            return prompt
        repeats //= 2
    raise BadInput(
        f"The model has a context of {context} tokens, and a question of one line takes {length} of them: too few for "
        "questions about people and their answers. Correct max_position_embeddings in its config.json where it is "
        "wrong, or take a model with a longer context."
    )
