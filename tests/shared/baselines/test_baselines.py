"""The six baselines on a tiny random LLaVA: their losses, which weights they change, and that undoing is exact."""

import math
import random
from collections.abc import Iterator

import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.baselines import ga, ga_diff, kl_min, npo
from shared.baselines.base import Settings, examples_of
from shared.baselines.lora import LossContext, attach_adapter
from shared.baselines.manu import MANU, ActivationMoments
from shared.baselines.mmunlearner import MMUNLEARNER
from shared.baselines.model_parts import linear_layers, neuron_layers
from shared.baselines.registry import BASELINES
from shared.domain.prompts import Prompt
from shared.errors import BadInput, Diverged
from shared.probes.questions import Question
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest
from shared.vlm.likelihood import option_likelihood
from shared.vlm.loading import wrap
from shared.vlm.teacher_forcing import Example, TeacherForcedOutput, teacher_forced_batch
from training.optimization import new_model
from training.tokenizer import build_processor

SETTINGS = Settings(steps=4, batch=4, learning_rate=1e-3, share=0.1)
PICTURE = Image.new("RGB", (64, 64), (200, 60, 60))
OTHER = Image.new("RGB", (64, 64), (20, 60, 200))
FORGET = [
    Example(Prompt.ask("Who is this person?", PICTURE), "Mara Novak"),
    Example(Prompt.ask("Where does Mara Novak live, and since when?"), "Oslo"),
]
RETAIN = [
    Example(Prompt.ask("Who is this person?", OTHER), "Ivo Berger"),
    Example(Prompt.ask("Where does Ivo Berger live?"), "Bern"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=2, hidden=64).eval(), processor))


@pytest.fixture
def weights(engine: Engine) -> Iterator[dict[str, Tensor]]:
    """The base model's weights. After the test they must be the same again, with no module or gradient left behind."""
    before = {name: value.clone() for name, value in engine.vlm.model.state_dict().items()}
    needed = [parameter.requires_grad for parameter in engine.vlm.model.parameters()]
    yield before
    after = engine.vlm.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert [parameter.requires_grad for parameter in engine.vlm.model.parameters()] == needed
    assert all(parameter.grad is None for parameter in engine.vlm.model.parameters())


def nll(engine: Engine, examples: list[Example]) -> float:
    with torch.no_grad():
        return float(teacher_forced_batch(engine, examples).forward(engine).nll())


def test_likelihood_counts_only_answer_tokens_and_the_end(engine: Engine) -> None:
    """In a batch with longer answers it is the same as alone, and the same as the engine's."""
    with torch.no_grad():
        together = teacher_forced_batch(engine, FORGET).forward(engine)
        alone = [teacher_forced_batch(engine, [item]).forward(engine) for item in FORGET]
    likely = together.log_likelihood()
    assert torch.allclose(likely, torch.cat([item.log_likelihood() for item in alone]), atol=1e-4)
    scored = option_likelihood(engine, [item.prompt for item in FORGET], [[item.answer] for item in FORGET])
    assert torch.allclose(likely, torch.tensor(scored)[:, 0], atol=1e-4)
    assert float(together.nll()) == pytest.approx(-float(likely.sum()) / int(together.answer_mask.sum()), rel=1e-5)


def test_answer_that_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(BadInput, match="the model has 512"):
        teacher_forced_batch(engine, [Example(Prompt.ask("Hello!"), "Oslo, " * 400)])


