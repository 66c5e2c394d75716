"""Which parts of a model a baseline may touch: linear layers and neurons, of the decoder blocks and of the rest.

Found by structure, not by a family's names: `blocks` comes from the adapter, everything else that sees pictures is
"vision" (tower and projector). The head and the embeddings are never touched.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from shared.errors import BadInput
from shared.vlm.loading import Vlm

Part = Literal["language", "vision"]


def linear_layers(vlm: Vlm, part: Part) -> dict[str, nn.Linear]:
    """All linear layers of that part, by their names in the model."""
    language = {id(module) for block in vlm.adapter.blocks for module in block.modules()}
    head = vlm.model.get_output_embeddings()
    found: dict[str, nn.Linear] = {}
    for name, module in vlm.model.named_modules():
        if isinstance(module, BaseTunerLayer):
            raise BadInput("This model has unlearned something already; undo that first.")
        if isinstance(module, nn.Linear) and module is not head and (id(module) in language) == (part == "language"):
            found[name] = module
    return found


def neuron_layers(vlm: Vlm, part: Part) -> dict[str, nn.Linear]:
    """The layers that read the neurons of a feed-forward network: the last linear layer of each `mlp`.

    Its columns are the neurons. `mlp` is how every family in transformers calls the network of a block.
    """
    linear = {id(module): name for name, module in linear_layers(vlm, part).items()}
    found: dict[str, nn.Linear] = {}
    for module in vlm.model.modules():
        network = getattr(module, "mlp", None)
        if isinstance(network, nn.Module):
            inside = [one for one in network.modules() if isinstance(one, nn.Linear) and id(one) in linear]
            if inside:
                found[linear[id(inside[-1])]] = inside[-1]
    return found


def trainable_only(model: nn.Module, wanted: Iterable[Tensor]) -> Callable[[], None]:
    """Only these parameters take a gradient from now on; returns what sets all back and drops the gradients."""
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.requires_grad_(requires_grad=False)
    for parameter in wanted:
        parameter.requires_grad_()

    def back() -> None:
        for parameter, needed in before:
            parameter.requires_grad_(needed)
            parameter.grad = None

    return back
