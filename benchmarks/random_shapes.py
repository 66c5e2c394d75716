"""The dimensions of decoders: real ones, and tiny ones for tests."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.vlm.adapters.causal_lm import MODEL_TYPES

Size = Literal["tiny", "7b"]


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
    head: int | None = None  # width of a head, where it is not hidden / heads


SHAPES: Final[dict[tuple[str, Size], Shape]] = {
    ("llava", "7b"): Shape(4096, 11008, 32, 32, 32, 32064, 4096),
    ("llava", "tiny"): Shape(64, 96, 3, 4, 4, 512, 512),
    ("llava_next", "7b"): Shape(4096, 11008, 32, 32, 32, 32064, 4096),
    ("llava_next", "tiny"): Shape(64, 96, 3, 4, 4, 512, 512),
    ("llava_onevision", "7b"): Shape(3584, 18944, 28, 28, 4, 152128, 32768),
    ("llava_onevision", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512),
    ("qwen2_vl", "7b"): Shape(3584, 18944, 28, 28, 4, 152064, 32768),
    ("qwen2_vl", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512),
    ("qwen2_5_vl", "7b"): Shape(3584, 18944, 28, 28, 4, 152064, 128000),
    ("qwen2_5_vl", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512),
    ("qwen3_vl", "7b"): Shape(4096, 12288, 36, 32, 8, 151936, 262144, 128),  # Qwen3-VL-8B
    ("qwen3_vl", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512, 16),
    ("gemma3", "7b"): Shape(2560, 10240, 34, 8, 4, 262208, 131072, 256),  # Gemma 3 4B; the next larger has 12B
    ("gemma3", "tiny"): Shape(64, 96, 3, 4, 2, 512, 512, 16),
    ("idefics3", "7b"): Shape(4096, 14336, 32, 32, 8, 128259, 131072),  # Idefics3-8B-Llama3
    ("idefics3", "tiny"): Shape(64, 96, 3, 4, 2, 512, 1024),
    ("smolvlm", "7b"): Shape(2048, 8192, 24, 32, 32, 49280, 8192),  # SmolVLM2-2.2B, the largest
    ("smolvlm", "tiny"): Shape(64, 96, 3, 4, 2, 512, 1024),
    **dict[tuple[str, Size], Shape]({(family, "tiny"): Shape(64, 96, 3, 4, 2, 512, 512) for family in MODEL_TYPES}),
}


def decoder_settings(shape: Shape) -> dict[str, Any]:
    """What the configurations of all decoders call by the same names."""
    width = {} if shape.head is None else {"head_dim": shape.head}
    return width | {
        "vocab_size": shape.words,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.groups,
        "max_position_embeddings": shape.context,
    }