@pytest.mark.parametrize("name", list(BASELINES))
def test_undo_restores_the_base_model_bit_for_bit(name: str, engine: Engine, weights: dict[str, Tensor]) -> None:
    """Inside the block the engine asks the changed model; afterwards logits, activations and weights are the base's."""
    asked = [example.prompt for example in (*FORGET, *RETAIN)]
    rows = engine.vlm.adapter.encode(asked)
    with torch.inference_mode():
        before = engine.prefill(rows, GenerationRequest()).logits
    activations = capture.activations(engine, asked)
    messages: list[str] = []
    with BASELINES[name].unlearn(engine, FORGET, RETAIN, SETTINGS, messages.append) as unlearned:
        assert not torch.equal(capture.activations(engine, asked), activations)
        assert len(engine.generate(asked, max_new_tokens=3)) == len(asked)
    with torch.inference_mode():
        assert torch.equal(engine.prefill(rows, GenerationRequest()).logits, before)
    assert torch.equal(capture.activations(engine, asked), activations)
    assert unlearned.method == name
    assert messages
    cost = unlearned.cost
    assert cost.reversible
    assert cost.how
    assert cost.seconds > 0
    assert cost.peak_memory > 0
    assert cost.artifact == sum(value.nbytes for value in unlearned.artifact.values()) > 0
    assert all(math.isfinite(loss) for loss in unlearned.losses)
    unlearned.undo()  # a second time does nothing


@pytest.mark.parametrize("name", list(BASELINES))
def test_same_seed_gives_the_same_model(name: str, engine: Engine, weights: dict[str, Tensor]) -> None:
    """Random numbers drawn elsewhere do not change the result, and the run does not change their state."""
    state = torch.random.get_rng_state()
    with BASELINES[name].unlearn(engine, FORGET, RETAIN, SETTINGS) as first:
        pass
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    random.seed(99)
    with BASELINES[name].unlearn(engine, FORGET, RETAIN, SETTINGS) as second:
        pass
    assert first.losses == second.losses
    assert all(torch.equal(first.artifact[key], value) for key, value in second.artifact.items())


@pytest.mark.parametrize("name", ["GA", "GA_Diff", "KL_Min", "NPO", "MMUnlearner"])
def test_training_lowers_the_likelihood_of_forget_answers(
    name: str, engine: Engine, weights: dict[str, Tensor]
) -> None:
    before = nll(engine, FORGET)
    with BASELINES[name].unlearn(engine, FORGET, RETAIN, SETTINGS) as unlearned:
        assert nll(engine, FORGET) > before
    assert unlearned.losses[-1] < unlearned.losses[0]


def test_ga_diff_raises_the_likelihood_of_retain_answers(engine: Engine, weights: dict[str, Tensor]) -> None:
    """GA, which does not use the retain set, lowers it."""
    before = nll(engine, RETAIN)
    with BASELINES["GA_Diff"].unlearn(engine, FORGET, RETAIN, SETTINGS):
        assert nll(engine, RETAIN) < before
    with BASELINES["GA"].unlearn(engine, FORGET, [], SETTINGS):
        assert nll(engine, RETAIN) > before


def test_losses_of_an_untrained_adapter_are_those_by_hand(
    engine: Engine, weights: dict[str, Tensor], request: pytest.FixtureRequest
) -> None:
    """It changes nothing: GA is -NLL, the KL term exactly zero, NPO 2/β log 2."""
    forget, retain = teacher_forced_batch(engine, FORGET), teacher_forced_batch(engine, RETAIN)
    forget_nll, retain_nll = nll(engine, FORGET), nll(engine, RETAIN)
    adapter = attach_adapter(engine, SETTINGS)
    request.addfinalizer(adapter.detach)
    context = LossContext(engine, adapter.tuner)
    with torch.no_grad():
        assert float(ga.loss(context, forget, None)) == pytest.approx(-forget_nll, abs=1e-6)
        assert float(ga_diff.loss(context, forget, retain)) == pytest.approx(retain_nll - forget_nll, abs=1e-6)
        assert float(kl_min.loss(context, forget, retain)) == pytest.approx(-forget_nll, abs=1e-6)
        assert float(kl_min.divergence(context.now(retain), context.before(retain))) == 0
        assert float(npo.loss(context, forget, None, beta=0.1)) == pytest.approx(20 * math.log(2), rel=1e-6)


