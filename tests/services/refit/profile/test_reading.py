"""The blocks that the gate shall read: the fewest that lose nothing."""

import torch
from torch import Tensor

from services.refit.profile.reading import ChannelScores, choose_blocks


def scores(own: list[float], others: list[float], seed: int = 0) -> ChannelScores:
    """Scores of 200 own and 400 other prompts around these means, one for each block, with a spread of 0.05."""
    generator = torch.Generator().manual_seed(seed)

    def around(means: list[float], count: int) -> Tensor:
        return torch.tensor(means) + 0.05 * torch.randn(count, len(means), generator=generator)

    return ChannelScores(around(own, 200), around(others, 400))


def test_earliest_of_equally_good_single_blocks_is_chosen() -> None:
    assert choose_blocks({"mention": scores([0.9, 0.9, 0.9, 0.9], [0.1, 0.1, 0.1, 0.1])}) == (0,)


def test_block_with_much_wider_margin_wins_over_an_earlier_one() -> None:
    assert choose_blocks({"mention": scores([0.4, 0.4, 0.95, 0.4], [0.1, 0.1, 0.1, 0.1])}) == (2,)


def test_every_channel_has_to_lose_nothing() -> None:
    chosen = choose_blocks(
        {
            "mention": scores([0.9, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]),
            "picture": scores([0.1, 0.1, 0.1, 0.9], [0.1, 0.1, 0.1, 0.1], seed=1),
        }
    )
    assert chosen == (0, 1, 2, 3)


def test_more_blocks_are_read_where_single_ones_are_noisy() -> None:
    noisy = scores([0.18] * 8, [0.1] * 8)
    assert len(choose_blocks({"mention": noisy})) > 1


def test_channel_that_recognises_nobody_anywhere_costs_no_blocks() -> None:
    assert choose_blocks({"mention": scores([0.0] * 4, [0.5] * 4)}) == (0,)


def test_no_channel_means_no_block() -> None:
    assert choose_blocks({}) == ()
