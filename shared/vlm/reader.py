"""The reader: the first k decoder blocks of a model, which tell whom a prompt is about in front of any other engine.

The gate reads block outputs, and those of the first k blocks need nothing of the others. A reader so has the vision
tower, the projector, the embeddings and k blocks in memory, and gives the same readout at those blocks as the whole
model, bit for bit. Its site is the whole model's, so that erasers verify.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import torch
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Decision, Eraser, PromptEvidence
from shared.erasure.gates.read_text import read_ahead
from shared.erasure.readout import Readout
from shared.erasure.site import Site
from shared.errors import BadInput, SiteMismatch
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import BATCH, PADDING
from shared.vlm.hooks import hooked
from shared.vlm.loading import Vlm, load
from shared.vlm.readouts import CaptureReadout
from shared.vlm.texts import TokenReader

logger = logging.getLogger(__name__)
T = TypeVar("T")
READOUT_BYTES: Final = 256 << 20  # of readouts that are kept
PICTURE_BYTES: Final = 256 << 20  # of what the vision tower says of pictures


class ByteBoundedCache(Generic[T]):
    """The values that were used last, as many as fit into `most_bytes`. For one thread at a time."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._entries: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: bytes) -> T | None:
        """The value of a key, which then counts as used last."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: bytes, value: T, size_bytes: int) -> None:
        """Keep a value, and drop those that were not used for longest; one that is too large is not kept."""
        if size_bytes > self._most or key in self._entries:
            return
        self._entries[key] = value, size_bytes
        self.size_bytes += size_bytes
        while self.size_bytes > self._most:
            _, (_, freed) = self._entries.popitem(last=False)
            self.size_bytes -= freed

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True)
class ReadPrompt:
    """What a reader says of one prompt: its number of tokens, the readout (of one prompt), and what an eraser makes of
    it; no evidence where the eraser is empty."""

    tokens: int
    readout: Readout
    decision: Decision
    evidence: PromptEvidence | None = None


class Reader:
    """The first blocks of a model, used by one thread at a time; safe to share.

    What was read is kept by its content: readouts of whole prompts, and what the vision tower says of pictures, so that
    a picture of an earlier turn is not read again.
    """

    def __init__(self, vlm: Vlm, *, readout_bytes: int = READOUT_BYTES, picture_bytes: int = PICTURE_BYTES) -> None:
        self.vlm = vlm
        self._texts = TokenReader(vlm.tokenizer)
        self._lock = threading.RLock()
        self._readouts = ByteBoundedCache[Readout](readout_bytes)
        self.pictures = PictureFeatures(vlm.model, picture_bytes) if vlm.adapter.has_pictures else None
        self.prompts_read = 0  # that were in no cache

    @classmethod
    def load(
        cls,
        source: str | Path,
        blocks: int | None = None,
        *,
        device: str | None = None,
        dtype: torch.dtype | None = None,
    ) -> "Reader":
        """The reader of the model at `source`; None: of all blocks. Raises BadInput as `loading.load` does."""
        return cls(load(source, device=device, dtype=dtype, blocks=blocks))

    @property
    def blocks(self) -> int:
        """How many blocks it has."""
        return len(self.vlm.adapter.blocks)

    @property
    def site(self) -> Site:
        """The whole model's."""
        return self.vlm.site

    @property
    def reads_pictures(self) -> bool:
        """Whether prompts may hold pictures."""
        return self.vlm.adapter.has_pictures

    def check(self, eraser: Eraser) -> None:
        """Raise SiteMismatch for an eraser of another model, or whose gate reads deeper than the reader."""
        eraser.site.check(self.site)
        deepest = max((eraser.site.layers[place] for place in eraser.gated), default=-1)
        if deepest >= self.blocks:
            raise SiteMismatch(
                f"The eraser reads block {deepest}, and the reader has the first {self.blocks}: set "
                "LACUNA_READER_BLOCKS to the same number for refit, audit and inference, and refit."
            )

    def examine(self, prompts: Sequence[Prompt], eraser: Eraser) -> list[ReadPrompt]:
        """What the prompts say of the tickets of an eraser with an identity gate, in the order given.

        Raises BadInput for a prompt that cannot be encoded and SiteMismatch as `check` does.
        """
        self.check(eraser)
        encoded = self.encode(prompts)
        readouts = self.read(encoded, eraser.gated or (0,))
        return [self.judge(row, readout, eraser) for row, readout in zip(encoded, readouts, strict=True)]

    @staticmethod
    def judge(row: Encoded, readout: Readout, eraser: Eraser) -> ReadPrompt:
        """What an encoded prompt and its readout say; for any thread. The text is read once, and kept as read."""
        if eraser.is_empty or eraser.identity is None:
            return ReadPrompt(len(row.ids), readout, Decision.none(1))
        if eraser.text is not None:
            (text,) = readout.texts
            readout = replace(readout, texts=(read_ahead(text, (), eraser.text),))
        decision, evidence = eraser.examine(readout)
        return ReadPrompt(len(row.ids), readout, decision, evidence)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """The prompts as the model reads them. Raises BadInput for one that does not fit into its context."""
        with self._lock:
            encoded = self.vlm.adapter.encode(prompts)
        longest = max((len(row.ids) for row in encoded), default=0)
        if longest > self.vlm.adapter.context:
            raise BadInput(f"The prompt has {longest} tokens; the model has {self.vlm.adapter.context}.")
        return encoded

    def read(self, encoded: Sequence[Encoded], layers: Sequence[int]) -> list[Readout]:
        """The readout of each prompt at `layers` (positions in the site's list), text included.

        Prompts with pictures are read by themselves, the others in batches of similar length.
        """
        wanted, places = tuple(layers), [content_key(row, layers) for row in encoded]
        readouts: dict[int, Readout] = {}
        with self._lock, torch.inference_mode():
            for number, key in enumerate(places):
                kept = self._readouts.get(key)
                if kept is not None:
                    readouts[number] = kept
            missing = [number for number in range(len(encoded)) if number not in readouts]
            for batch in _batches(encoded, missing):
                whole = self.read_batch([encoded[number] for number in batch], wanted)
                self.prompts_read += len(batch)
                for row, number in enumerate(batch):
                    own = whole if len(batch) == 1 else whole.take([row])
                    readouts[number] = own
                    self._readouts.put(places[number], own, own.size_bytes)
        return [readouts[number] for number in range(len(encoded))]

    def read_batch(self, encoded: Sequence[Encoded], layers: tuple[int, ...]) -> Readout:
        """The readout of one batch, in one forward pass. Raises SiteMismatch for a layer that it does not have."""
        adapter, site = self.vlm.adapter, self.site.layers
        if any(site[place] >= self.blocks for place in layers):
            raise SiteMismatch(f"The reader has the first {self.blocks} blocks alone.")
        capture = CaptureReadout(adapter, encoded, len(layers))
        with self._lock, torch.inference_mode(), hooked([adapter.blocks[site[place]] for place in layers], capture):
            self.vlm.model(**adapter.inputs(encoded), use_cache=True, logits_to_keep=1)
        return replace(capture.readout(layers), texts=self._texts.prompts(adapter, encoded))