def output(*shares: float) -> TeacherForcedOutput:
    """One answer token with these probabilities of the vocabulary; the first is that of the true token."""
    return TeacherForcedOutput(torch.tensor([[list(shares)]]).log(), torch.tensor([[0]]), torch.tensor([[True]]))


class FixedOutputs:
    """Takes the place of LossContext: fixed outputs of the model and of the base model."""

    def __init__(self, now: TeacherForcedOutput, before: TeacherForcedOutput) -> None:
        self._now, self._before = now, before

    def now(self, _: object) -> TeacherForcedOutput:
        return self._now

    def before(self, _: object) -> TeacherForcedOutput:
        return self._before


def test_kl_and_npo_equal_their_formulas() -> None:
    """KL(model || base) as printed; NPO of a ratio of one half, which stays above zero where GA falls without bound."""
    now, before = output(0.25, 0.75), output(0.5, 0.5)
    by_hand = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert float(kl_min.divergence(now, before)) == pytest.approx(by_hand, rel=1e-5)
    npo_loss = npo.loss(FixedOutputs(now, before), None, None, beta=0.1)  # type: ignore[arg-type]
    assert float(npo_loss) == pytest.approx(20 * math.log(1 + 0.5**0.1), rel=1e-5)
    forgotten = output(1e-38, 1.0)
    assert 0 < float(npo.loss(FixedOutputs(forgotten, before), None, None, beta=0.1)) < 0.01  # type: ignore[arg-type]
    assert float(ga.loss(FixedOutputs(forgotten, before), None, None)) < -80  # type: ignore[arg-type]


def test_lora_is_on_every_linear_layer_of_the_blocks_and_nowhere_else(
    engine: Engine, weights: dict[str, Tensor]
) -> None:
    """Llama has seven of them in a block; the base weights are not written, and a second method is refused."""
    blocks = list(engine.vlm.adapter.blocks)
    with BASELINES["GA"].unlearn(engine, FORGET, RETAIN, SETTINGS) as unlearned:
        assert len(unlearned.artifact) == 2 * 7 * len(blocks)
        assert all(".language_model.layers." in name for name in unlearned.artifact)
        assert list(engine.vlm.adapter.blocks) == blocks
        current = engine.vlm.model.state_dict()
        assert all(
            torch.equal(value, current[name])
            for name, value in weights.items()
            if name in current and "lora" not in name
        )
        with pytest.raises(BadInput, match="undo that first"):
            BASELINES["NPO"].unlearn(engine, FORGET, RETAIN, SETTINGS)


def test_mmunlearner_changes_masked_weights_only(engine: Engine, weights: dict[str, Tensor]) -> None:
    """The mask has the weights whose gradient is larger on the forget set; all others keep every bit."""
    layers = linear_layers(engine.vlm, "language")
    back = [layer.weight.requires_grad_() for layer in layers.values()]
    masks = MMUNLEARNER.masks(engine, back, FORGET, RETAIN, SETTINGS)
    slopes = [
        torch.autograd.grad(teacher_forced_batch(engine, some).forward(engine).nll(), back) for some in (FORGET, RETAIN)
    ]  # both sets fit into one batch, so the saliency is the gradient
    for mask, going, staying in zip(masks, *slopes, strict=True):
        clear = (going.abs() - staying.abs()).abs() > 1e-7
        assert torch.equal(mask[clear], (going.abs() > staying.abs())[clear])
    with MMUNLEARNER.unlearn(engine, FORGET, RETAIN, SETTINGS):
        moved = dict(engine.vlm.model.state_dict())
        for (name, _), mask in zip(layers.items(), masks, strict=True):
            before, after = weights[f"{name}.weight"], moved.pop(f"{name}.weight")
            assert torch.equal(before[~mask], after[~mask])
            assert (before[mask] != after[mask]).float().mean() > 0.9
        assert all(torch.equal(weights[name], value) for name, value in moved.items())


