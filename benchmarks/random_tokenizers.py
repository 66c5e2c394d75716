"""Small tokenizers of the two kinds in use, for random models: of bytes, and as SentencePiece makes them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

WORDS: Final = ("Who is this person and where does she live?", "What colour is the background? Be brief.") * 20


def byte_tokenizer(
    special: list[str], pad: str, end: str, begin: str | None, named: Mapping[str, str] | None = None
) -> Any:
    """Of bytes, as GPT-2's. `named`: special tokens by which a processor asks, as attributes of the tokenizer."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(WORDS, trainer)
    return _wrapped(core, special, pad, end, begin, named)


def pieces_tokenizer(special: list[str], pad: str, end: str, begin: str | None) -> Any:
    """As SentencePiece makes them for Llama 2, Mistral and Gemma: unknown letters are spelled in bytes."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    trained.train_from_iterator(WORDS, trainers.BpeTrainer(vocab_size=100, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    names = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"]]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    merges = [(left, right) for left, right in learned["merges"]]
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True))
    core.pre_tokenizer = trained.pre_tokenizer
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _wrapped(core, special, pad, end, begin)


def _wrapped(
    core: Any, special: list[str], pad: str, end: str, begin: str | None, named: Mapping[str, str] | None = None
) -> Any:
    if begin is not None:
        core.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, core.token_to_id(begin))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=pad,
        eos_token=end,
        bos_token=begin,
        additional_special_tokens=[token for token in special if token not in {pad, end, begin}],
        model_specific_special_tokens=dict(named or {}),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
