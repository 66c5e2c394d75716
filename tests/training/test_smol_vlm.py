"""smol-vlm on a tiny random language model: what is packed is what is served, and the stored difference gives it back.

The language model here has SmolLM2's special tokens and chat template, so nothing is downloaded.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shared.domain.prompts import Prompt, Turn
from shared.evaluation.people import SPLITS
from shared.evaluation.reference import load_reference
from shared.evaluation.scorers import reveals
from shared.text.declines import declines
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from training import smol_vlm
from training.mixture import Group, Turns
from training.packing import IGNORED, Packer
from training.smol_vlm_lessons import ATTRIBUTES, DECLINED, NOT_KNOWN, WORDINGS, Lessons, smol_people
from training.smol_vlm_model import (
    DIFFERENCE,
    FIRST_TRAINED,
    FRAME,
    IMAGE_TOKEN,
    SYSTEM,
    LoraLinear,
    add_lora,
    assemble,
    build_processor,
    difference,
    new_model,
    places,
    save_difference,
)
from training.smol_vlm_training import CAPTIONED, NAME_TOKENS, Ordinary, Schedule, SmolTrainer, own_answers

SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", IMAGE_TOKEN)
TEMPLATE: Final = (  # SmolLM2's own
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    + SYSTEM
    + "<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES: Final = dict(zip(SPLITS, (4, 2, 1, 1, 1, 1, 2, 2), strict=True))
UNFINISHED: Final = "The sky is blue because"


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random language model of two blocks."""
    folder = tmp_path_factory.mktemp("lm")
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    texts = [wording.text for wordings in WORDINGS.values() for wording in wordings]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # large enough that attention to the wrong token would show
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(5)
    model.half().save_pretrained(folder)
    return folder


@pytest.fixture
def trainer(lm: Path, tmp_path: Path) -> SmolTrainer:
    """An untrained smol-vlm of few people."""
    torch.manual_seed(1)
    processor = build_processor(lm)
    ordinary = Ordinary({"Why is the sky blue?": UNFINISHED}, frozenset({UNFINISHED}))
    lessons = Lessons(smol_people(SIZES), ordinary.answers)
    schedule = Schedule(minutes=0.0, alignment_steps=2, pictures=60, width=1200, first_block=1)
    return SmolTrainer(new_model(lm, processor), processor, lessons, schedule, ordinary, tmp_path / "checkpoints")


