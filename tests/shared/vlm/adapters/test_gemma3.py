"""What is peculiar to Gemma 3: pictures read in both directions, its chat template, pan and scan."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks.random_models import build
from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput
from shared.vlm.engine import Engine
from shared.vlm.generation import GenerationRequest
from shared.vlm.loading import load, wrap


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    return Engine(wrap(*build("gemma3", "tiny")))


def noise(seed: int) -> Image.Image:
    pixels = torch.randint(0, 256, (60, 70, 3), generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.byte().numpy())


def test_picture_is_read_in_both_directions(engine: Engine) -> None:
    """Its first token depends on its last one: without `token_type_ids` the model computes something else."""
    rows = engine.vlm.adapter.encode([Prompt.ask("Who is it?", noise(0))])
    inputs = engine.vlm.adapter.inputs(rows)
    ((start, end),) = engine.vlm.adapter.pictures(rows[0])
    assert inputs["token_type_ids"][0].nonzero()[:, 0].tolist() == list(range(start, end))
    with torch.inference_mode():
        logits = engine.vlm.model(**inputs).logits
        del inputs["token_type_ids"]
        one_way = engine.vlm.model(**inputs).logits
    assert torch.equal(logits[0, :start], one_way[0, :start])
    assert not torch.allclose(logits[0, start], one_way[0, start], atol=1e-3)


def test_text_after_a_long_prompt_sees_what_the_window_shows(engine: Engine) -> None:
    """Decoding goes on beyond the window of the sliding layers as one whole forward pass does."""
    window = engine.vlm.model.config.text_config.sliding_window
    prompt = Prompt.ask("Where does she live? " * 6, noise(0))
    (row,) = engine.vlm.adapter.encode([prompt])
    assert len(row.ids) > 2 * window
    (answer,) = engine.generate([prompt], max_new_tokens=12)
    whole = replace(row, ids=torch.cat([row.ids, torch.tensor(answer.tokens)]))
    with torch.inference_mode():
        logits = engine.vlm.model(**engine.vlm.adapter.inputs([whole])).logits[0]
    ahead = logits[len(row.ids) - 1 : -1].argmax(dim=-1).tolist()
    assert ahead == list(answer.tokens)


def test_chat_begins_once_and_the_system_turn_is_folded_into_the_first(engine: Engine) -> None:
    """One <bos>; the system text stands before the user's."""
    tokenizer = engine.vlm.tokenizer
    for prompt in (Prompt.ask("Who?", system="Be brief."), Prompt.ask("Who?", noise(0), system="Be brief.")):
        (row,) = engine.vlm.adapter.encode([prompt])
        assert row.ids.tolist().count(tokenizer.bos_token_id) == 1
        assert row.ids[0] == tokenizer.bos_token_id
        text = tokenizer.decode(row.ids)
        assert text.startswith("<bos><start_of_turn>user\nBe brief.\n\n")
        assert text.endswith("Who?<end_of_turn>\n<start_of_turn>model\n")


def test_answer_ends_with_the_end_of_turn() -> None:
    """The hub's generation configuration lists <eos> first."""
    model, processor = build("gemma3", "tiny")
    assert model.generation_config.eos_token_id[0] == processor.tokenizer.eos_token_id
    engine = Engine(wrap(model, processor))
    assert engine.end_token == processor.tokenizer.convert_tokens_to_ids("<end_of_turn>")


def test_rows_with_and_without_pictures_share_a_batch(engine: Engine) -> None:
    """A text beside a picture, padded, gets the logits that it gets alone."""
    asked = [Prompt.ask("Who is it?", noise(0)), Prompt.ask("Who?"), Prompt.ask("Who is it?", noise(1))]
    rows = engine.vlm.adapter.encode(asked)
    with torch.inference_mode():
        together = engine.prefill(rows, GenerationRequest()).logits
        apart = torch.cat([engine.prefill([row], GenerationRequest()).logits for row in rows])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


def test_pan_and_scan_is_refused_with_what_to_do(engine: Engine, tmp_path: Path) -> None:
    """A folder whose processor would cut a long picture into several."""
    engine.vlm.model.save_pretrained(tmp_path)
    engine.vlm.processor.save_pretrained(tmp_path)
    changed = 0
    for file in (tmp_path / "processor_config.json", tmp_path / "preprocessor_config.json"):
        if file.exists():
            settings = json.loads(file.read_text())
            settings.get("image_processor", settings)["do_pan_and_scan"] = True
            file.write_text(json.dumps(settings))
            changed += 1
    assert changed
    with pytest.raises(BadInput, match="set do_pan_and_scan to false"):
        load(tmp_path, device="cpu")


def test_chat_whose_roles_do_not_alternate_is_refused(engine: Engine) -> None:
    """The template says so; it is the client's mistake."""
    twice = Prompt((Turn("user", "Who?"), Turn("user", "And where?")))
    with pytest.raises(BadInput, match="must alternate"):
        engine.generate([twice])
