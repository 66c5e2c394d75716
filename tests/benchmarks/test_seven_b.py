"""The benchmark at 7B shapes runs on tiny models, and without a GPU it only reports that."""

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import seven_b
from benchmarks.random_models import build


def test_every_figure_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both families, all recipes, both batch sizes."""
    target = tmp_path / "seven_b.json"
    line = ["seven_b", "--tiny", "--prompts", "16", "--pairs", "1", "--decode", "3", "--json", str(target)]
    monkeypatch.setattr(sys, "argv", line)
    seven_b.main()
    report = json.loads(target.read_text())
    assert json.loads(capsys.readouterr().out) == report
    assert set(report["families"]) == {"llava", "qwen2_5_vl"}
    for figures in report["families"].values():
        assert figures["capture_prompts_per_s"] > 0
        assert figures["peak_bytes"] > 0
        assert min(figures[name]["basis_s"] for name in ("lacuna", "prototype", "paper")) > 0
        for batch in ("batch_1", "batch_32"):
            left = figures["steering"][batch]["speed_left"]
            assert set(left) == {"lacuna_silent", "lacuna_fired", "prototype_silent", "prototype_fired", "paper"}
            assert all(part > 0 for ratios in left.values() for part in ratios.values())


def test_without_a_gpu_it_says_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and no figure."""
    monkeypatch.setattr(sys, "argv", ["seven_b"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        seven_b.main()
    output = capsys.readouterr()
    assert ended.value.code == 2
    assert output.out == ""
    assert output.err == "There is no GPU here: the figures at 7B shapes have to wait for one.\n"


@pytest.mark.parametrize(
    ("family", "billions"),
    [
        ("llava", 7.06),
        ("qwen2_vl", 8.29),
        ("qwen2_5_vl", 8.29),
        ("qwen3_vl", 8.77),
        ("gemma3", 4.30),
        ("idefics3", 8.46),
        ("smolvlm", 2.25),
    ],
)
def test_seven_b_shapes_have_the_published_number_of_weights(family: str, billions: float) -> None:
    """On the meta device: nothing is allocated."""
    model, _ = build(family, "7b", device="meta")
    assert sum(value.numel() for value in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.005)