class PictureFeatures:
    """Keeps what the vision tower and the projector of a model say of pictures, by the pictures' content."""

    def __init__(self, model: Any, most_bytes: int) -> None:
        self.hits = 0
        self._cache = ByteBoundedCache[Any](most_bytes)
        inner = model.model
        self._compute: Callable[..., Any] = inner.get_image_features
        inner.get_image_features = self  # the forward pass calls it by this name in every family

    def __call__(self, *args: Any, **options: Any) -> Any:
        """As the model's method."""
        key = _digest([*args, *(value for pair in sorted(options.items()) for value in pair)])
        kept = self._cache.get(key)
        if kept is not None:
            self.hits += 1
            return kept
        computed = self._compute(*args, **options)
        self._cache.put(key, computed, sum(tensor.nbytes for tensor in _tensors(computed)))
        return computed


def content_key(row: Encoded, layers: Iterable[int]) -> bytes:
    """sha256 over all that a readout of an encoded prompt at these layers depends on."""
    return _digest([row.ids, row.pixels, row.grids, tuple(layers)])


def _digest(values: Sequence[Any]) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype} {tuple(value.shape)};".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            digest.update(f"{value!r};".encode())
    return digest.digest()


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in what a model returns."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _batches(encoded: Sequence[Encoded], numbers: Sequence[int]) -> Iterator[list[int]]:
    """The prompts of these numbers in batches: those with pictures alone, the others padded by at most PADDING."""
    batch: list[int] = []
    for number in sorted(numbers, key=lambda number: (encoded[number].pixels is None, len(encoded[number].ids))):
        row = encoded[number]
        if row.pixels is not None:
            yield [number]
            continue
        if batch and (len(batch) == BATCH or len(row.ids) - len(encoded[batch[0]].ids) > PADDING):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
