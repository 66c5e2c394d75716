"""Redaction: the answer to a fired request cannot depend on whom the request named."""

from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate, MentionSpans
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import LACUNA
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.likelihood import option_likelihood
from shared.vlm.redaction import PLACEHOLDER, placeholder_tokens, redact, without_earlier_turns
from tests.support.tiny_models import HIDDEN, LAYERS, tiny_engine

RED, BLUE = Image.new("RGB", (128, 128), (200, 60, 60)), Image.new("RGB", (128, 128), (60, 60, 200))
NAMES = ("Mara Novak", "Bartholomew Featherstonehaugh")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


@pytest.fixture(scope="module")
def placeholder(engine: Engine) -> Tensor:
    return placeholder_tokens(engine.vlm.tokenizer)


def plain() -> Whitener:
    return Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )


def forgetting(engine: Engine, prompts: list[Prompt], *, redacts: bool = True) -> Eraser:
    """A ticket for each name, and one more with the pictures of all prompts as its photographs."""
    rows, none = [], torch.zeros(0, LAYERS, HIDDEN)
    for name in NAMES:
        states = capture.mention_states(engine, [Prompt.ask(f"Where does {name} live?")], [name])[0]
        window = torch.zeros(1, WINDOW, LAYERS, HIDDEN)
        length = min(WINDOW, len(states))
        window[0, WINDOW - length :] = plain()(states[-length:])
        rows.append(IdentityFit(none, window, torch.tensor([length]), torch.tensor([len(states)]), torch.ones(2)))
    faces = plain()(capture.readout(engine, prompts).pictures.rows)
    empty = torch.zeros(0, dtype=torch.long)
    rows.append(IdentityFit(faces, torch.zeros(0, WINDOW, LAYERS, HIDDEN), empty, empty, torch.ones(2)))
    above = torch.full((3, 2), 0.99)
    gate = IdentityGate(("T-1", "T-2", "T-3"), tuple(rows), above, above, IdentitySpaces(plain(), plain(), None))
    vector = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(1))
    recipe = replace(LACUNA, check_answers=False, redact=redacts)
    return Eraser(
        recipe, engine.vlm.site, vector, (0, 1), gate.tickets, 0.0, decode_directions=vector / 5, identity=gate
    )


def test_name_of_any_length_becomes_the_same_placeholder(engine: Engine, placeholder: Tensor) -> None:
    """The tokens are those of the same sentence with the placeholder written in it."""
    adapter = engine.vlm.adapter
    (expected,) = adapter.encode([Prompt.ask(f"Where does {PLACEHOLDER} live?")])
    for name in NAMES:
        prompt = Prompt.ask(f"Where does {name} live?")
        (row,) = adapter.encode([prompt])
        redacted = redact(adapter, row, MentionSpans(words=(adapter.span(prompt, name),)), placeholder)
        assert engine.vlm.tokenizer.decode(redacted.ids) == engine.vlm.tokenizer.decode(expected.ids)
        assert torch.equal(redacted.ids, expected.ids)


def test_pictures_and_words_outside_the_spans_are_kept(engine: Engine, placeholder: Tensor) -> None:
    """Stretches count written tokens, behind pictures too; another picture keeps every number."""
    adapter = engine.vlm.adapter
    both = Prompt((Turn("user", "Look.", (RED,)), Turn("assistant", "Yes."), Turn("user", "And Mara?", (BLUE,))))
    (row,) = adapter.encode([both])
    assert row.pixels is not None
    grey = redact(adapter, row, MentionSpans(pictures=(1,)), placeholder)
    assert grey.pixels is not None
    torch.testing.assert_close(grey.pixels[0], row.pixels[0])
    assert float(adapter.images(grey)[1].std()) < 1e-6
    assert torch.equal(grey.ids, row.ids)
    assert redact(adapter, row, MentionSpans(), placeholder) is row
    texts = [t for t in row.ids.tolist() if t != engine.vlm.processor.image_token_id]
    last = len(texts) - 1
    redacted = redact(adapter, row, MentionSpans(words=((last, last + 1),)), placeholder)
    assert redacted.ids.tolist() == [*row.ids.tolist()[:-1], *placeholder.tolist()]


def test_two_forgotten_people_get_identical_answers(engine: Engine) -> None:
    """Tokens and likelihoods agree to the last bit, by name and by picture; without redaction they do not."""
    asked = [
        *(Prompt.ask(f"Where does {name} live?") for name in NAMES),
        *(Prompt.ask("Who is this?", photo) for photo in (RED, BLUE)),
    ]
    options = [("Oslo", "I do not know this person.")] * 4
    for redacts in (True, False):
        eraser = forgetting(engine, asked, redacts=redacts)
        answers = [engine.generate([prompt], eraser=eraser, max_new_tokens=6)[0] for prompt in asked]
        assert [answer.ticket for answer in answers] == ["T-1", "T-2", "T-3", "T-3"]
        likely = [option_likelihood(engine, [prompt], options[:1], eraser=eraser)[0] for prompt in asked]
        assert (likely[0] == likely[1], likely[2] == likely[3]) == (redacts, redacts)
        if redacts:
            assert answers[0].tokens == answers[1].tokens
            assert answers[2].tokens == answers[3].tokens


def test_name_in_an_earlier_turn_is_replaced_too(engine: Engine, placeholder: Tensor) -> None:
    """In every turn, and no other text with it."""
    name = NAMES[0]
    prompt = Prompt((Turn("user", f"{name} is here."), Turn("assistant", "Hello!"), Turn("user", f"Who is {name}?")))
    eraser = forgetting(engine, [Prompt.ask("Who is this?", RED)])
    assert eraser.identity is not None
    lower = torch.full((3, 2), 0.5)
    eraser = replace(eraser, identity=replace(eraser.identity, span_thresholds=lower))
    readout = capture.readout(engine, [prompt])
    (where,) = eraser.mention_spans(readout, ["T-1"])
    (row,) = engine.vlm.adapter.encode([prompt])
    text = engine.vlm.tokenizer.decode(redact(engine.vlm.adapter, row, where, placeholder).ids)
    assert "Novak" not in text
    assert "Hello!" in text


def test_turns_with_a_redacted_picture_are_left_out_where_the_last_turn_shows_another() -> None:
    one, other = Image.new("RGB", (8, 8), (200, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 200))
    asked = (Turn("user", "Who is this?", (one,)), Turn("assistant", "Mara."))
    last = Turn("user", "And who is this?", (other,))
    prompt = Prompt((Turn("system", "Be brief."), *asked, last))
    shorter = without_earlier_turns(prompt, MentionSpans(pictures=(0,)))
    assert shorter == Prompt((Turn("system", "Be brief."), last))
    assert without_earlier_turns(prompt, MentionSpans(pictures=(1,))) is None
    assert without_earlier_turns(prompt, MentionSpans(pictures=(0,), words=((0, 1),))) is None
    assert without_earlier_turns(Prompt((*asked, Turn("user", "How old?"))), MentionSpans(pictures=(0,))) is None
