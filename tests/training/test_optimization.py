"""Training on a few people: it learns, it stops with the clock, and an interrupted run goes on where it was."""

from pathlib import Path

import pytest
import torch

from shared.evaluation.synthetic_people import SPLITS
from shared.evaluation.synthetic_portraits import COUNTS
from training.mixture import mixture
from training.optimization import Plan, Trainer, new_model
from training.tokenizer import build_processor

FEW = dict.fromkeys(SPLITS, 2)


def new_trainer(plan: Plan, checkpoints: Path | None = None) -> Trainer:
    """A tiny model before two people of each split."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    processor = build_processor(2600)
    _, drawn = mixture(1, FEW)
    return Trainer(new_model(processor, layers=2, hidden=64), processor, drawn, plan, checkpoints)


def lesson_loss(trainer: Trainer) -> float:
    """Loss on lessons that are the same for every trainer."""
    _, drawn = mixture(2, FEW)
    packed = trainer.packer.pack([[drawn.portrait(), drawn.text()] for _ in range(4)])
    with torch.no_grad():
        return trainer.losses(packed)[0].item()


def test_it_learns() -> None:
    """Forty steps take the answers' loss well below where a random model begins."""
    trainer = new_trainer(Plan(steps=40, eye_steps=4, minutes=5, rows=4))
    before = lesson_loss(trainer)
    trainer.open_eyes()
    trainer.learn()
    assert lesson_loss(trainer) < 0.7 * before


def test_it_stops_with_the_clock() -> None:
    """No minutes, no steps: the weights stay as they were."""
    trainer = new_trainer(Plan(steps=40, eye_steps=1, minutes=1e-9, rows=1))
    before = lesson_loss(trainer)
    trainer.learn()
    assert lesson_loss(trainer) == before


def test_it_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """A new trainer takes weights, heads and the next step's number from the newest checkpoint, and keeps two."""
    first = new_trainer(Plan(steps=3, eye_steps=1, minutes=5, rows=1), tmp_path)
    first.learn()
    for step in (0, 1, 2):
        first._save(step)
    second = new_trainer(Plan(steps=3, eye_steps=1, minutes=5, rows=1), tmp_path)
    torch.nn.init.normal_(second.heads.weight)
    assert second._resume() == 3
    assert lesson_loss(second) == lesson_loss(first)
    assert torch.equal(second.heads.weight, first.heads.weight)
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["000001", "000002"]
    second.learn()
    assert lesson_loss(second) == lesson_loss(first)


def test_a_run_without_checkpoints_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder is named, nothing is written."""
    monkeypatch.chdir(tmp_path)
    trainer = new_trainer(Plan(steps=1, eye_steps=1, minutes=5, rows=1))
    trainer._save(0)
    assert trainer._resume() == 0
    assert not list(tmp_path.iterdir())


def test_heads_read_every_drawn_feature() -> None:
    """The eyes' own lesson has an answer for each value of each feature."""
    trainer = new_trainer(Plan(steps=1, eye_steps=1, minutes=5))
    assert trainer.heads.out_features == sum(COUNTS.values())
