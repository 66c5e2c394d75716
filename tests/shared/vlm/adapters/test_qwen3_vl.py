"""What is peculiar to Qwen3-VL: features of the vision tower that are added between the first decoder blocks."""

import pytest
import torch
from PIL import Image

from benchmarks.random_models import build
from shared.domain.prompts import Prompt
from shared.vlm.engine import Engine
from shared.vlm.hooks import CaptureAllTokens, hooked
from shared.vlm.loading import wrap


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    return Engine(wrap(*build("qwen3_vl", "tiny")))


def noise(seed: int) -> Image.Image:
    pixels = torch.randint(0, 256, (70, 100, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.byte().numpy())


def test_replaced_picture_replaces_its_added_features_too(engine: Engine) -> None:
    """A prompt that is given the pixels of another has every state of the other, at all tokens and blocks."""
    rows = engine.vlm.adapter.encode([Prompt.ask("Who is it?", noise(seed)) for seed in (0, 1)])
    swapped = engine.vlm.adapter.with_images(rows[0], engine.vlm.adapter.images(rows[1]))
    states = []
    for row in (rows[0], rows[1], swapped):
        capture = CaptureAllTokens()
        with torch.inference_mode(), hooked(engine.vlm.adapter.blocks, capture):
            engine.vlm.model(**engine.vlm.adapter.inputs([row]))
        states.append(capture.stacked()[0])
    torch.testing.assert_close(states[2], states[1], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(states[0], states[1], atol=1e-2)


def test_blocks_outputs_are_the_stream_before_the_added_features(engine: Engine) -> None:
    """The next block reads more than its predecessor's output at picture tokens, and just that at text tokens."""
    (row,) = engine.vlm.adapter.encode([Prompt.ask("Who is it?", noise(0))])
    ((start, end),) = engine.vlm.adapter.pictures(row)
    capture, read = CaptureAllTokens(), []
    handles = [
        block.register_forward_pre_hook(lambda _, args: read.append(args[0][0])) for block in engine.vlm.adapter.blocks
    ]
    with torch.inference_mode(), hooked(engine.vlm.adapter.blocks, capture):
        engine.vlm.model(**engine.vlm.adapter.inputs([row]))
    for handle in handles:
        handle.remove()
    added = torch.stack(read[1:], dim=1) - capture.stacked()[0][:, :-1]  # [T, L - 1, d]
    assert bool((added[start:end].abs().amax(dim=(0, 2)) > 1e-3).all())  # both of the tiny model's features
    outside = torch.ones(len(row.ids), dtype=torch.bool)
    outside[start:end] = False
    assert not added[outside].any()
