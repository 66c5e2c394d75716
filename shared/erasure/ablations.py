"""The ablations of the paper (its tables 2, 9 and 10) as recipes: each takes away one part of the method.

Beside them two comparisons of our own. `...-fixed-refusal`: a fired request is answered with a fixed sentence, the
baseline that every steering method has to beat. `lacuna-closed`: Lacuna's gate with the paper's closed-form steering
vector, at the last prompt token alone: added at generated tokens too, it makes answers repeat one token.
"""

from collections.abc import Sequence
from dataclasses import replace

from shared.erasure.recipe import LACUNA, PAPER, Recipe


def ablations(layers: Sequence[int], refusal: str, unknown_answer: str) -> dict[str, Recipe]:
    """Recipes by name, for a model with these block indices.

    `refusal` is the model's own refusal of harmful requests, `unknown_answer` its answer about people it does not know.
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
