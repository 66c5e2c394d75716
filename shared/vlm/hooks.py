"""Hooks on the decoder blocks' outputs: read the last token, add a pull. They are gone when the block ends.

The only place in which a forward pass is touched. Works on the residual stream at the declared site (method.md, 2, 6).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Touch = Callable[[int, Tensor], Tensor | None]


@contextmanager
def hooked(blocks: Sequence[nn.Module], touch: Touch) -> Iterator[None]:
    """Call `touch(l, output [B, T, d])` at every block's output; what it returns (if anything) replaces the output."""

    def hook_of(layer: int) -> Callable[..., Any]:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            changed = touch(layer, states)
            if changed is None:
                return None
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    with ExitStack() as stack:
        for layer, block in enumerate(blocks):
            handle = block.register_forward_hook(hook_of(layer))
            stack.callback(handle.remove)
        yield


class CaptureLastToken:
    """Keeps the last position of every block's output, float32."""

    def __init__(self, layers: int) -> None:
        self._rows: list[Tensor | None] = [None] * layers

    def __call__(self, layer: int, states: Tensor) -> None:
        self._rows[layer] = states[:, -1].float()

    def stacked(self) -> Tensor:
        """[B, L, d]."""
        return torch.stack([row for row in self._rows if row is not None], dim=1)


class CaptureAllTokens:
    """Keeps every position of every block's output, float32."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []

    def __call__(self, _: int, states: Tensor) -> None:
        self._rows.append(states.float())

    def stacked(self) -> Tensor:
        """[B, T, L, d]."""
        return torch.stack(self._rows, dim=2)


class AddVector:
    """Adds `pull` [L, d] to every row: at its last position, or at every one where `everywhere`."""

    def __init__(self, pull: Tensor, *, everywhere: bool = False) -> None:
        self._pull, self._from = pull, 0 if everywhere else -1

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        moved = states.clone()
        moved[:, self._from :] += self._pull[layer].to(states.dtype)
        return moved


def untouched(_: int, __: Tensor) -> None:
    """Leaves every block's output as it is."""


class GatedSteering:
    """Equation 13 as published: at every position of the prompt, the pull times the gate r·h of the last token.

    The gate, `gate(l, h_last [B, d]) -> [B]`, is read on the running, already steered stream; all are kept, by layer.
    """

    def __init__(self, pull: Tensor, gate: Callable[[int, Tensor], Tensor]) -> None:
        self._pull, self._gate = pull, gate
        self.gates: list[Tensor] = []

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        gate = self._gate(layer, states[:, -1].float())
        self.gates.append(gate)
        return states + (gate[:, None, None] * self._pull[layer]).to(states.dtype)