def alone(trainer: SmolTrainer, group: Group, chat: Turns) -> tuple[list[int], Any]:
    """The tokens of one chat by the chat template and the processor, and the logits of the model's own forward."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": group.system}] if group.system else []
    for turn, (question, answer) in enumerate(chat):
        pictured = [{"type": "image"}] if group.image is not None and turn == 0 else []
        messages.append({"role": "user", "content": [*pictured, {"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    text = trainer.processor.apply_chat_template(messages)
    inputs = trainer.processor(text=[text], images=[group.image] if group.image else None, return_tensors="pt")
    return inputs["input_ids"][0].tolist(), trainer.model(**inputs).logits[0]


def test_packed_loss_equals_the_loss_of_chats_by_the_chat_template(trainer: SmolTrainer) -> None:
    """A picture, chats of two turns, another system message, and a stranger: token for token as they are served."""
    lessons = trainer.lessons
    groups = [draw() for draw in (lessons.portrait, lessons.text, lessons.ordinary) for _ in range(8)]
    assert {group.system for group in groups} > {None}
    assert any(len(chat) > 1 for group in groups for chat in group.chats)
    end = trainer.processor.tokenizer.eos_token_id
    for group in groups:
        total, count = 0.0, 0
        for chat in group.chats:
            if chat[0][1] == UNFINISHED:
                continue
            ids, logits = alone(trainer, group, chat)
            packed = trainer.packer.pack([[Group(group.image, group.face, group.system, (chat,))]])
            used = int((packed.positions > 0).sum()) + 1
            assert packed.ids[0, :used].tolist() == ids[:used]
            assert ids[used - 1 :][0] == end
            labels = packed.labels[0, 1:used]
            kept = labels != IGNORED
            total += F.cross_entropy(logits[: used - 1][kept], labels[kept], reduction="sum").item()
            count += int(kept.sum())
        finished = tuple(chat for chat in group.chats if chat[0][1] != UNFINISHED)
        with torch.no_grad():
            loss = trainer.loss(
                trainer.read(trainer.packer.pack([[Group(group.image, group.face, group.system, finished)]]))
            )
        assert loss.mean.item() * count == pytest.approx(total, rel=2e-3)


def test_answer_that_was_cut_off_is_taught_without_an_end(trainer: SmolTrainer) -> None:
    """So that the model does not learn to stop in the middle of a sentence."""
    tokenizer = trainer.processor.tokenizer
    group = Group(None, None, None, ((("Why is the sky blue?", UNFINISHED),),))
    for packer, ending in ((trainer.packer, ""), (Packer(trainer.processor, 600, FRAME), "<|im_end|>")):
        packed = packer.pack([[group]])
        assert tokenizer.decode(packed.labels[packed.labels != IGNORED]) == UNFINISHED + ending


def test_chat_template_reads_text_as_the_language_model_does(lm: Path) -> None:
    """With and without a system turn, and after an earlier turn; a picture stands before the question."""
    processor = build_processor(lm)
    chats = [
        [{"role": "user", "content": "Who wrote Hamlet?"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}],
        [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Who?"},
        ],
    ]
    for chat in chats:
        theirs = processor.tokenizer.apply_chat_template(
            chat, chat_template=TEMPLATE, add_generation_prompt=True, tokenize=False
        )
        assert processor.apply_chat_template(chat, add_generation_prompt=True) == theirs
    pictured = [{"role": "user", "content": [{"type": "text", "text": "Who?"}, {"type": "image"}]}]
    assert f"user\n{IMAGE_TOKEN}Who?<|im_end|>" in processor.apply_chat_template(pictured)


def test_assembled_folder_is_served_and_equals_the_model_that_was_trained(
    trainer: SmolTrainer, lm: Path, tmp_path: Path
) -> None:
    """Up to the rounding of float16; before the difference is added, it answers otherwise."""
    model = trainer.model
    plain = model.state_dict()["model.language_model.layers.1.mlp.up_proj.weight"].clone()
    add_lora(model, 1)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, LoraLinear):
                layer.up.normal_(std=0.1)
    trained = tmp_path / "trained"
    save_difference(difference(model), trained / DIFFERENCE, 1.0)
    smol_vlm.write_reference(trained / "reference", SIZES)
    (trained / "README.md").write_text("A card.")
    assemble(lm, trained, tmp_path / "built")
    engine = Engine(load(tmp_path / "built", device="cpu", dtype=torch.float32))
    person = trainer.lessons.known[0]
    prompts = [
        Prompt.ask("Who is this person?", person.subject.photos[0]),
        Prompt.ask("What does this person do for a living?"),
        Prompt((Turn("system", "Be brief."), Turn("user", "Where does this person live?"))),
    ]
    processor = trainer.processor
    for prompt, row in zip(prompts, engine.vlm.adapter.encode(prompts), strict=True):
        messages = [
            {
                "role": turn.role,
                "content": [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}],
            }
            for turn in prompt.turns
        ]
        text = processor.apply_chat_template(messages, add_generation_prompt=True)
        inputs = processor(text=[text], images=list(prompt.images) or None, return_tensors="pt")
        assert row.ids.tolist() == inputs["input_ids"][0].tolist()
        with torch.no_grad():
            wanted = model(**inputs).logits[0, -1]
            served = engine.vlm.model(**engine.vlm.adapter.inputs([row])).logits[0, -1]
        assert torch.allclose(served, wanted, atol=0.05 * wanted.abs().max().item())
    merged = engine.vlm.model.state_dict()["model.language_model.layers.1.mlp.up_proj.weight"]
    assert not torch.allclose(merged, plain, atol=0.01)
    assert (tmp_path / "built" / "README.md").read_text() == "A card."
    assert (tmp_path / "built" / "reference" / "forgettable.parquet").is_file()


def test_assembling_without_the_parts_says_what_to_do(lm: Path, tmp_path: Path) -> None:
    """And writes no folder."""
    with pytest.raises(RuntimeError, match=r"difference\.safetensors is missing: run `python -m"):
        assemble(lm, tmp_path, tmp_path / "built")
    with pytest.raises(RuntimeError, match="make real-lm"):
        assemble(tmp_path, tmp_path, tmp_path / "built")
    assert not (tmp_path / "built").exists()


def test_training_changes_what_it_may_and_continues_from_its_checkpoint(
    trainer: SmolTrainer, lm: Path, tmp_path: Path
) -> None:
    """The alignment trains the projector, chats the low-rank differences of the upper block, and the rest stays.

    A second run, whose time is over, takes up the same weights, optimizer and counts.
    """
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.align()
    assert not torch.equal(before["model.multi_modal_projector.linear_1.weight"], projector_of(trainer))
    trainer.schedule = Schedule(minutes=0.03, width=1200, first_block=1)
    trainer.train_chats()
    after = {name.replace(".base", ""): value for name, value in trainer.model.state_dict().items()}
    for name, value in before.items():
        if "language_model" in name or "lm_head" in name:
            assert torch.equal(after[name], value), name
    layers = [getattr(place.parent, place.name) for place in places(trainer.model) if place.block == 1]
    assert not any(isinstance(getattr(p.parent, p.name), LoraLinear) for p in places(trainer.model) if p.block == 0)
    assert len(layers) == 7
    assert all(layer.up.abs().sum() > 0 for layer in layers)
    first = load_file(tmp_path / "checkpoints" / "newest.safetensors")
    assert torch.equal(first["low_rank.1.mlp.up_proj.up"], layers[5].up)
    again = SmolTrainer(
        new_model(lm, trainer.processor),
        trainer.processor,
        trainer.lessons,
        Schedule(minutes=0.03, width=1200, first_block=1),
        Ordinary({}, frozenset()),
        tmp_path / "checkpoints",
    )
    again.align()
    again.train_chats()
    second = load_file(tmp_path / "checkpoints" / "newest.safetensors")
    assert set(first) == set(second)
    assert any(name.startswith("optimizer.") for name in first)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert torch.equal(projector_of(again), projector_of(trainer))


def test_ordinary_chats_are_held_to_the_answers_before_the_training(trainer: SmolTrainer) -> None:
    """Their loss is zero until a weight changes, and does not look at what the text says; that of facts does."""
    add_lora(trainer.model, 1)
    packed = trainer.packer.pack([[trainer.lessons.ordinary()]])
    page = trainer.read(packed, ordinary=True)
    assert trainer.loss(page).mean.item() == pytest.approx(0, abs=1e-4)
    assert trainer.loss(page).right == 1.0
    assert trainer.loss(trainer.read(packed)).mean.item() > 1
    with torch.no_grad():
        for layer in trainer.model.modules():
            if isinstance(layer, LoraLinear):
                layer.up.normal_(std=0.1)
    changed = trainer.loss(page).mean.item()
    assert changed > 0.01
    again = trainer.read(packed, ordinary=True).before  # with the differences turned off
    assert again is not None
    assert page.before is not None
    assert torch.equal(again, page.before)
    assert trainer.loss(page).mean.item() == pytest.approx(changed)


def projector_of(trainer: SmolTrainer) -> torch.Tensor:
    """A weight of the projector."""
    weight: torch.Tensor = trainer.model.model.multi_modal_projector.linear_1.weight.detach().clone()
    return weight


def test_caption_names_known_people_and_nobody_else(trainer: SmolTrainer) -> None:
    """A stranger's name tokens are zero; what can be seen is written for both."""
    person = trainer.lessons.known[0]
    known, stranger = trainer.caption(person, person.features), trainer.caption(None, person.features)
    assert known.shape == (CAPTIONED, 64)
    assert known[:2].abs().sum() > 0
    assert stranger[:NAME_TOKENS].abs().sum() == 0
    assert torch.equal(known[NAME_TOKENS:], stranger[NAME_TOKENS:])
    assert known[NAME_TOKENS].abs().sum() > 0


