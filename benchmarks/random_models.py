"""Random weights in the real shapes of the supported families, and tiny ones for tests; processors of the real classes.

They serve to measure speed and memory and to test contracts; their answers mean nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Gemma3TextConfig,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
    LlavaProcessor,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
)

from benchmarks.chat_templates import GEMMA, IDEFICS, ONEVISION, QWEN, QWEN3, VICUNA
from benchmarks.random_shapes import SHAPES, Shape, Size, decoder_settings
from benchmarks.random_text_models import text_builder
from benchmarks.random_tokenizers import byte_tokenizer
from shared.vlm.adapters.causal_lm import MODEL_TYPES
from shared.vlm.adapters.llava_onevision import OnevisionStillProcessor
from shared.vlm.adapters.qwen2_5_vl import StillProcessor
from shared.vlm.adapters.qwen2_vl import Qwen2StillProcessor
from shared.vlm.adapters.qwen3_vl import Qwen3StillProcessor
from shared.vlm.adapters.smolvlm import SmolStillProcessor


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


VICUNA_PROCESSOR: Final[Mapping[str, Any]] = {
    "patch_size": 14,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
    "chat_template": VICUNA,
}


def _llava(shape: Shape, size: Size) -> tuple[Any, Any]:
    """CLIP ViT-L/14-336 and Vicuna-7B: 576 tokens a picture; tiny: 16."""
    side = 336 if size == "7b" else 56
    config = LlavaConfig(
        vision_config=_clip(size, side),
        text_config=_llama(shape),
        image_token_id=3,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=(side // 14) ** 2,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        _llama_tokenizer(),
        **VICUNA_PROCESSOR,
    )
    return model, processor


def _llava_next(shape: Shape, size: Size) -> tuple[Any, Any]:
    """As LLaVA-1.5-7B, and up to four tiles of a picture: at most 2880 tokens; tiny: tiles of 28."""
    side = 336 if size == "7b" else 28
    grids = [[side * rows, side * columns] for rows, columns in ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))]
    config = LlavaNextConfig(
        vision_config=_clip(size, side),
        text_config=_llama(shape),
        image_token_index=3,
        image_grid_pinpoints=grids,
        image_seq_length=(side // 14) ** 2,
    )
    model = LlavaNextForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}, image_grid_pinpoints=grids
    )
    processor = LlavaNextProcessor(
        images,
        _llama_tokenizer(),
        **VICUNA_PROCESSOR,
    )
    return model, processor


def _onevision(shape: Shape, size: Size) -> tuple[Any, Any]:
    """SigLIP-So400m at 384 and Qwen2-7B, up to 6 x 6 tiles of one picture; tiny: 2 x 2 of 28."""
    side, many, tokens = (384, 6, 729) if size == "7b" else (28, 2, 4)
    grids = [[side * (row + 1), side * (column + 1)] for row in range(many) for column in range(many)]
    vision = SiglipVisionConfig(
        hidden_size=1152 if size == "7b" else 32,
        intermediate_size=4304 if size == "7b" else 48,
        num_hidden_layers=26 if size == "7b" else 2,
        num_attention_heads=16 if size == "7b" else 2,
        image_size=side,
        patch_size=14,
        vision_use_head=False,
    )
    config = LlavaOnevisionConfig(
        vision_config=vision,
        text_config=Qwen2Config(**decoder_settings(shape), bos_token_id=0, eos_token_id=2, pad_token_id=0),
        image_token_index=3,
        video_token_index=4,
        image_grid_pinpoints=grids,
    )
    model = LlavaOnevisionForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
    processor = OnevisionStillProcessor(
        LlavaOnevisionImageProcessorPil(size={"height": side, "width": side}, image_grid_pinpoints=grids),
        byte_tokenizer(special, "<|endoftext|>", "<|im_end|>", None),
        num_image_tokens=tokens,
        vision_feature_select_strategy="full",
        chat_template=ONEVISION,
    )
    return model, processor


def _clip(size: Size, side: int) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=1024 if size == "7b" else 32,
        intermediate_size=4096 if size == "7b" else 48,
        num_hidden_layers=24 if size == "7b" else 3,
        num_attention_heads=16 if size == "7b" else 2,
        image_size=side,
        patch_size=14,
        projection_dim=768 if size == "7b" else 32,
    )


def _llama(shape: Shape) -> LlamaConfig:
    return LlamaConfig(**decoder_settings(shape), rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def _llama_tokenizer() -> Any:
    return byte_tokenizer(["<pad>", "<s>", "</s>", "<image>"], "<pad>", "</s>", "<s>")


def _qwen2(shape: Shape, size: Size) -> tuple[Any, Any]:
    """Vision tower of 32 blocks, all with full attention; tiny: 2."""
    vision = {
        "depth": 32 if size == "7b" else 2,
        "embed_dim": 1280 if size == "7b" else 32,
        "hidden_size": shape.hidden,
        "num_heads": 16 if size == "7b" else 2,
        "mlp_ratio": 4 if size == "7b" else 2,
    }
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**_qwen_parts(shape, size, vision)))
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0)
    return model, Qwen2StillProcessor(Qwen2VLImageProcessorPil(), _qwen_tokenizer(), chat_template=QWEN)


def _qwen25(shape: Shape, size: Size) -> tuple[Any, Any]:
    """Vision tower with windows of 8 x 8 patches and four blocks with full attention; tiny: 4 x 4 and one block."""
    vision = {
        "depth": 32 if size == "7b" else 2,
        "hidden_size": 1280 if size == "7b" else 32,
        "intermediate_size": 3420 if size == "7b" else 48,
        "num_heads": 16 if size == "7b" else 2,
        "out_hidden_size": shape.hidden,
        "window_size": 112 if size == "7b" else 56,
        "fullatt_block_indexes": [7, 15, 23, 31] if size == "7b" else [1],
    }
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**_qwen_parts(shape, size, vision)))
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0)
    return model, StillProcessor(Qwen2VLImageProcessorPil(), _qwen_tokenizer(), chat_template=QWEN)


def _qwen_parts(shape: Shape, size: Size, vision: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a Qwen model but for its class."""
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24] if size == "7b" else [2, 3, 3]}
    text = decoder_settings(shape) | {
        "rms_norm_eps": 1e-6,
        "rope_parameters": rope,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    tokens = {"image_token_id": 5, "video_token_id": 6, "vision_start_token_id": 3, "vision_end_token_id": 4}
    return {"vision_config": vision, "text_config": text, **tokens}


def _qwen_tokenizer() -> Any:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    return byte_tokenizer([*special, "<|image_pad|>", "<|video_pad|>"], "<|endoftext|>", "<|im_end|>", None)


def _qwen3(shape: Shape, size: Size) -> tuple[Any, Any]:
    """Vision tower of 27 blocks, three of which feed the first three decoder blocks; tiny: 3, two of which do."""
    vision = {
        "depth": 27 if size == "7b" else 3,
        "hidden_size": 1152 if size == "7b" else 32,
        "intermediate_size": 4304 if size == "7b" else 48,
        "num_heads": 16 if size == "7b" else 2,
        "out_hidden_size": shape.hidden,
        "num_position_embeddings": 2304 if size == "7b" else 16,
        "deepstack_visual_indexes": [8, 16, 24] if size == "7b" else [0, 1],
    }
    rope = {
        "rope_type": "default",
        "rope_theta": 5e6,
        "mrope_section": [24, 20, 20] if size == "7b" else [4, 2, 2],
        "mrope_interleaved": True,
    }
    parts = _qwen_parts(shape, size, vision)
    config = Qwen3VLConfig(**parts | {"text_config": parts["text_config"] | {"rope_parameters": rope}})
    model = Qwen3VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0)
    images = Qwen2VLImageProcessorPil(
        patch_size=16,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": 65536 if size == "7b" else 4096, "longest_edge": 16777216},
    )
    return model, Qwen3StillProcessor(images, _qwen_tokenizer(), chat_template=QWEN3)


