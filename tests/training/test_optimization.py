"""Training on a few people: the loss falls, the time limit ends it, and an interrupted run continues."""

from pathlib import Path

import pytest
import torch

from shared.evaluation.people import SPLITS
from shared.evaluation.synthetic_portraits import COUNTS
from training.mixture import build_curriculum
from training.optimization import Plan, Trainer, new_model
from training.tokenizer import build_processor

FEW = dict.fromkeys(SPLITS, 2)


def new_trainer(plan: Plan, checkpoints: Path | None = None) -> Trainer:
    """A tiny model and a mixture about two people of each split."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    processor = build_processor(2600)
    mixture = build_curriculum(1, FEW).mixture
    return Trainer(new_model(processor, layers=2, hidden=64), processor, mixture, plan, checkpoints)


def answer_loss(trainer: Trainer) -> float:
    """The loss on chats that are the same for every trainer."""
    mixture = build_curriculum(2, FEW).mixture
    packed = trainer.packer.pack([[mixture.portrait(), mixture.text()] for _ in range(4)])
    with torch.no_grad():
        return trainer.losses(packed).answers.item()


def test_forty_steps_lower_the_loss_by_a_third() -> None:
    trainer = new_trainer(Plan(steps=40, vision_steps=4, minutes=5, rows=4))
    before = answer_loss(trainer)
    trainer.train_vision()
    trainer.train_chats()
    assert answer_loss(trainer) < 0.7 * before


def test_time_limit_of_zero_leaves_the_weights_unchanged() -> None:
    trainer = new_trainer(Plan(steps=40, vision_steps=1, minutes=1e-9, rows=1))
    before = answer_loss(trainer)
    trainer.train_chats()
    assert answer_loss(trainer) == before


def test_new_trainer_resumes_from_the_newest_checkpoint(tmp_path: Path) -> None:
    """It takes over the weights, the heads and the number of the next step; two checkpoints are kept."""
    first = new_trainer(Plan(steps=3, vision_steps=1, minutes=5, rows=1), tmp_path)
    first.train_chats()
    for step in (0, 1, 2):
        first._save(step)
    second = new_trainer(Plan(steps=3, vision_steps=1, minutes=5, rows=1), tmp_path)
    torch.nn.init.normal_(second.heads.weight)
    assert second._resume() == 3
    assert answer_loss(second) == answer_loss(first)
    assert torch.equal(second.heads.weight, first.heads.weight)
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["000001", "000002"]
    second.train_chats()
    assert answer_loss(second) == answer_loss(first)


def test_run_without_checkpoint_folder_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer = new_trainer(Plan(steps=1, vision_steps=1, minutes=5, rows=1))
    trainer._save(0)
    assert trainer._resume() == 0
    assert not list(tmp_path.iterdir())


def test_heads_have_an_output_for_each_value_of_each_feature() -> None:
    trainer = new_trainer(Plan(steps=1, vision_steps=1, minutes=5))
    assert trainer.heads.out_features == sum(COUNTS.values())
