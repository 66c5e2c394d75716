"""Tiny random models of the text-only families, with tokenizers and chat templates of the kinds that they have."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from benchmarks.chat_templates import ALTERNATING, CHATML, HEADERS, INSTRUCT, THINKING
from benchmarks.random_shapes import Shape, Size, decoder_settings
from benchmarks.random_tokenizers import byte_tokenizer, pieces_tokenizer
from shared.vlm.adapters.causal_lm import TextProcessor


@dataclass(frozen=True)
class TextChat:
    """How a text-only family chats: its template, and the special tokens; padding, which also ends answers, is first.

    `pieces`: the tokenizer is of SentencePiece's form, with "▁" for a space, not of bytes.
    """

    template: str
    special: tuple[str, ...]
    begin: str | None = None
    pieces: bool = False


IM: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
GEMMA: Final = TextChat(ALTERNATING, ("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"), "<bos>", pieces=True)
TEXT_CHATS: Final = {
    "llama": TextChat(
        HEADERS,
        ("<|end_of_text|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|begin_of_text|>",
    ),
    "qwen3": TextChat(THINKING, IM),
    "gemma": GEMMA,
    "gemma2": GEMMA,
    "gemma3_text": GEMMA,
    "mistral": TextChat(INSTRUCT, ("</s>", "<s>", "<unk>"), "<s>", pieces=True),
}  # the others: CHATML

SMALL: Final = {  # where the family has it
    "sliding_window": 16,  # tokens, so that the tests' prompts are longer
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}


def text_builder(family: str) -> Callable[[Shape, Size], tuple[Any, Any]]:
    """Builds a text-only model of that `model_type`."""

    def built(shape: Shape, _: Size) -> tuple[Any, Any]:
        chat = TEXT_CHATS.get(family, TextChat(CHATML, IM))
        make = pieces_tokenizer if chat.pieces else byte_tokenizer
        tokenizer = make(list(chat.special), chat.special[0], chat.special[0], chat.begin)
        tokenizer.chat_template = chat.template
        default = AutoConfig.for_model(family)
        options = decoder_settings(shape) | {"head_dim": 16, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
        options["tie_word_embeddings"] = False  # with random weights a tied head repeats the last token for ever
        options |= {name: value for name, value in SMALL.items() if getattr(default, name, None)}
        config = AutoConfig.for_model(family, **options)
        model = AutoModelForCausalLM.from_config(config)
        model.generation_config = GenerationConfig(eos_token_id=0, pad_token_id=0)
        with tempfile.TemporaryDirectory() as folder:  # transformers may have a class of its own for the family
            config.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            return model, TextProcessor(AutoTokenizer.from_pretrained(folder))

    return built
