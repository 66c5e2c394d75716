"""What a ticket covers is said of each kind of material, given or not."""

import pytest

from shared.domain import ticket_scope
from shared.domain.ticket_scope import scope


@pytest.mark.parametrize("names", [0, 2])
@pytest.mark.parametrize("photographs", [0, 1])
@pytest.mark.parametrize("facts", [0, 3])
def test_each_kind_of_material_is_spoken_of_once(names: int, photographs: int, facts: int) -> None:
    said = scope(names=names, photographs=photographs, facts=facts)
    assert said == (
        ticket_scope.NAMES if names else ticket_scope.NO_NAME,
        ticket_scope.PHOTOGRAPHS if photographs else ticket_scope.NO_PHOTOGRAPH,
        ticket_scope.FACTS if facts else ticket_scope.NO_FACT,
    )
    assert set(said) <= set(ticket_scope.SENTENCES)
