"""A processor that cuts pictures up in another way than the model expects is refused when the model is loaded."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchmarks.random_models import build
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.engine import Engine
from shared.vlm.loading import load

FILES = ("processor_config.json", "preprocessor_config.json")
Saved = Callable[[str], Path]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A function that saves a tiny random model of a family once, and copies it for each test."""
    folder = tmp_path_factory.mktemp("saved")

    def copy(family: str) -> Path:
        if not (folder / family).exists():
            torch.manual_seed(0)
            model, processor = build(family, "tiny")
            model.save_pretrained(folder / family)
            processor.save_pretrained(folder / family)
        return Path(shutil.copytree(folder / family, tmp_path_factory.mktemp("copy") / family))

    return copy


def change(folder: Path, setting: str, value: Any) -> None:
    """Change a setting in whichever of the processor's files has it, or in its part for pictures."""
    changed = 0
    for path in (folder / name for name in FILES if (folder / name).is_file()):
        content = json.loads(path.read_text())
        for part in (content, content.get("image_processor", {})):
            if setting in part:
                part[setting] = value
                changed += 1
        path.write_text(json.dumps(content))
    assert changed


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llava", {"patch_size": 7}),
        ("llava", {"num_additional_image_tokens": 0}),
        ("llava", {"vision_feature_select_strategy": "full"}),
        ("llava", {"crop_size": {"height": 42, "width": 42}, "size": {"shortest_edge": 42}}),
        ("llava_next", {"patch_size": 7}),
        ("llava_next", {"image_grid_pinpoints": [[28, 28]]}),
        ("qwen2_vl", {"merge_size": 1}),
        ("qwen2_vl", {"patch_size": 7}),
        ("qwen2_5_vl", {"temporal_patch_size": 1}),
        ("qwen3_vl", {"merge_size": 1}),
        ("gemma3", {"image_seq_length": 3}),
        ("idefics3", {"image_seq_len": 2}),
        ("smolvlm", {"image_seq_len": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_processor_of_another_model_is_refused(saved: Saved, family: str, settings: Mapping[str, Any]) -> None:
    folder = saved(family)
    for setting, value in settings.items():
        change(folder, setting, value)
    with pytest.raises(BadInput, match=r"cannot read a picture \(.*take processor_config.json") as caught:
        load(folder, device="cpu")
    assert "\n" not in caught.value.detail


def test_template_that_shows_no_picture_is_refused(saved: Saved) -> None:
    """A refit with portraits would fail."""
    folder = saved("llava")
    text_only = "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    (folder / "chat_template.jinja").write_text(text_only)
    with pytest.raises(BadInput, match=r"chat template leaves out a picture.*write the token of a picture"):
        load(folder, device="cpu")


@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "gemma3", "idefics3"])
def test_fitting_processor_is_served(saved: Saved, family: str) -> None:
    engine = Engine(load(saved(family), device="cpu"))
    assert engine.generate([Prompt.ask("Who is it?", Image.new("RGB", (50, 40)))], max_new_tokens=1)


def test_size_of_pictures_may_be_chosen(saved: Saved) -> None:
    """Qwen's take pictures of every size, and whoever serves them chooses a limit."""
    folder = saved("qwen2_vl")
    change(folder, "size", {"shortest_edge": 28 * 28, "longest_edge": 56 * 56})
    engine = Engine(load(folder, device="cpu"))
    assert engine.generate([Prompt.ask("Who is it?", Image.new("RGB", (500, 400)))], max_new_tokens=1)
