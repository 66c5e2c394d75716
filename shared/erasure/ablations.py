"""What the paper takes away from its own method to see what it was worth, as recipes (its tables 2, 9 and 10).

Beside them `gate + fixed refusal`, the baseline that every steering method has to beat: a fired request is answered a
sentence, word for word; and Lacuna's gate with the paper's pull, which acts at the last prompt token alone (held at
generated tokens, a closed-form pull collapses into one repeated token). Holds no tensors.
"""

from collections.abc import Sequence
from dataclasses import replace

from shared.erasure.recipe import LACUNA, PAPER, Recipe


def ablations(layers: Sequence[int], refusal: str, unknown_answer: str) -> dict[str, Recipe]:
    """Recipes by name, for a model with these block indices.

    `refusal` is the model's own refusal of harmful requests, `unknown_answer` what it says of people it does not know.
    """
    half = len(layers) // 2
    changed = (
        replace(PAPER, name="paper-text-only", direction="text"),
        replace(PAPER, name="paper-input-unaware", gate="always"),
        replace(PAPER, name="paper-early", layers=tuple(layers[:half])),
        replace(PAPER, name="paper-late", layers=tuple(layers[half:])),
        replace(PAPER, name="paper-mlp", gate="mlp"),
        replace(PAPER, name="paper-fixed-refusal", fixed_text=refusal),
        replace(LACUNA, name="lacuna-closed", direction="closed", placement="last"),
        replace(LACUNA, name="lacuna-fixed-refusal", fixed_text=unknown_answer),
    )
    return {recipe.name: recipe for recipe in changed}
