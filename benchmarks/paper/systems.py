"""The systems of the tables by name: how each is made for the people to be forgotten, and what that costs.

A steered system is the base model asked through an eraser. A retrained system changes the engine's weights in place,
and its `with` block undoes the change at the end. This module knows no questions, scores or tables.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeVar

from services.refit.base_statistics import calibration_prompts, retain_prompts
from services.refit.fitting import fit_subject
from services.refit.identity_evidence import identity_training_set
from services.refit.steering_vectors import RELEVANT_RECIPE_FIELDS, SteeringVectors, compute_steering_vectors
from shared.baselines.base import Baseline, Settings, examples_about, scale_batch
from shared.baselines.registry import BASELINES
from shared.erasure.ablations import ablations
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.prepare import IdentityTrainingSet, prepare, prepare_identity
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE, Recipe
from shared.erasure.serialization import dump
from shared.erasure.ticket_fit import TicketFit
from shared.evaluation.known_facts import other_people
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.vlm import capture
from shared.vlm.engine import Engine

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What a system costs: `seconds` with all shared parts that it needs, `peak_bytes` above what serving needs."""

    seconds: float
    artifact_bytes: int
    peak_bytes: int | None = None
    reversible: bool = True
    how: str = "by dropping the eraser"

    def as_json(self) -> dict[str, Any]:
        """The cost as plain numbers."""
        return asdict(self)


@dataclass(frozen=True)
class System:
    """A system that can be asked: the engine through `eraser`, or with its present weights if that is None."""

    eraser: Eraser | None
    cost: Cost


