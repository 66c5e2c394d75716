"""From all token states of a batch to what a gate may look at."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.erasure.readout import RaggedRows, Readout
from shared.vlm.adapters.base import Adapter, Encoded
from shared.vlm.redaction import text_token_mask


def readout_of(adapter: Adapter, encoded: Sequence[Encoded], states: Tensor) -> Readout:
    """The readout of a batch from `states` [B, T, L, d] of all its tokens, padded on the left; on the CPU.

    A picture is represented by the mean over its tokens; text tokens are kept one by one; there is no answer yet.
    """
    pictures, picture_owners, words, word_owners = [], [], [], []
    for row, prompt in enumerate(encoded):
        unpadded = states[row, states.shape[1] - len(prompt.ids) :]
        for start, end in adapter.pictures(prompt):
            pictures.append(unpadded[start:end].mean(dim=0))
            picture_owners.append(row)
        text = text_token_mask(adapter, prompt)
        words.append(unpadded[text.to(unpadded.device)])
        word_owners += [row] * int(text.sum())
    none = RaggedRows.none(states.shape[2], states.shape[3])
    return Readout(
        last=states[:, -1].cpu(),
        pictures=RaggedRows(torch.stack(pictures).cpu(), torch.tensor(picture_owners)) if pictures else none,
        words=RaggedRows(torch.cat(words).cpu(), torch.tensor(word_owners)),
        answer_tokens=none,
    )
