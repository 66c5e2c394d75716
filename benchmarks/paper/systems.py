"""Every system of the tables by name: how it is made for a list of people to be forgotten, and what that cost.

A system is an asker with an eraser: a steered system asks the base model through its eraser, a retrained one asks its
own weights through the empty eraser. Knows nothing of questions, scores or tables.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeVar

from torch import Tensor

from services.refit.pipeline import PROBES_PER_FACT, harmless_prompts
from services.refit.preparation import calibration_prompts, directions_of, retain_prompts
from shared.bench.reference import Person, Reference
from shared.erasure.ablations import ablations
from shared.erasure.eraser import Eraser, assemble, dump
from shared.erasure.recipe import LACUNA, PAPER, Recipe
from shared.erasure.rows import fit_ticket
from shared.erasure.statistics import prepare
from shared.probes.expand import fact_questions
from shared.vlm.asking import Asker
from shared.vlm.engine import Engine

T = TypeVar("T")
# Choices of a recipe that do not change its pull.
_NOT_OF_THE_PULL: Final = (
    "name",
    "gate",
    "placement",
    "strength",
    "gate_layers",
    "rho",
    "gamma",
    "gamma_absolute",
    "prototypes",
    "neighbours",
    "shrinkage",
    "whitener_rank",
    "harmless_weight",
    "false_positive_rate",
    "margin",
    "mlp_width",
    "mlp_steps",
    "fallback_text",
    "fixed_text",
)


@dataclass(frozen=True)
class Cost:
    """`seconds` to make it, the shared parts as often as they were needed; `peak_bytes` above what serving needs."""

    seconds: float
    artifact_bytes: int
    peak_bytes: int | None = None
    reversible: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


@dataclass(frozen=True)
class System:
    """What is asked."""

    asker: Asker
    eraser: Eraser
    cost: Cost

    @property
    def own_weights(self) -> bool:
        """Whether other weights answer than the base model's."""
        return self.eraser.is_empty and self.cost.artifact_bytes > 0


@dataclass
class Workbench:
    """One base model with its reference people. Computes each shared part once and remembers what it took."""

    engine: Engine
    reference: Reference
    asker: Asker = field(init=False)
    _kept: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _seconds: float = 0.0  # of kept parts, since `_started`
    _inside: float = 0.0  # of them, really spent since then

    def __post_init__(self) -> None:
        self.asker = Asker(self.engine)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, computed at the first call; its seconds are charged to everybody who needs it."""
        if key not in self._kept:
            began = time.monotonic()
            value = make()
            spent = time.monotonic() - began
            self._kept[key] = (value, spent)
            self._inside += spent
        found, seconds = self._kept[key]
        self._seconds += seconds
        value_again: T = found
        return value_again

    def base(self) -> System:
        """The model as it is."""
        return System(self.asker, Eraser.empty(PAPER, self.engine.vlm.site), Cost(0.0, 0))

    def steered(self, recipe: Recipe, people: Sequence[Person]) -> System:
        """An eraser of all `people`, made as a refit makes it."""
        began, self._seconds, self._inside = time.monotonic(), 0.0, 0.0
        retain = self.once("retain", lambda: self.engine.activations(retain_prompts(self.reference)))
        prompts, identities = calibration_prompts(self.reference)
        calibration = self.once("calibration", lambda: self.engine.activations(prompts))
        statistics = prepare(
            recipe,
            self.engine.vlm.site,
            retain=retain,
            calibration=calibration,
            identities=identities,
            directions=self.direction(recipe),
        )
        rows = [
            fit_ticket(recipe, statistics, person.id, self.probes(person), harmless=self.harmless(person))
            for person in people
        ]
        eraser = assemble(recipe, statistics, self.engine.vlm.site, rows)
        seconds = time.monotonic() - began - self._inside + self._seconds
        return System(self.asker, eraser, Cost(seconds, len(dump(eraser, {})[0])))

    def direction(self, recipe: Recipe) -> Tensor:
        """The recipe's pull [L, d]."""
        own = {name: value for name, value in recipe.as_json().items() if name not in _NOT_OF_THE_PULL}
        if recipe.direction != "refined":
            own["layers"] = None  # the closed form has every layer; which are steered is settled later
        key = json.dumps(own, sort_keys=True)
        return self.once(f"pull {key}", lambda: directions_of(self.engine, self.reference, recipe))

    def probes(self, person: Person) -> Tensor:
        """Activations of a ticket's probes [n, L, d]."""
        asked = fact_questions(person.subject, form="trained", per_fact=PROBES_PER_FACT, person=person.id)
        return self.once(f"probes {person.id}", lambda: self.engine.activations([one.prompt for one in asked]))

    def harmless(self, person: Person) -> Tensor:
        """Activations of the harmless questions about a ticket's pictures [h, L, d]."""
        return self.once(f"harmless {person.id}", lambda: self.engine.activations(harmless_prompts(person.subject)))


