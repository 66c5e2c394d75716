"""Hooks on the decoder blocks' outputs: capture activations, add steering vectors. Removed when the block ends.

The only place where a forward pass is changed. Works on the residual stream at the declared site
(shared/erasure/site.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

BlockHook = Callable[[int, Tensor], Tensor | None]  # (l, output [B, T, d]) -> what replaces the output, if anything


@runtime_checkable
class ReadsInput(Protocol):
    """A hook that also reads what goes into a block: `read_input` is called with the input [B, T, d] of
    `input_block`."""

    input_block: nn.Module

    def read_input(self, states: Tensor) -> None: ...


@contextmanager
def hooked(blocks: Sequence[nn.Module], hook: BlockHook) -> Iterator[None]:
    """Call `hook(l, output [B, T, d])` at the output of each of `blocks`; what it returns, if anything, replaces it.

    l counts the blocks that are given, which need not be all of the model's. A hook that `ReadsInput` is also given
    the input of the block that it names.
    """

    def forward_hook(layer: int) -> Callable[..., Any]:
        def call(_: nn.Module, __: Any, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            changed = hook(layer, states)
            if changed is None:
                return None
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return call

    def input_hook(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if isinstance(hook, ReadsInput):
            hook.read_input(args[0] if args else named["hidden_states"])

    with ExitStack() as stack:
        if isinstance(hook, ReadsInput):
            stack.callback(hook.input_block.register_forward_pre_hook(input_hook, with_kwargs=True).remove)
        for layer, block in enumerate(blocks):
            handle = block.register_forward_hook(forward_hook(layer))
            stack.callback(handle.remove)
        yield


class _Read(Exception):
    """Every block has been read: the rest of the forward pass is not needed."""


def read_blocks(model: nn.Module, inputs: Mapping[str, Tensor], blocks: Sequence[nn.Module], hook: BlockHook) -> None:
    """Run `model` on `inputs` and call `hook` as `hooked` does, as far as the last of `blocks`.

    Nothing behind it is computed: reading block 2 of 30 costs a tenth of a forward pass. What is read is, bit for bit,
    what a whole pass gives. `blocks` are not empty.
    """
    missing = set(range(len(blocks)))

    def stop_behind(layer: int) -> Callable[..., None]:
        def call(*_: Any) -> None:
            missing.discard(layer)
            if not missing:
                raise _Read

        return call

    with hooked(blocks, hook), suppress(_Read), ExitStack() as stack:
        for layer, block in enumerate(blocks):
            stack.callback(block.register_forward_hook(stop_behind(layer)).remove)
        model(**inputs, use_cache=False, logits_to_keep=1)


class CaptureLastToken:
    """Keeps the last position of the output of each of `layers` blocks, float32."""

    def __init__(self, layers: int) -> None:
        self._rows: list[Tensor | None] = [None] * layers

    def __call__(self, layer: int, states: Tensor) -> None:
        self._rows[layer] = states[:, -1].float()

    def stacked(self) -> Tensor:
        """[B, L, d]."""
        return torch.stack([row for row in self._rows if row is not None], dim=1)


class CaptureAllTokens:
    """Keeps every position of every block's output, float32: for a prompt or two, to compare with (readouts.py)."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []

    def __call__(self, _: int, states: Tensor) -> None:
        self._rows.append(states.float())

    def stacked(self) -> Tensor:
        """[B, T, L, d]."""
        return torch.stack(self._rows, dim=2)


class AddVector:
    """Adds `vector` [L, d] to every row of the batch: at its last position, or at each with `everywhere`."""

    def __init__(self, vector: Tensor, *, everywhere: bool = False) -> None:
        self._vector, self._from = vector, 0 if everywhere else -1

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        moved = states.clone()
        moved[:, self._from :] += self._vector[layer].to(states.dtype)
        return moved


def leave_unchanged(_: int, __: Tensor) -> None:
    """Leaves every block's output as it is."""


class GatedSteering:
    """The paper's equation 13 as published: adds vector[l] times the gate of the last token at every prompt position.

    `vector` [L, d]; the gate, `gate(l, h_last [B, d]) -> [B]`, is read on the running, already steered stream, and is
    kept in `gates`, one [B] for each layer.
    """

    def __init__(self, vector: Tensor, gate: Callable[[int, Tensor], Tensor]) -> None:
        self._vector, self._gate = vector, gate
        self.gates: list[Tensor] = []

    def __call__(self, layer: int, states: Tensor) -> Tensor:
        gate = self._gate(layer, states[:, -1].float())
        self.gates.append(gate)
        return states + (gate[:, None, None] * self._vector[layer]).to(states.dtype)
