"""Tests on real pretrained weights: slow, and skipped where nobody has made the model."""

from typing import Final

import pytest

from training.real_lm import FOLDER, is_made

SMOL_LM: Final = FOLDER
NEEDS_SMOL_LM: Final = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not is_made(SMOL_LM), reason=f"{SMOL_LM} was not made; `make real-lm` makes it"),
]