Maker = Callable[[Workbench, Sequence[Person]], System]


@dataclass(frozen=True)
class Known:
    """A system that can be made. `key` changes with every choice that it depends on."""

    name: str
    label: str
    key: str
    make: Maker


def _steering(recipe: Recipe, label: str) -> Known:
    return Known(recipe.name, label, recipe.digest, lambda bench, people: bench.steered(recipe, people))


GAMMAS: Final = (0.01, 0.1, 1.0, 10.0, 100.0)
LAMBDAS: Final = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
BUDGETS: Final[dict[str, float]] = {"16/255": 16 / 255, "32/255": 32 / 255, "64/255": 64 / 255, "unconstrained": 1.0}

LABELS: Final = {
    "base": "Vanilla",
    "paper": "MLLMEraser (recipe `paper`)",
    "paper-text-only": "Text-only erasure direction",
    "paper-input-unaware": "Input-unaware steering",
    "paper-early": "variant-1 (early half)",
    "paper-late": "variant-2 (late half)",
    "paper-mlp": "MLLMEraser-MLP",
    "paper-fixed-refusal": "Linear gate + fixed refusal",
    "lacuna": "Lacuna (recipe `lacuna`)",
    "lacuna-closed": "Lacuna, closed-form direction",
    "lacuna-fixed-refusal": "Lacuna's gate + fixed refusal",
}


def systems(bench: Workbench) -> dict[str, Known]:
    """All systems by name: the base model, the baselines, the recipes, their ablations and the sweeps."""
    recipes = {"paper": PAPER, "lacuna": LACUNA} | ablations(
        bench.engine.vlm.site.layers, bench.reference.refusal, bench.reference.unknown_answer
    )
    found = {"base": Known("base", LABELS["base"], "base", lambda one, _: one.base())}
    found |= baselines()
    found |= {name: _steering(recipe, LABELS[name]) for name, recipe in recipes.items()}
    swept = [(gamma_name(gamma), f"γ = {gamma:g}", replace(PAPER, gamma=gamma)) for gamma in GAMMAS]
    swept += [(lambda_name(value), f"λ = {value:g}", replace(PAPER, strength=value)) for value in LAMBDAS]
    swept += [(budget_name(text), f"ε = {text}", replace(PAPER, epsilon=value)) for text, value in BUDGETS.items()]
    for name, label, recipe in swept:
        if name not in found:
            found[name] = _steering(replace(recipe, name=name), label)
    return found


def gamma_name(gamma: float) -> str:
    """The system's name; the paper's own value is the recipe itself."""
    return "paper" if gamma == PAPER.gamma else f"paper-gamma-{gamma:g}"


def lambda_name(value: float) -> str:
    """Likewise for the strength."""
    return "paper" if value == PAPER.strength else f"paper-lambda-{value:g}"


def budget_name(text: str) -> str:
    """Likewise for the perturbation budget."""
    return "paper" if BUDGETS[text] == PAPER.epsilon else f"paper-epsilon-{text.replace('/', '-')}"


BASELINES: Final = ("GA", "GA_Diff", "KL_Min", "NPO", "MMUnlearner", "MANU")


def baselines() -> dict[str, Known]:
    """The six retrained or pruned systems of the paper, in its order."""
    return {}