def _gemma(shape: Shape, size: Size) -> tuple[Any, Any]:
    """SigLIP-So400m at 896 and 256 tokens a picture, five blocks of six see 1024 tokens; tiny: 4, two of three see 24.

    The hub's generation configuration lists the end of a text before the end of a turn.
    """
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    pictures = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    tokenizer = byte_tokenizer([*special, *pictures.values()], "<pad>", "<eos>", "<bos>", pictures)
    side = 896 if size == "7b" else 56
    vision = SiglipVisionConfig(
        hidden_size=1152 if size == "7b" else 32,
        intermediate_size=4304 if size == "7b" else 48,
        num_hidden_layers=27 if size == "7b" else 2,
        num_attention_heads=16 if size == "7b" else 2,
        image_size=side,
        patch_size=14,
        vision_use_head=False,
    )
    text = Gemma3TextConfig(
        **decoder_settings(shape),
        query_pre_attn_scalar=shape.head,
        sliding_window=1024 if size == "7b" else 24,
        sliding_window_pattern=6 if size == "7b" else 3,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    tokens = 256 if size == "7b" else 4
    config = Gemma3Config(
        vision_config=vision,
        text_config=text,
        mm_tokens_per_image=tokens,
        boi_token_index=5,
        eoi_token_index=6,
        image_token_index=7,
    )
    model = Gemma3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=2, eos_token_id=[1, 4], pad_token_id=0)
    images = Gemma3ImageProcessorPil(size={"height": side, "width": side}, do_pan_and_scan=False)
    return model, Gemma3Processor(images, tokenizer, chat_template=GEMMA, image_seq_length=tokens)


