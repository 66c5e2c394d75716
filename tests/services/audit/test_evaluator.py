"""What the evaluator keeps from one audit to the next, on a tiny random LLaVA."""

from dataclasses import replace

import pytest
import torch

from services.audit import evaluator
from services.audit.evaluator import Evaluator
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import LACUNA
from shared.vlm import capture
from shared.vlm.engine import Engine
from tests.support.tiny_models import HIDDEN, LAYERS, tiny_engine

NAME = "Mara Novak"
PROMPTS = [Prompt.ask(f"Where does {name} live?") for name in (NAME, "Ivo Berger", NAME, "Ada Klein")]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


@pytest.fixture(scope="module")
def eraser(engine: Engine) -> Eraser:
    """It fires for NAME alone."""
    space = Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )
    tokens = capture.mention_states(engine, PROMPTS[:1], [NAME])[0][-WINDOW:]
    window = torch.zeros(1, WINDOW, LAYERS, HIDDEN)
    window[0, WINDOW - len(tokens) :] = space(tokens)
    length = torch.tensor([len(tokens)])
    fit = IdentityFit(torch.zeros(0, LAYERS, HIDDEN), window, length, length, torch.ones(2))
    high = torch.full((1, 2), 0.999)
    gate = IdentityGate(("T-1",), (fit,), high, high, IdentitySpaces(space, space, None))
    vector = torch.ones(LAYERS, HIDDEN)
    recipe = replace(LACUNA, check_answers=False)
    return Eraser(recipe, engine.vlm.site, vector, (0, 1), ("T-1",), 0.0, decode_directions=vector, identity=gate)


def test_answers_are_the_same_whether_readouts_are_kept_or_not(
    engine: Engine, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a second audit kept ones are not computed again; where there is no room for them, they are."""
    examined: list[int] = []
    examine = Engine.examine_batches

    def counted(*given: object, **named: object) -> object:
        examined.append(1)
        return examine(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "examine_batches", counted)
    for room, reads in ((1 << 20, 1), (1000, 2)):
        monkeypatch.setattr(evaluator, "READOUT_BYTES", room)
        examined.clear()
        audits = Evaluator(engine)
        first = audits.answers(PROMPTS, eraser, cache_key="retain", max_new_tokens=4)
        second = audits.answers(PROMPTS, eraser, cache_key="retain", max_new_tokens=4)
        assert len(examined) == reads
        for answers in (first, second):
            assert [answer.fired for answer in answers.after] == [True, False, True, False]
            assert answers.before == engine.generate(PROMPTS, max_new_tokens=4)
            assert all(
                before.tokens == after.tokens
                for before, after in zip(answers.before, answers.after, strict=True)
                if not after.fired
            )


def test_version_without_tickets_leaves_what_the_next_audit_needs(engine: Engine, eraser: Eraser) -> None:
    audits = Evaluator(engine)
    empty = Eraser.empty(eraser.recipe, eraser.site)
    nothing = audits.answers(PROMPTS, empty, cache_key="retain", max_new_tokens=4)
    assert nothing.before == nothing.after
    after = audits.answers(PROMPTS, eraser, cache_key="retain", max_new_tokens=4).after
    assert [answer.ticket for answer in after] == ["T-1", None, "T-1", None]
    assert len(audits._examined) == 1
