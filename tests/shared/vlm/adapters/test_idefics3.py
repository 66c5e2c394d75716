"""What is peculiar to Idefics3 and SmolVLM: tiles, the small copy after them, and zeros that count as padding."""

import pytest
import torch
from PIL import Image

from benchmarks.random_models import build
from shared.domain.prompts import Prompt, Turn
from shared.erasure.gates.identity import MentionSpans
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest
from shared.vlm.loading import wrap
from shared.vlm.redaction import redact, text_token_mask

SIDE = 56  # of a tile of the tiny model


@pytest.fixture(scope="module", params=["idefics3", "smolvlm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    torch.manual_seed(0)
    return Engine(wrap(*build(request.param, "tiny")))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.byte().numpy())


def logits(engine: Engine, row: Encoded) -> torch.Tensor:
    with torch.inference_mode():
        return engine.prefill([row], GenerationRequest()).logits[0]


def test_pictures_of_one_chat_have_tiles_of_their_own(engine: Engine) -> None:
    """A square one, a wide one, a tall one: rows, columns and spans; no word between two tiles counts as text."""
    chat = Prompt((Turn("user", "Who are they?", (noise(90, 90), noise(200, 40, 1), noise(30, 99, 2))),))
    (row,) = engine.vlm.adapter.encode([chat])
    assert row.grids is not None
    assert row.grids.tolist() == [[2, 2], [1, 2], [2, 1]]
    sizes = [(picture.shape[1] // SIDE, picture.shape[2] // SIDE) for picture in engine.vlm.adapter.images(row)]
    assert sizes == [(2, 2), (1, 2), (2, 1)]
    text = engine.vlm.tokenizer.decode(row.ids[text_token_mask(engine.vlm.adapter, row)])
    assert "<image>" not in text
    assert "<row_1_col_2>" not in text
    assert "Who are they?" in text


def test_grey_picture_is_no_padding(engine: Engine) -> None:
    """Grey is zero after normalisation, and a tile of zeros is left out by transformers: all may be redacted."""
    chat = Prompt((Turn("user", "Who are they?", (noise(90, 90), noise(200, 40, 1))),))
    (row,) = engine.vlm.adapter.encode([chat])
    gone = redact(engine.vlm.adapter, row, MentionSpans((0, 1), ()), torch.zeros(0))
    assert gone.pixels is not None
    assert float(gone.pixels.abs().max()) < 1e-5
    assert logits(engine, gone).isfinite().all()
    assert not torch.allclose(logits(engine, gone), logits(engine, row), atol=1e-2)


def test_replaced_picture_replaces_its_small_copy_too(engine: Engine) -> None:
    """As the processor would make it of the other picture, up to how it rounds and resizes."""
    first, second = engine.vlm.adapter.encode([Prompt.ask("Who?", noise(112, 112, seed)) for seed in (0, 1)])
    smooth = torch.linspace(0, 1, 2 * SIDE).expand(3, 2 * SIDE, 2 * SIDE)
    image = Image.fromarray((smooth.permute(1, 2, 0) * 255).round().byte().numpy())
    (wanted,) = engine.vlm.adapter.encode([Prompt.ask("Who?", image)])
    replaced = engine.vlm.adapter.with_images(first, engine.vlm.adapter.images(wanted))
    assert replaced.pixels is not None
    assert wanted.pixels is not None
    assert second.pixels is not None
    assert torch.allclose(replaced.pixels[:-1], wanted.pixels[:-1], atol=1e-5)
    assert torch.allclose(replaced.pixels[-1], wanted.pixels[-1], atol=0.03)  # of -1..1; the edges differ most
    assert not torch.allclose(second.pixels[-1], wanted.pixels[-1], atol=0.5)


def test_pictures_that_are_not_cut_are_answered_as_by_transformers(engine: Engine) -> None:
    """`do_image_splitting` may be off: one tile a picture."""
    images = engine.vlm.processor.image_processor
    images.do_image_splitting = False
    try:
        chat = Prompt((Turn("user", "Who are they?", (noise(90, 90), noise(200, 40, 1))),))
        (row,) = engine.vlm.adapter.encode([chat])
        assert row.grids is not None
        assert row.grids.tolist() == [[0, 0], [0, 0]]
        same = engine.vlm.adapter.with_images(row, engine.vlm.adapter.images(row))
        torch.testing.assert_close(same.pixels, row.pixels, atol=1e-5, rtol=1e-5)
        content = [
            *({"type": "image", "image": image} for image in chat.images),
            {"type": "text", "text": "Who are they?"},
        ]
        inputs = engine.vlm.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            torch.testing.assert_close(
                engine.vlm.model(**inputs).logits[0, -1], logits(engine, row), atol=1e-5, rtol=1e-5
            )
    finally:
        images.do_image_splitting = True


def test_neighbours_of_a_replaced_picture_keep_their_pixels(engine: Engine) -> None:
    """To the last bit but one, though its small copy was rounded by the processor."""
    chat = Prompt((Turn("user", "Who are they?", (noise(90, 90), noise(200, 40, 1))),))
    (row,) = engine.vlm.adapter.encode([chat])
    changed = redact(engine.vlm.adapter, row, MentionSpans((0,), ()), torch.zeros(0))
    assert row.pixels is not None
    assert changed.pixels is not None
    torch.testing.assert_close(changed.pixels[5:], row.pixels[5:], atol=1e-6, rtol=0)
