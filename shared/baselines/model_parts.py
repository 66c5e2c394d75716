"""Which parts of a model a baseline may touch: linear layers and neurons, of the decoder blocks and of the rest.

The parts are found by structure, not by a family's names: `blocks` comes from the adapter, and every other linear layer
is "vision" (tower and projector). The head and the embeddings are never touched.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from shared.errors import BadInput
from shared.vlm.loading import Vlm

Part = Literal["language", "vision"]


def linear_layers(vlm: Vlm, part: Part) -> dict[str, nn.Linear]:
    """All linear layers of that part, by name; raises BadInput for a model that has an adapter attached."""
    language = {id(module) for block in vlm.adapter.blocks for module in block.modules()}
    head = vlm.model.get_output_embeddings()
    layers: dict[str, nn.Linear] = {}
    for name, module in vlm.model.named_modules():
        if isinstance(module, BaseTunerLayer):
            raise BadInput("This model has already unlearned something; undo that first.")
        if isinstance(module, nn.Linear) and module is not head and (id(module) in language) == (part == "language"):
            layers[name] = module
    return layers


def neuron_layers(vlm: Vlm, part: Part) -> dict[str, nn.Linear]:
    """The last linear layer of each feed-forward network, by name; its columns are the network's neurons.

    Every family in transformers calls the feed-forward network of a block `mlp`.
    """
    linear = {id(module): name for name, module in linear_layers(vlm, part).items()}
    layers: dict[str, nn.Linear] = {}
    for module in vlm.model.modules():
        network = getattr(module, "mlp", None)
        if isinstance(network, nn.Module):
            inside = [part for part in network.modules() if isinstance(part, nn.Linear) and id(part) in linear]
            if inside:
                layers[linear[id(inside[-1])]] = inside[-1]
    return layers


def trainable_only(model: nn.Module, wanted: Iterable[Tensor]) -> Callable[[], None]:
    """Let only `wanted` take a gradient; returns a function that restores the former state and drops gradients."""
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.requires_grad_(requires_grad=False)
    for parameter in wanted:
        parameter.requires_grad_()

    def restore() -> None:
        for parameter, needed in before:
            parameter.requires_grad_(needed)
            parameter.grad = None

    return restore