@dataclass
class PaperBenchmark:
    """One base model with its reference people. Computes each shared part once and remembers how long that took."""

    engine: Engine
    reference: Reference
    tuned: dict[str, Settings] = field(default_factory=dict)  # of the baselines, by name
    _parts: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _seconds: float = 0.0  # of all shared parts that the system being made needs
    _spent_inside: float = 0.0  # of shared parts that were computed while it was made

    def compute_once(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` returned at the first call; its seconds are charged to every system that needs it."""
        if key not in self._parts:
            began = time.monotonic()
            value = make()
            spent = time.monotonic() - began
            self._parts[key] = (value, spent)
            self._spent_inside += spent
        kept, seconds = self._parts[key]
        self._seconds += seconds
        part: T = kept
        return part

    @contextmanager
    def base(self, _: Sequence[Person]) -> Iterator[System]:
        """The base model, unchanged."""
        yield System(None, Cost(0.0, 0))

    @contextmanager
    def steered(self, recipe: Recipe, people: Sequence[Person]) -> Iterator[System]:
        """The base model with an eraser for all `people`, made as a refit makes it."""
        began, self._seconds, self._spent_inside = time.monotonic(), 0.0, 0.0
        statistics = self._statistics(recipe)
        fits = [self._ticket_fit(recipe, statistics, person) for person in people]
        eraser = assemble(recipe, statistics, self.engine.vlm.site, fits)
        seconds = time.monotonic() - began - self._spent_inside + self._seconds
        yield System(eraser, Cost(seconds, len(dump(eraser, {})[0])))

    @contextmanager
    def unlearned(self, baseline: Baseline, people: Sequence[Person]) -> Iterator[System]:
        """The model after unlearning all `people`; the weights are restored bit for bit afterwards."""
        forget = examples_about({person.id: person.subject for person in people})
        retain = examples_about({person.id: person.subject for person in self.reference.of("retain_fit")})
        settings = self.tuned.get(baseline.name, Settings())
        with baseline.unlearn(self.engine, forget, retain, scale_batch(settings, len(forget))) as unlearned:
            cost = unlearned.cost
            yield System(None, Cost(cost.seconds, cost.artifact, cost.added_memory, cost.reversible, cost.how))

    def _statistics(self, recipe: Recipe) -> BaseStatistics:
        vectors = self.steering_vectors(recipe)
        site = self.engine.vlm.site
        if recipe.gate == "identity":
            training_set: IdentityTrainingSet = self.compute_once(
                "seen", lambda: identity_training_set(self.engine, self.reference).in_memory()
            )
            return prepare_identity(
                recipe, site, training_set, directions=vectors.last_token, decode_directions=vectors.decode_time
            )
        calibration = calibration_prompts(self.reference)
        return prepare(
            recipe,
            site,
            retain=self.compute_once(
                "retain", lambda: capture.activations(self.engine, retain_prompts(self.reference))
            ),
            calibration=self.compute_once("calibration", lambda: capture.activations(self.engine, calibration.prompts)),
            identities=calibration.identities,
            directions=vectors.last_token,
            decode_directions=vectors.decode_time,
        )

    def steering_vectors(self, recipe: Recipe) -> SteeringVectors:
        """The recipe's vectors, computed here and not read from beside the model, so that their time counts."""
        own = {name: value for name, value in recipe.as_json().items() if name in RELEVANT_RECIPE_FIELDS}
        if recipe.direction != "refined":
            own |= {"layers": None, "placement": None}  # the closed form has every layer; the recipe chooses later
        key = json.dumps(own, sort_keys=True)
        return self.compute_once(f"pull {key}", lambda: compute_steering_vectors(self.engine, self.reference, recipe))

    def _ticket_fit(self, recipe: Recipe, statistics: BaseStatistics, person: Person) -> TicketFit:
        """The person's ticket fit; recipes that lead to the same fit share it."""
        raw = recipe.gate in ("mlp", "always")
        same = {"identity": "identity", "linear": f"linear {recipe.rho} {recipe.gate_layers}"}
        key = "raw" if raw else same.get(recipe.gate, recipe.digest)
        fit = self.compute_once(
            f"rows {key} {person.id}",
            lambda: fit_subject(
                self.engine, recipe, statistics, person.id, person.subject, others=other_people(self.reference)
            ),
        )
        return replace(fit, recipe=recipe.digest)


SystemFactory = Callable[[PaperBenchmark, Sequence[Person]], AbstractContextManager[System]]


@dataclass(frozen=True)
class SystemSpec:
    """A system that can be made; `key` changes with every setting that it depends on."""

    name: str
    label: str
    key: str
    make: SystemFactory


def _steering(recipe: Recipe, label: str) -> SystemSpec:
    return SystemSpec(recipe.name, label, recipe.digest, lambda benchmark, people: benchmark.steered(recipe, people))


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
    "prototype": "Recipe `prototype`",
    "lacuna-fixed-refusal": "Lacuna's gate + fixed refusal",
}


def systems(benchmark: PaperBenchmark) -> dict[str, SystemSpec]:
    """All systems by name: the base model, the baselines, the recipes, their ablations and the sweeps."""
    recipes = {"paper": PAPER, "lacuna": LACUNA, "prototype": PROTOTYPE} | ablations(
        benchmark.engine.vlm.site.layers,
        benchmark.reference.wording("refusal"),
        benchmark.reference.wording("unknown_answer"),
    )
    specs = {"base": SystemSpec("base", LABELS["base"], "base", PaperBenchmark.base)}
    specs |= {name: _unlearning(baseline, benchmark) for name, baseline in BASELINES.items()}
    specs |= {name: _steering(recipe, LABELS[name]) for name, recipe in recipes.items()}
    swept = [(gamma_name(gamma), f"γ = {gamma:g}", replace(PAPER, gamma=gamma)) for gamma in GAMMAS]
    swept += [(lambda_name(value), f"λ = {value:g}", replace(PAPER, strength=value)) for value in LAMBDAS]
    swept += [(budget_name(text), f"ε = {text}", replace(PAPER, epsilon=value)) for text, value in BUDGETS.items()]
    for name, label, recipe in swept:
        if name not in specs:
            specs[name] = _steering(replace(recipe, name=name), label)
    return specs


def gamma_name(gamma: float) -> str:
    """The system's name for a γ; with the paper's own value it is the recipe `paper` itself."""
    return "paper" if gamma == PAPER.gamma else f"paper-gamma-{gamma:g}"


def lambda_name(value: float) -> str:
    """The system's name for a strength λ."""
    return "paper" if value == PAPER.strength else f"paper-lambda-{value:g}"


def budget_name(text: str) -> str:
    """The system's name for a perturbation budget ε."""
    return "paper" if BUDGETS[text] == PAPER.epsilon else f"paper-epsilon-{text.replace('/', '-')}"


def _unlearning(baseline: Baseline, benchmark: PaperBenchmark) -> SystemSpec:
    settings = asdict(benchmark.tuned.get(baseline.name, Settings()))
    return SystemSpec(
        baseline.name,
        baseline.name,
        json.dumps(settings, sort_keys=True),
        lambda benchmark, people: benchmark.unlearned(baseline, people),
    )
