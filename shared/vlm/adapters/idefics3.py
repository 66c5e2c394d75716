"""Idefics3 and SmolVLM: a picture is cut into square tiles, which a small copy of the whole picture follows.

Between the tiles stand tokens that say which tile comes next. They count as the picture's (`pictures`). `images` is
what the tiles show together; the small copy is computed from it again where a picture is replaced.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor
from transformers import Idefics3ForConditionalGeneration

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import Encoded, channels, picture_spans, processed
from shared.vlm.adapters.fixed_size import FixedSizeAdapter, with_gradient_of

TILE: Final = re.compile(r"<row_(\d+)_col_(\d+)>")  # the token before a tile
WHOLE: Final = "<global-img>"  # the token before the small copy, with which every picture ends
FRAME: Final = "<fake_token_around_image>"
NOT_NOTHING: Final = 1e-6  # of a normalised pixel; a tile of zeros alone counts as padding in transformers


class Idefics3Adapter(FixedSizeAdapter):
    """`Idefics3ForConditionalGeneration` with `Idefics3Processor`."""

    model_class = Idefics3ForConditionalGeneration

    @property
    def reserved(self) -> Sequence[str]:
        """See FixedSizeAdapter."""
        tiles = sorted(token for token in self._processor.tokenizer.get_added_vocab() if TILE.fullmatch(token))
        return [self._processor.image_token, FRAME, WHOLE, *tiles]

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter; `pixels` [tiles, 3, S, S] of all pictures, `grids` [k, 2] the rows and columns of tiles."""
        return [self._encode(prompt) for prompt in prompts]

    def _encode(self, prompt: Prompt) -> Encoded:
        """One prompt by itself: of several, the processor pads each to the tiles of the one that has most."""
        output = processed(self._processor, [prompt], self.reserved)
        ids = torch.as_tensor(output["input_ids"][0], dtype=torch.long)
        if not prompt.images:
            return Encoded(ids, None)
        return Encoded(ids, torch.as_tensor(output["pixel_values"][0]), torch.tensor(self._grids(ids)))

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; `pixel_values` [1, tiles, 3, S, S], none of them all zeros."""
        inputs = super().inputs(rows)
        if "pixel_values" in inputs:
            pixels = inputs["pixel_values"]
            empty = (pixels == 0).flatten(1).all(dim=1)[:, None, None, None]
            inputs["pixel_values"] = torch.where(empty, pixels + NOT_NOTHING, pixels)[None]
        return inputs

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """See Adapter; from the first tile's first token to the last token of the small copy."""
        mask = row.ids == self._model.config.image_token_id
        if row.grids is None:
            return []
        tiles = _tiles(row.grids)
        return picture_spans(mask, (tiles * int(mask.sum()) // int(tiles.sum())).tolist())

    def images(self, row: Encoded) -> list[Tensor]:
        """See Adapter."""
        return [self._shown(pixels, grid) for pixels, grid in _each(row)]

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """See Adapter. A picture that comes back as it was keeps its pixels, the processor's rounding included."""
        images, pixels = self._processor.image_processor, []
        for picture, (before, grid) in zip(pictures, _each(row), strict=True):
            side = before.shape[-1]
            parts = [picture]
            if len(before) > 1:
                rows, columns = int(grid[0]), int(grid[1])
                tiles = picture.reshape(3, rows, side, columns, side).permute(1, 3, 0, 2, 4)
                small = torch.nn.functional.interpolate(
                    picture[None], size=(side, side), mode="bicubic", antialias=True, align_corners=False
                )[0]
                parts = [*tiles.reshape(-1, 3, side, side), small.clamp(0, 1)]
            shown = torch.stack(parts)
            shown = (shown - channels(images.image_mean, shown)) / channels(images.image_std, shown)
            if torch.equal(picture.detach(), self._shown(before, grid).to(picture)):
                shown = with_gradient_of(shown, before)
            pixels.append(shown)
        return replace(row, pixels=torch.cat(pixels))

    def _shown(self, pixels: Tensor, grid: Tensor) -> Tensor:
        """The picture [3, H, W] in 0..1 that its tiles and small copy [n, 3, S, S] show."""
        images, side = self._processor.image_processor, pixels.shape[-1]
        parts = pixels.float() * channels(images.image_std, pixels.float())
        parts = parts + channels(images.image_mean, parts)
        if len(parts) == 1:
            return parts[0]
        rows, columns = int(grid[0]), int(grid[1])
        tiles = parts[:-1].reshape(rows, columns, 3, side, side)
        return tiles.permute(2, 0, 3, 1, 4).reshape(3, rows * side, columns * side)

    def _grids(self, ids: Tensor) -> list[tuple[int, int]]:
        """Rows and columns of tiles of each picture among the tokens; (0, 0) for one that is not cut."""
        grids, last = [], (0, 0)
        for token in self._processor.tokenizer.convert_ids_to_tokens(ids.tolist()):
            if tile := TILE.fullmatch(token):
                last = (int(tile[1]), int(tile[2]))
            elif token == WHOLE:
                grids.append(last)
                last = (0, 0)
        return grids


def _tiles(grids: Tensor) -> Tensor:
    """How many tiles each picture of `grids` [k, 2] has, with its small copy: [k]."""
    return grids.prod(dim=1) + 1


def _each(row: Encoded) -> Iterator[tuple[Tensor, Tensor]]:
    """The tiles [n, 3, S, S] and the grid [2] of each picture."""
    if row.pixels is None or row.grids is None:
        return
    yield from zip(row.pixels.split(_tiles(row.grids).tolist()), row.grids, strict=True)
