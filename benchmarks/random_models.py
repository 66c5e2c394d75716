"""Random weights in the real shapes of the supported families, and tiny ones for tests; processors of the real classes.

They serve to measure speed and memory and to test contracts; their answers mean nothing. The chat
templates are those of the hub's models.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

from shared.vlm.adapters.causal_lm import MODEL_TYPES, TextProcessor
from shared.vlm.adapters.qwen2_5_vl import StillProcessor

Size = Literal["tiny", "7b"]

VICUNA: Final = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
QWEN: Final = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CHATML: Final = (  # Qwen2.5, as text: contents are strings, and a system turn is added where there is none
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING: Final = (  # Qwen3: thinks aloud unless it is told not to
    "{% for message in messages %}{% set content = message['content'] %}"
    "{% if message['role'] == 'assistant' %}{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
HEADERS: Final = (  # Llama 3
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
ALTERNATING: Final = (  # Gemma: no system turns, and user and assistant take turns
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{{ message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
INSTRUCT: Final = (  # Mistral: no system turns either, and the answer stands behind the question without a header
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
WORDS: Final = ("Who is this person and where does she live?", "What colour is the background? Be brief.") * 20


@dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    words: int
    context: int


SHAPES: Final[dict[tuple[str, Size], Shape]] = {
    ("llava", "7b"): Shape(4096, 11008, 32, 32, 32, 32064, 4096),
    ("llava", "tiny"): Shape(64, 96, 3, 4, 4, 512, 512),
    ("qwen2_5_vl", "7b"): Shape(3584, 18944, 28, 28, 4, 152064, 128000),
    ("qwen2_5_vl", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512),
}


SHAPES |= {(family, "tiny"): Shape(64, 96, 3, 4, 2, 512, 512) for family in MODEL_TYPES}


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


def build(family: str, size: Size, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """A random model of `family` with its processor; the weights depend on torch's seed."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model, processor = BUILDERS[family](SHAPES[family, size], size)
    finally:
        torch.set_default_dtype(before)
    if size == "tiny":  # far enough from zero that answers differ
        for value in model.parameters():
            if value.dim() >= 2:
                torch.nn.init.normal_(value, std=0.12)
    return model.eval().requires_grad_(requires_grad=False), processor


def _llava(shape: Shape, size: Size) -> tuple[Any, Any]:
    """CLIP ViT-L/14-336 and Vicuna-7B: 576 tokens a picture; tiny: 16."""
    tokenizer = _tokenizer(["<pad>", "<s>", "</s>", "<image>"], "<pad>", "</s>", "<s>")
    side = 336 if size == "7b" else 56
    vision = CLIPVisionConfig(
        hidden_size=1024 if size == "7b" else 32,
        intermediate_size=4096 if size == "7b" else 48,
        num_hidden_layers=24 if size == "7b" else 3,
        num_attention_heads=16 if size == "7b" else 2,
        image_size=side,
        patch_size=14,
        projection_dim=768 if size == "7b" else 32,
    )
    text = LlamaConfig(**_text(shape), rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=3,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(side // 14) ** 2,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA,
    )
    return model, processor


def _qwen(shape: Shape, size: Size) -> tuple[Any, Any]:
    """Vision tower with windows of 8 x 8 patches and four blocks with full attention; tiny: 4 x 4 and one block."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = _tokenizer([*special, "<|image_pad|>", "<|video_pad|>"], "<|endoftext|>", "<|im_end|>", None)
    vision = {
        "depth": 32 if size == "7b" else 2,
        "hidden_size": 1280 if size == "7b" else 32,
        "intermediate_size": 3420 if size == "7b" else 48,
        "num_heads": 16 if size == "7b" else 2,
        "out_hidden_size": shape.hidden,
        "window_size": 112 if size == "7b" else 56,
        "fullatt_block_indexes": [7, 15, 23, 31] if size == "7b" else [1],
    }
    sections = [16, 24, 24] if size == "7b" else [2, 3, 3]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    text = _text(shape) | {"rms_norm_eps": 1e-6, "rope_parameters": rope, "bos_token_id": 0, "eos_token_id": 2}
    config = Qwen2_5_VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=5,
        video_token_id=6,
        vision_start_token_id=3,
        vision_end_token_id=4,
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0)
    return model, StillProcessor(Qwen2VLImageProcessorPil(), tokenizer, chat_template=QWEN)


SMALL: Final = {  # where the family has it
    "sliding_window": 8,  # tokens, so that the tests' prompts are longer
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}


def _causal_lm(family: str) -> Callable[[Shape, Size], tuple[Any, Any]]:
    """Builds a text-only model of that `model_type`."""

    def built(shape: Shape, _: Size) -> tuple[Any, Any]:
        chat = TEXT_CHATS.get(family, TextChat(CHATML, IM))
        make = _pieces_tokenizer if chat.pieces else _tokenizer
        tokenizer = make(list(chat.special), chat.special[0], chat.special[0], chat.begin)
        tokenizer.chat_template = chat.template
        default = AutoConfig.for_model(family)
        options = _text(shape) | {"head_dim": 16, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
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


BUILDERS: Final[dict[str, Callable[[Shape, Size], tuple[Any, Any]]]] = {
    "llava": _llava,
    "qwen2_5_vl": _qwen,
    **{family: _causal_lm(family) for family in MODEL_TYPES},
}


def _text(shape: Shape) -> dict[str, Any]:
    return {
        "vocab_size": shape.words,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.groups,
        "max_position_embeddings": shape.context,
    }


def _tokenizer(special: list[str], pad: str, end: str, begin: str | None) -> Any:
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
    return _wrapped(core, special, pad, end, begin)


def _wrapped(core: Any, special: list[str], pad: str, end: str, begin: str | None) -> Any:
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
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _pieces_tokenizer(special: list[str], pad: str, end: str, begin: str | None) -> Any:
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
