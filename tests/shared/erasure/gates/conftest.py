"""Statistics of synthetic people for the tests of the identity gate."""

import pytest
import torch

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.prepare import IdentityTrainingSet, prepare_identity
from tests.support.sightings import HIDDEN, LAYERS, RECIPE, SITE, by_picture, by_prompt, person, source


@pytest.fixture(scope="package")
def statistics() -> BaseStatistics:
    """Numbers 20 to 39 calibrate, 0 to 11 are kept."""
    retained = [person(number, 8, 20 + number) for number in range(12)]
    calibration = [person(number, 4, 60 + number) for number in range(20, 40)]
    seen = IdentityTrainingSet(
        faces=retained,
        names=retained,
        pictures=by_picture(torch.cat(calibration)),
        words=by_prompt(*calibration),
        people=20,
        facts=[torch.randn(60, LAYERS, HIDDEN, generator=source(1)) + 2],
        harmless=[torch.randn(60, LAYERS, HIDDEN, generator=source(2)) - 2],
    )
    vector = torch.randn(LAYERS, HIDDEN, generator=source(3))
    return prepare_identity(RECIPE, SITE, seen, directions=vector, decode_directions=vector / 2)
