"""Windows and batches of prompts: bounded in memory, complete, and each prompt at its own position."""

import pytest
import torch
from PIL import Image

from benchmarks.random_models import build
from shared.domain.prompts import Prompt
from shared.vlm import batching
from shared.vlm.batching import PADDING, PIECE, batches, encoded_windows
from shared.vlm.loading import Vlm, wrap


@pytest.fixture(scope="module")
def vlm() -> Vlm:
    torch.manual_seed(0)
    return wrap(*build("llava", "tiny"))


def asked(count: int) -> list[Prompt]:
    picture = Image.new("RGB", (60, 60), (90, 120, 150))
    return [Prompt.ask("Who is this? " + "please " * (number % 7), picture) for number in range(count)]


def test_windows_end_where_their_pictures_fill_the_memory(vlm: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window has so many prompts as fit, up to a piece; without pictures it has as many as it may."""
    (row,) = vlm.adapter.encode(asked(1))
    assert row.pixels is not None
    monkeypatch.setattr(batching, "WINDOW_BYTES", 2 * PIECE * row.pixels.nbytes)
    assert [len(window) for window in encoded_windows(vlm.adapter, asked(5 * PIECE + 3))] == [
        2 * PIECE,
        2 * PIECE,
        PIECE + 3,
    ]
    texts = [Prompt.ask("Who?")] * (5 * PIECE + 3)
    assert [len(window) for window in encoded_windows(vlm.adapter, texts)] == [len(texts)]


def test_batches_hold_every_prompt_at_its_position(vlm: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several windows, whatever the order of lengths."""
    prompts = asked(3 * PIECE + 5)
    alone = vlm.adapter.encode(prompts)
    monkeypatch.setattr(batching, "WINDOW", PIECE)
    seen: dict[int, list[int]] = {}
    for positions, encoded in batches(vlm.adapter, prompts):
        lengths = [len(row.ids) for row in encoded]
        assert max(lengths) - min(lengths) <= PADDING
        seen.update(zip(positions, (row.ids.tolist() for row in encoded), strict=True))
    assert seen == {position: row.ids.tolist() for position, row in enumerate(alone)}


def test_no_prompts_make_no_batch(vlm: Vlm) -> None:
    assert list(batches(vlm.adapter, [])) == []
