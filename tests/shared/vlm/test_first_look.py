"""What shows only when a model is run: it is refused in a sentence, or noted; what merely looks odd is served."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from benchmarks.random_models import build
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.engine import Engine
from shared.vlm.loading import load

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama as `save_pretrained` writes it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("saved")
    model, processor = build("llama", "tiny")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be changed; its path has a blank and an umlaut."""
    return Path(shutil.copytree(saved, tmp_path / "ein Modell für mich"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rebuild(folder: Path, **values: Any) -> None:
    """Random weights for a changed configuration."""
    change(folder / "config.json", **values)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)


def refusal(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        load(folder, device="cpu")
    assert "\n" not in caught.value.detail
    return caught.value.detail


def answers(folder: Path) -> list[str]:
    """Of two prompts of different lengths together."""
    engine = Engine(load(folder, device="cpu"))
    asked = [Prompt.ask("Who is it?"), Prompt.ask("Who is this person and where does she live?")]
    return [answer.text for answer in engine.generate(asked, max_new_tokens=4)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    """Such a model answers nothing, and no gate could fire."""
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][0, 0] = value
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert "are no numbers (NaN or infinite), for example in model.layers.1.mlp.up_proj.weight" in refusal(folder)


def test_configuration_with_which_the_model_cannot_be_run_is_refused(folder: Path) -> None:
    """Three groups of keys for four heads can be loaded."""
    rebuild(folder, num_key_value_heads=3)
    assert "is loaded, but cannot be run" in refusal(folder)


@pytest.mark.parametrize(
    "parts",
    [
        {"attention_bias": True, "mlp_bias": True},
        {"num_key_value_heads": 1},
        {"head_dim": 24},
        {"tie_word_embeddings": True},
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
        {"vocab_size": 1024},
        {"max_position_embeddings": 256},
    ],
)
def test_odd_parts_of_a_family_are_served(folder: Path, parts: dict[str, Any]) -> None:
    rebuild(folder, **parts)
    assert len(answers(folder)) == 2


def test_tokens_without_an_embedding_are_refused(folder: Path) -> None:
    """A client who types one would stop the model."""
    rebuild(folder, vocab_size=300)
    assert "tokens that the model has no embedding for (it has 300), for example" in refusal(folder)


def test_padding_token_without_an_embedding_is_served(folder: Path) -> None:
    """Added by those who fine-tune; a batch is padded with another then, and typed it is text."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    count = len(tokenizer["model"]["vocab"])
    added = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokenizer["added_tokens"].append({"id": count, "content": "[PAD]", "special": True, **added})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    change(folder / "tokenizer_config.json", pad_token="[PAD]")
    rebuild(folder, vocab_size=count)
    assert len(answers(folder)) == 2
    engine = Engine(load(folder, device="cpu"))
    assert engine.generate([Prompt.ask("What is [PAD]?")], max_new_tokens=1)


def test_settings_that_are_not_applied_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(folder / "generation_config.json", repetition_penalty=1.3, suppress_tokens=[5], num_beams=4)
    load(folder, device="cpu")
    assert "sets num_beams, repetition_penalty, suppress_tokens, which is not applied" in caplog.text


def test_settings_without_effect_are_not_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each request states how its tokens are drawn."""
    plain = {"do_sample": True, "temperature": 0.6, "top_k": 20, "repetition_penalty": 1.0, "max_length": 20}
    change(folder / "generation_config.json", **plain)
    load(folder, device="cpu")
    assert "not applied" not in caplog.text


@pytest.mark.parametrize(("form", "noted"), [("%d %B %Y", False), ("%H:%M:%S.%f", True), ("%f", True)])
def test_time_in_a_chat_template_stands_still_for_a_day(
    folder: Path, form: str, *, noted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A day alone is written as it is; a time of day would make every answer another one, and is noted."""
    (folder / "chat_template.jinja").write_text("{{ strftime_now('" + form + "') }}" + CHATML)
    vlm = load(folder, device="cpu")
    renderings = {tuple(vlm.adapter.encode([Prompt.ask("Who is it?")])[0].ids.tolist()) for _ in range(5)}
    assert len(renderings) == 1
    assert ("writes the time of day" in caplog.text) == noted


@pytest.mark.parametrize("ends", [99999, -1, "2", []])
def test_impossible_end_tokens_are_left_out(folder: Path, ends: Any) -> None:
    """The token that the chat template writes after a turn ends an answer all the same."""
    (folder / "chat_template.jinja").write_text(CHATML.replace("<|im_end|>", "<|eot_id|>"))
    change(folder / "generation_config.json", eos_token_id=ends)
    engine = Engine(load(folder, device="cpu"))
    assert engine.end_tokens == {engine.vlm.tokenizer.convert_tokens_to_ids("<|eot_id|>")}


@pytest.mark.parametrize("named", ["wonder", "cuda:99"])
def test_device_that_is_not_there_is_refused(folder: Path, named: str) -> None:
    with pytest.raises(BadInput, match=f"The device {named} cannot be used here .*LACUNA_DEVICE"):
        load(folder, device=named)