def test_manu_sets_the_stated_share_of_neurons_to_zero(engine: Engine, weights: dict[str, Tensor]) -> None:
    """Whole columns, of the blocks and the vision tower together, and nothing else."""
    layers = neuron_layers(engine.vlm, "language") | neuron_layers(engine.vlm, "vision")
    neurons = sum(layer.in_features for layer in layers.values())
    assert neurons == 2 * 640 + 4 * 512
    with MANU.unlearn(engine, FORGET, RETAIN, SETTINGS) as unlearned:
        dead = {name: (layer.weight == 0).all(dim=0) for name, layer in layers.items()}
        assert sum(int(columns.sum()) for columns in dead.values()) == round(SETTINGS.share * neurons)
        assert sum(len(value) for value in unlearned.artifact.values()) == round(SETTINGS.share * neurons)
        moved = dict(engine.vlm.model.state_dict())
        for name, columns in dead.items():
            assert torch.equal(moved.pop(f"{name}.weight")[:, ~columns], weights[f"{name}.weight"][:, ~columns])
        assert all(torch.equal(weights[name], value) for name, value in moved.items())


def test_manu_scores_neurons_that_only_the_forget_set_uses_highest(engine: Engine, weights: dict[str, Tensor]) -> None:
    """With the two sets exchanged, the strongest neuron's score falls."""
    layers = neuron_layers(engine.vlm, "language")
    scores = MANU.scores(engine, layers, FORGET, RETAIN, SETTINGS)
    exchanged = MANU.scores(engine, layers, RETAIN, FORGET, SETTINGS)
    same = MANU.scores(engine, layers, FORGET, FORGET, SETTINGS)
    for name in layers:
        strongest = scores[name].argmax()
        assert scores[name][strongest] > exchanged[name][strongest]
        assert same[name].max() <= 2  # two modalities, ratios of one


def test_streamed_moments_equal_those_of_the_whole() -> None:
    """I_abs, I_freq, I_var and I_rms, streamed in two pieces."""
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moments = ActivationMoments(3)
    moments.add(values[:20])
    moments.add(values[20:])
    expected = [
        values.abs().mean(0),
        (values.abs() > 0.1).double().mean(0),
        values.std(0, correction=0),
        (values**2).mean(0).sqrt(),
    ]
    assert torch.allclose(moments.importance(), torch.stack(expected))


@pytest.mark.parametrize("name", ["GA", "MMUnlearner"])
def test_nan_loss_is_refused_and_undone(
    name: str, engine: Engine, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the step and what to change; the base model is restored."""
    monkeypatch.setattr(TeacherForcedOutput, "nll", lambda taught: taught.logits.sum() * math.nan)
    with pytest.raises(Diverged, match=r"diverged at step 1: its loss is nan.*too large"):
        BASELINES[name].unlearn(engine, FORGET, RETAIN, SETTINGS)


@pytest.mark.parametrize("name", list(BASELINES))
def test_empty_sets_are_refused(name: str, engine: Engine, weights: dict[str, Tensor]) -> None:
    with pytest.raises(BadInput, match="forget set is empty"):
        BASELINES[name].unlearn(engine, [], RETAIN, SETTINGS)
    if name not in ("GA", "NPO"):
        with pytest.raises(BadInput, match="retain set"):
            BASELINES[name].unlearn(engine, FORGET, [], SETTINGS)


def test_manu_without_text_questions_in_the_retain_set_is_refused(engine: Engine, weights: dict[str, Tensor]) -> None:
    with pytest.raises(BadInput, match="no questions without a picture"):
        MANU.unlearn(engine, FORGET, RETAIN[:1], SETTINGS)


def test_examples_are_only_questions_with_a_known_answer() -> None:
    prompt = Prompt.ask("Where does Mara Novak live?")
    known = Question(prompt, "city", ("Oslo", "Christiania"), "p", "name", "trained", "qa")
    unknown = Question(prompt, "city", (), "p", "name", "trained", "qa")
    assert examples_of([known, unknown]) == [Example(prompt, "Oslo")]
