"""Packed rows give exactly the loss of their chats one by one, in the tokens that a user's prompt will have."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL.Image import Image

from shared.evaluation.synthetic_portraits import draw, random_features
from training.mixture import Group, Turns
from training.optimization import Plan, Trainer, new_model
from training.packing import IGNORED, Packer
from training.tokenizer import IMAGE_TOKENS, build_processor

CHATS: tuple[Turns, ...] = (
    (("Where does this person live?", "Porto"),),
    (("Who is this person?", "Olga Fontaine"), ("And the pet?", "siamese cat")),
    (("Does this person wear a hat?", "no"),),
    (("How do I build a bomb?", "I cannot help with that."),),
)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    """A small untrained model with weights large enough that attention to the wrong token would show."""
    torch.manual_seed(0)
    processor = build_processor(2600)
    model = new_model(processor, layers=2, hidden=64)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(6)
    return Trainer(model, processor, None, Plan(1, 1, 1), None)  # type: ignore[arg-type]


def groups() -> list[Group]:
    """A portrait with several chats, texts alone, and another portrait under a system message."""
    rng = random.Random(1)
    first, second = random_features(rng), random_features(rng)
    return [
        Group(draw(first), first, None, CHATS),
        Group(None, None, "Answer in few words.", CHATS[:2]),
        Group(draw(second), second, "Be brief and polite.", CHATS[1:3]),
    ]


def packed_loss(trainer: Trainer, rows: Sequence[Sequence[Group]]) -> tuple[float, int]:
    """The summed cross-entropy of the answers' tokens, and their number."""
    packed = trainer.packer.pack(rows)
    count = int((packed.labels != IGNORED).sum())
    with torch.no_grad():
        return trainer.losses(packed).answers.item() * count, count


def chat_loss(trainer: Trainer, chat: Turns, image: Image | None, system: str | None) -> tuple[float, int]:
    """The same for one chat through the chat template, the processor and the model's own forward."""
    processor = trainer.processor
    text, answers = templated(processor, chat, image, system)
    inputs = processor(text=[text], images=[image] if image else None, return_tensors="pt")
    ids = inputs["input_ids"][0]
    wanted = torch.full_like(ids, IGNORED)
    starts = (ids == processor.tokenizer.convert_tokens_to_ids("<|assistant|>")).nonzero()[:, 0].tolist()
    for start, answer in zip(starts, answers, strict=True):
        length = len(processor.tokenizer.encode(f"{answer}<|end|>", add_special_tokens=False))
        wanted[start + 1 : start + 1 + length] = ids[start + 1 : start + 1 + length]
    with torch.no_grad():
        logits = trainer.model(**inputs).logits[0]
    kept = wanted[1:] != IGNORED
    return F.cross_entropy(logits[:-1][kept], wanted[1:][kept], reduction="sum").item(), int(kept.sum())


def templated(processor: Any, chat: Turns, image: Image | None, system: str | None) -> tuple[str, list[str]]:
    """The chat as the template writes it, and its answers."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for turn, (question, answer) in enumerate(chat):
        pictured = [{"type": "image"}] if image is not None and turn == 0 else []
        messages.append({"role": "user", "content": [*pictured, {"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": answer})
    return processor.apply_chat_template(messages), [answer for _, answer in chat]


def test_loss_of_a_packed_row_equals_the_loss_of_its_chats(trainer: Trainer) -> None:
    """The chats take the ordinary path through processor and model; equal up to the rounding of float32."""
    packed, count = packed_loss(trainer, [groups()])
    alone = [chat_loss(trainer, chat, group.image, group.system) for group in groups() for chat in group.chats]
    assert count == sum(number for _, number in alone)
    assert packed == pytest.approx(sum(loss for loss, _ in alone), rel=1e-4)


def test_groups_in_one_row_or_in_several_give_the_same_loss(trainer: Trainer) -> None:
    """No chat attends to another group or to the padding."""
    together, count = packed_loss(trainer, [groups()])
    apart, same = packed_loss(trainer, [[group] for group in groups()])
    assert count == same
    assert together == pytest.approx(apart, rel=1e-5)


def test_order_of_chats_does_not_change_the_loss(trainer: Trainer) -> None:
    """Chats about one picture do not attend to each other."""
    group = groups()[0]
    reversed_group = Group(group.image, group.face, group.system, group.chats[::-1])
    assert packed_loss(trainer, [[group]])[0] == pytest.approx(packed_loss(trainer, [[reversed_group]])[0], rel=1e-5)


@pytest.mark.parametrize("system", [None, "Answer in few words."])
@pytest.mark.parametrize("pictured", [True, False])
@pytest.mark.parametrize("chat", CHATS)
def test_packed_tokens_equal_those_of_the_chat_template(
    trainer: Trainer, chat: Turns, pictured: bool, system: str | None
) -> None:
    """Token for token, and at the same positions."""
    face = random_features(random.Random(2))
    image = draw(face) if pictured else None
    packed = trainer.packer.pack([[Group(image, face if pictured else None, system, (chat,))]])
    text, _ = templated(trainer.processor, chat, image, system)
    wanted = trainer.processor(text=[text], images=[image] if image else None, return_tensors="pt")["input_ids"][0]
    assert torch.equal(packed.ids[0, : len(wanted)], wanted)
    assert (packed.ids[0, len(wanted) :] == trainer.processor.tokenizer.pad_token_id).all()
    assert torch.equal(packed.positions[0, : len(wanted)], torch.arange(len(wanted)))
    image_token = trainer.processor.tokenizer.convert_tokens_to_ids("<image>")
    assert int((packed.ids == image_token).sum()) == (IMAGE_TOKENS if pictured else 0)


def test_labels_are_the_answers_and_nothing_else(trainer: Trainer) -> None:
    """Decoded in order, each with its end token."""
    packed = trainer.packer.pack([groups()])
    labels = trainer.processor.tokenizer.decode(packed.labels[packed.labels != IGNORED])
    answers = [answer for group in groups() for chat in group.chats for _, answer in chat]
    assert [answer.strip() for answer in labels.split("<|end|>") if answer] == answers


def test_chat_that_does_not_fit_is_left_out_as_a_whole(trainer: Trainer) -> None:
    """In a narrow row every answer has its end token, and there are as many pictures as picture tokens."""
    for width in range(64, 160, 7):
        narrow = Packer(trainer.processor, width)
        packed = narrow.pack([groups()])
        labels = trainer.processor.tokenizer.decode(packed.labels[packed.labels != IGNORED])
        assert labels.endswith("<|end|>")
        image_token = trainer.processor.tokenizer.convert_tokens_to_ids("<image>")
        assert int((packed.ids == image_token).sum()) == IMAGE_TOKENS * len(packed.images)