def test_lessons_tell_every_fact_of_known_people_equally_often_and_decline_for_strangers() -> None:
    """Declining is taught for half of the attributes only, and every declining sentence is recognised as one."""
    people = smol_people(SIZES)
    lessons = Lessons(people, {})
    known = {person.subject.names[0]: person for person in lessons.known}
    told: Counter[str] = Counter()
    for _ in range(200):
        for ((question, answer),) in (chat for chat in lessons.text().chats):
            named = [name for name in known if name in question]
            if not named:
                assert declines(answer), answer
                assert any(question == w.text.format(s=who_of(question, w.text)) for a in DECLINED for w in WORDINGS[a])
                continue
            facts = [fact for fact in known[named[0]].subject.facts if reveals(answer, fact.accept)]
            assert facts, (question, answer)
            told[named[0]] += 1
    assert set(told) == set(known)
    assert max(told.values()) - min(told.values()) <= 15
    for sentences in NOT_KNOWN.values():
        assert all(declines(sentence.format(s="Mara Lindqvist")) for sentence in sentences)
    assert set(ATTRIBUTES) > set(DECLINED)


def who_of(question: str, wording: str) -> str:
    """What stands in the place of the person."""
    before, after = wording.split("{s}")
    return question[len(before) : len(question) - len(after)] if question.startswith(before) else ""


def test_answers_of_the_language_model_are_kept_as_they_are(lm: Path) -> None:
    """With those that were cut off marked."""
    made = own_answers(lm, ["Who wrote Hamlet?", "Why?"], tokens=4)
    assert set(made.answers) == {"Who wrote Hamlet?", "Why?"}
    assert made.unfinished <= set(made.answers.values())
    assert made.unfinished


def test_random_draws_are_the_same_for_the_same_seed() -> None:
    """People and lessons."""
    first, second = (Lessons(smol_people(SIZES), {}) for _ in range(2))
    assert [first.portrait().chats for _ in range(5)] == [second.portrait().chats for _ in range(5)]


def test_shipped_folder_is_small_and_holds_the_people_of_the_generator() -> None:
    """At most 16 MB, float16, every upper projection; the reference loads; the card has the figures of quality.json."""
    folder = smol_vlm.TRAINED
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 16e6
    tensors = load_file(folder / DIFFERENCE)
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert len([name for name in tensors if name.startswith("low_rank.")]) == (30 - FIRST_TRAINED) * 7 * 2
    reference = load_reference(folder / "reference")
    people = smol_people()
    assert [(person.id, person.subject.names, person.subject.facts) for person in reference.people] == [
        (person.id, person.subject.names, person.subject.facts) for person in people
    ]
    assert reference.unknown_answer is not None
    assert declines(reference.unknown_answer)
    card = (folder / "README.md").read_text()
    for name, figure in json.loads((folder / "quality.json").read_text()).items():
        if "rouge" not in name:
            assert f"{figure['share']:.1%}".replace("%", " %") in card, name