def _idefics(shape: Shape, size: Size) -> tuple[Any, Any]:
    """SigLIP-So400m, tiles of 364 and at most 4 x 4 of them, 169 tokens a tile; tiny: 56, 2 x 2 and 4."""
    tokenizer = _tile_tokenizer()
    config = Idefics3Config(**_tiled(shape, size, 364), scale_factor=2, image_token_id=3)
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=[2, 0], pad_token_id=0)
    side, tokens = (364, 169) if size == "7b" else (56, 4)
    many = 4 if size == "7b" else 2
    images = Idefics3ImageProcessorPil(size={"longest_edge": many * side}, max_image_size={"longest_edge": side})
    return model, Idefics3Processor(images, tokenizer, image_seq_len=tokens, chat_template=IDEFICS)


def _smolvlm(shape: Shape, size: Size) -> tuple[Any, Any]:
    """SigLIP-So400m, tiles of 384 and at most 4 x 4 of them, 81 tokens a tile; tiny: 56, 2 x 2 and 4."""
    tokenizer = _tile_tokenizer()
    scale = 3 if size == "7b" else 2
    config = SmolVLMConfig(**_tiled(shape, size, 384), scale_factor=scale, image_token_id=3)
    model = SmolVLMForConditionalGeneration(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    side, tokens = (384, 81) if size == "7b" else (56, 4)
    many = 4 if size == "7b" else 2
    images = SmolVLMImageProcessorPil(size={"longest_edge": many * side}, max_image_size={"longest_edge": side})
    return model, SmolStillProcessor(images, tokenizer, image_seq_len=tokens, chat_template=IDEFICS)


def _tiled(shape: Shape, size: Size, side: int) -> dict[str, Any]:
    """Configurations of a decoder of Llama's and a vision tower for tiles of `side`."""
    vision = {
        "hidden_size": 1152 if size == "7b" else 32,
        "intermediate_size": 4304 if size == "7b" else 48,
        "num_hidden_layers": 27 if size == "7b" else 2,
        "num_attention_heads": 16 if size == "7b" else 2,
        "image_size": side if size == "7b" else 56,
        "patch_size": 14,
    }
    return {"vision_config": vision, "text_config": _llama(shape)}


def _tile_tokenizer() -> Any:
    special = ["<pad>", "<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>"]
    tiles = [f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)]
    return byte_tokenizer([*special, *tiles], "<pad>", "<end_of_utterance>", "<|im_start|>")


BUILDERS: Final[Mapping[str, Callable[[Shape, Size], tuple[Any, Any]]]] = {
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _onevision,
    "qwen2_vl": _qwen2,
    "qwen2_5_vl": _qwen25,
    "qwen3_vl": _qwen3,
    "gemma3": _gemma,
    "idefics3": _idefics,
    "smolvlm": _smolvlm,
    **{family: text_builder(family) for family in MODEL_TYPES},
}
