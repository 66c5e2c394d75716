"""What LLaVA-NeXT and LLaVA-OneVision share: a picture is read twice, small as a whole and large in tiles ("anyres").

The large one has the picture's own shape, with margins up to the edges of the tiles, and `images` is what stands
between the margins; the small one is computed from it again where a picture is replaced. Where LLaVA-OneVision is shown
several pictures in one chat, each is one tile (Li et al. 2024, arXiv:2408.03326, section 3.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import Encoded, channels, picture_spans, processed
from shared.vlm.adapters.fixed_size import FixedSizeAdapter, with_gradient_of


@dataclass(frozen=True)
class Layout:
    """Where a picture stands in its tiles: `rows` x `columns` of them; its first pixel, and its size there."""

    rows: int
    columns: int
    top: int
    left: int
    height: int
    width: int


class AnyResAdapter(FixedSizeAdapter):
    """See Adapter. `grids` [k, 4]: height, width, tokens and tiles of each picture, the small one included."""

    @property
    def reserved(self) -> Sequence[str]:
        """See FixedSizeAdapter."""
        return [self._processor.image_token]

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter; `pixels` [tiles, 3, S, S] of all pictures."""
        return [self._encode(prompt) for prompt in prompts]

    def _encode(self, prompt: Prompt) -> Encoded:
        """One prompt by itself: of several, the processor pads each picture to the one that has most tiles."""
        output = processed(self._processor, [prompt], self.reserved)
        ids = torch.as_tensor(output["input_ids"][0], dtype=torch.long)
        if not prompt.images:
            return Encoded(ids, None)
        pixels, grids = [], []
        alone = len(prompt.images) == 1
        for number, tiles in enumerate(output["pixel_values"]):
            height, width = (int(length) for length in output["image_sizes"][number])
            tokens = self._processor.replace_image_token(output, number).count(self._processor.image_token)
            layout = self._layout(height, width, tiles.shape[-1])
            count = layout.rows * layout.columns + 1 if self.cuts_several or alone else 1
            pixels.append(torch.as_tensor(tiles[:count]))
            grids.append((height, width, tokens, count))
        return Encoded(ids, torch.cat(pixels), torch.tensor(grids))

    @property
    def cuts_several(self) -> bool:
        """Whether pictures are cut into tiles also where a chat has several of them."""
        raise NotImplementedError

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; `pixel_values` [tiles, 3, S, S] and `image_sizes` [k, 2]."""
        inputs = super().inputs(rows)
        grids = [row.grids for row in rows if row.grids is not None]
        if grids:
            inputs["image_sizes"] = torch.cat(grids)[:, :2].to(self._model.device)
        return inputs

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """See Adapter."""
        counts = [] if row.grids is None else row.grids[:, 2].tolist()
        return picture_spans(row.ids == self._model.config.image_token_id, counts)

    def images(self, row: Encoded) -> list[Tensor]:
        """See Adapter."""
        return [self._shown(tiles, layout) for tiles, layout in self._each(row)]

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """See Adapter. A picture that comes back as it was keeps its pixels, the processor's rounding included."""
        images, pixels = self._processor.image_processor, []
        for picture, (before, layout) in zip(pictures, self._each(row), strict=True):
            plain = (picture - channels(images.image_mean, picture)) / channels(images.image_std, picture)
            shown = plain[None]
            if layout is not None:
                side = before.shape[-1]
                small = torch.nn.functional.interpolate(
                    picture[None], size=(side, side), mode="bicubic", antialias=True, align_corners=False
                )
                small = small.clamp(0, 1) - channels(images.image_mean, picture)
                whole = _joined(before[1:].to(plain), layout).clone()
                whole[:, layout.top :, layout.left :][:, : layout.height, : layout.width] = plain
                shown = torch.cat([small / channels(images.image_std, picture), _cut(whole, layout)])
            if torch.equal(picture.detach(), self._shown(before, layout).to(picture)):
                shown = with_gradient_of(shown, before)
            pixels.append(shown)
        return replace(row, pixels=torch.cat(pixels))

    def _shown(self, tiles: Tensor, layout: Layout | None) -> Tensor:
        """The picture [3, H, W] in 0..1 that its tiles [n, 3, S, S] show, without margins."""
        images = self._processor.image_processor
        whole = tiles[0].float() if layout is None else _joined(tiles[1:].float(), layout)
        if layout is not None:
            whole = whole[:, layout.top :, layout.left :][:, : layout.height, : layout.width]
        return whole * channels(images.image_std, whole) + channels(images.image_mean, whole)

    def _each(self, row: Encoded) -> Iterator[tuple[Tensor, Layout | None]]:
        """The tiles [n, 3, S, S] of each picture, and where it stands in them; None where it is not cut."""
        if row.pixels is None or row.grids is None:
            return
        for tiles, grid in zip(row.pixels.split(row.grids[:, 3].tolist()), row.grids.tolist(), strict=True):
            yield tiles, self._layout(grid[0], grid[1], tiles.shape[-1]) if len(tiles) > 1 else None

    def _layout(self, height: int, width: int, side: int) -> Layout:
        """How the processor places a picture of this size in tiles of `side`."""
        target = select_best_resolution((height, width), self._processor.image_processor.image_grid_pinpoints)
        like = np.broadcast_to(np.float32(0), (3, height, width))  # of which only the shape is read
        new_height, new_width = get_patch_output_size(like, target, input_data_format="channels_first")
        top, left = (target[0] - new_height) // 2, (target[1] - new_width) // 2
        return Layout(target[0] // side, target[1] // side, top, left, new_height, new_width)


def _joined(tiles: Tensor, layout: Layout) -> Tensor:
    """Tiles [n, 3, S, S], row by row, as one picture."""
    side = tiles.shape[-1]
    parts = tiles.reshape(layout.rows, layout.columns, 3, side, side).permute(2, 0, 3, 1, 4)
    return parts.reshape(3, layout.rows * side, layout.columns * side)


def _cut(picture: Tensor, layout: Layout) -> Tensor:
    """The inverse of `_joined`."""
    side = picture.shape[1] // layout.rows
    parts = picture.reshape(3, layout.rows, side, layout.columns, side).permute(1, 3, 0, 2, 4)
    return parts.reshape(-1, 3, side, side)
