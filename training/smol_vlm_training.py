"""Trains smol-vlm: first the picture tokens, then LoRA on packed chats.

1. Alignment. The vision encoder starts from the demo model's, which recognises the drawn features. With the projector
   it learns to write a caption: the first picture tokens approach the embeddings of the person's name (zero for a
   stranger), the next ones those of what can be seen.
2. Chats. Encoder and projector stay as they are. The upper blocks of the language model get a low-rank difference of
   every projection, trained on the answers with AdamW in one cycle that ends with the time. A row is used
   several times: what the blocks below make of it never changes, so it is computed once and kept.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from shared.evaluation.synthetic_people import SyntheticPerson
from shared.evaluation.synthetic_portraits import Features, visible_truth
from training.mixture import Group
from training.optimization import set_rate
from training.packing import IGNORED, Packed, Packer
from training.smol_vlm_lessons import BY_NAME, NAMED, Lessons
from training.smol_vlm_model import (
    FIRST_TRAINED,
    FRAME,
    LoraLinear,
    add_lora,
    difference,
    load_lora,
    load_vision,
    save_difference,
    without_lora,
)

logger = logging.getLogger(__name__)

NAME_TOKENS: Final = 8
SEEN: Final = ("background", "glasses", "hat")
CAPTIONED: Final = NAME_TOKENS + len(SEEN)  # the other picture tokens are free
SHARPNESS: Final = 100.0  # squared distance of two names, by the embeddings' variance, is some 3,000
ALIGNED: Final = "aligned.safetensors"
NEWEST: Final = "newest.safetensors"
OPTIMIZER: Final = "optimizer."


@dataclass(frozen=True)
class Schedule:
    """`minutes` of training on chats, in steps of `rows` rows of at most `width` tokens.

    `pictures` are drawn for the alignment; everybody has `portraits` rows of chats with a picture, and there are
    `ordinary` rows of ordinary chats. A row is used `uses`
    times, then drawn anew.
    """

    minutes: float
    alignment_steps: int = 1500
    pictures: int = 3000
    encoder_rate: float = 2e-3
    rows: int = 2
    width: int = 304
    portraits: int = 2
    rate: float = 1.5e-3
    ordinary: int = 50
    ordinary_weight: float = 1.0
    uses: int = 5
    first_block: int = FIRST_TRAINED


@dataclass(frozen=True)
class Album:
    """Pictures as the encoder reads them, their captions, and whom they show (a number among everybody)."""

    pixels: Tensor
    captions: Tensor
    who: Tensor


@dataclass(frozen=True)
class Page:
    """A packed row in the middle of the network: states [1, T, d] in half precision, labels and positions [1, T].

    `mask` [1, 1, T, T] is true where a token sees another. `before` are the last states of the answers' tokens as they
    were before the training, for ordinary chats.
    """

    states: Tensor
    labels: Tensor
    positions: Tensor
    mask: Tensor
    before: Tensor | None = None


@dataclass(frozen=True)
class RowLoss:
    """The mean cross-entropy of a row's answer tokens, and the share of them that is the likeliest token."""

    mean: Tensor
    right: float


@dataclass(frozen=True)
class Ordinary:
    """The language model's own answers to ordinary prompts; `unfinished` are those that were cut off."""

    answers: Mapping[str, str]
    unfinished: frozenset[str]


@torch.inference_mode()
def own_answers(lm: Path, prompts: Sequence[str], tokens: int = 40) -> Ordinary:
    """What the language model in folder `lm` answers, greedily, in at most so many tokens."""
    model = AutoModelForCausalLM.from_pretrained(lm, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(lm, padding_side="left")
    end = tokenizer.eos_token_id
    answers: dict[str, str] = {}
    unfinished = []
    for at in range(0, len(prompts), 16):
        window = prompts[at : at + 16]
        inputs = tokenizer.apply_chat_template(
            [[{"role": "user", "content": prompt}] for prompt in window],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        whole = model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
        for prompt, row in zip(window, whole[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            text = tokenizer.decode(row[: row.index(end)] if end in row else row)
            answers[prompt] = text
            if end not in row:
                unfinished.append(text)
    return Ordinary(answers, frozenset(unfinished))


class SmolTrainer:
    """One smol-vlm in training; everything that it needs to continue is in the folder `checkpoints`."""

    def __init__(
        self, model: Any, processor: Any, lessons: Lessons, schedule: Schedule, ordinary: Ordinary, checkpoints: Path
    ) -> None:
        self.model, self.processor, self.lessons, self.schedule = model, processor, lessons, schedule
        self.packer = Packer(processor, schedule.width, FRAME, ordinary.unfinished)
        self._folder = checkpoints
        checkpoints.mkdir(parents=True, exist_ok=True)

    def align(self) -> None:
        """Train encoder and projector on captions; nothing where a checkpoint is there."""
        if (self._folder / ALIGNED).is_file():
            load_vision(self.model, load_file(self._folder / ALIGNED))
            return
        core = self.model.model
        encoder, projector = core.vision_tower, core.multi_modal_projector
        scale = core.language_model.embed_tokens.weight.std().item()
        rates = [self.schedule.encoder_rate, self.schedule.encoder_rate]
        optimizer = torch.optim.AdamW(
            [{"params": encoder.parameters()}, {"params": projector.parameters()}], betas=(0.9, 0.98), weight_decay=0.0
        )
        began = time.monotonic()
        album = self._album()
        somebody = torch.stack([self.caption(person, self.lessons.known[0].features) for person in self._everybody])
        names = somebody[:, :NAME_TOKENS].flatten(1) / scale
        for step in range(self.schedule.alignment_steps):
            set_rate(optimizer, rates, step / self.schedule.alignment_steps)
            chosen = torch.randint(len(album.who), (48,))
            written = self._written(album.pixels[chosen])[:, :CAPTIONED] / scale
            wanted, who = album.captions[chosen] / scale, album.who[chosen]
            similar = -torch.cdist(written[:, :NAME_TOKENS].flatten(1), names).square() / SHARPNESS
            loss = (written - wanted).square().mean() + 0.3 * F.cross_entropy(similar, who)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*encoder.parameters(), *projector.parameters()], 1.0)
            optimizer.step()
            if step % 25 == 0:
                right = (similar.argmax(1) == who).float().mean().item()
                self._log(part="alignment", step=step, loss=loss.item(), right=right, seconds=time.monotonic() - began)
        save_difference(difference(self.model), self._folder / ALIGNED, 1.0)

    @property
    def _everybody(self) -> list[SyntheticPerson | None]:
        """The known people, and nobody."""
        return [*self.lessons.known, None]

    def _album(self) -> "Album":
        """Changed pictures of the known people, and as many strangers, drawn once: drawing is slower than a step."""
        drawn = [self.lessons.face() for _ in range(self.schedule.pictures)]
        everybody = self._everybody
        with torch.no_grad():
            captions = torch.stack([self.caption(person, face) for person, face, _ in drawn])
        pixels = self._pixels([image for _, _, image in drawn])
        return Album(pixels, captions, torch.tensor([everybody.index(person) for person, _, _ in drawn]))

    def caption(self, person: SyntheticPerson | None, face: Features) -> Tensor:
        """What the first picture tokens approach [CAPTIONED, d]; zero where there is nothing to say."""
        embedding = self.model.model.language_model.embed_tokens.weight
        target = torch.zeros(CAPTIONED, embedding.shape[1])
        if person is not None:
            for place, token in enumerate(self._tokens(f" {person.subject.names[0]}")[:NAME_TOKENS]):
                target[place] = embedding[token].detach()
        truth = visible_truth(face)
        for place, attribute in enumerate(SEEN, NAME_TOKENS):
            word = {"yes": attribute, "no": ""}.get(truth[attribute], truth[attribute])
            for token in self._tokens(f" {word}")[:1] if word else []:
                target[place] = embedding[token].detach()
        return target

    def train_chats(self) -> None:
        """Train the low-rank differences on chats until the time is over."""
        model, schedule = self.model, self.schedule
        add_lora(model, schedule.first_block)
        low_rank = [p for layer in model.modules() if isinstance(layer, LoraLinear) for p in (layer.down, layer.up)]
        optimizer = torch.optim.AdamW(low_rank, betas=(0.9, 0.98), weight_decay=0.0)
        state = self._resume(optimizer)
        began = saved = time.monotonic() - state["seconds"]
        step, tokens = int(state["step"]), int(state["tokens"])
        self.lessons.start(step)
        recent: list[RowLoss] = []
        pages = self._pages()
        while (seconds := time.monotonic() - began) < schedule.minutes * 60:
            set_rate(optimizer, [schedule.rate], seconds / (schedule.minutes * 60))
            optimizer.zero_grad()
            for page in (next(pages) for _ in range(schedule.rows)):
                result = self.loss(page)
                (result.mean / schedule.rows).backward()
                recent.append(RowLoss(result.mean.detach(), result.right))
                tokens += page.states.shape[1]
            nn.utils.clip_grad_norm_(low_rank, 1.0)
            optimizer.step()
            step += 1
            if step % 10 == 0:
                self._log(
                    part="chats",
                    step=step,
                    tokens=tokens,
                    seconds=seconds,
                    tokens_a_second=tokens / (time.monotonic() - began),
                    loss=sum(row.mean.item() for row in recent) / len(recent),
                    right=sum(row.right for row in recent) / len(recent),
                    cpu_seconds=time.process_time(),
                )
                recent = []
            if time.monotonic() - saved > 240:
                self._save(optimizer, step=step, tokens=tokens, seconds=time.monotonic() - began)
                saved = time.monotonic()
        self._save(optimizer, step=step, tokens=tokens, seconds=time.monotonic() - began)

    def loss(self, page: "Page") -> "RowLoss":
        """Of one row: cross-entropy of the answers' tokens; for ordinary chats the divergence from the model before."""
        logits = self.model.lm_head(self._upper(page))
        wanted = page.labels[:, 1:][page.labels[:, 1:] != IGNORED]
        right = (logits.argmax(1) == wanted).float().mean().item()
        if page.before is None:
            return RowLoss(F.cross_entropy(logits, wanted), right)
        with torch.no_grad():
            before = self.model.lm_head(page.before).log_softmax(-1)
        divergence = F.kl_div(logits.log_softmax(-1), before, log_target=True, reduction="batchmean")
        return RowLoss(
            self.schedule.ordinary_weight * divergence, (logits.argmax(1) == before.argmax(1)).float().mean().item()
        )

    def _upper(self, page: "Page") -> Tensor:
        """The last states of the tokens before the answers' tokens [n, d]."""
        core = self.model.model.language_model
        states, positions, mask = page.states.float(), page.positions, _additive(page.mask)
        rotary = core.rotary_emb(states, position_ids=positions)
        for block in core.layers[self.schedule.first_block :]:
            states = block(states, attention_mask=mask, position_ids=positions, position_embeddings=rotary)
        last: Tensor = core.norm(states[:, :-1][page.labels[:, 1:] != IGNORED])
        return last

    @torch.no_grad()
    def read(self, packed: Packed, *, ordinary: bool = False) -> "Page":
        """One packed row as the blocks below the first trained one leave it."""
        core = self.model.model.language_model
        used = int((packed.positions > 0).any(0).nonzero().max()) + 1  # the rest is padding
        ids, positions, mask = packed.ids[:, :used], packed.positions[:, :used], packed.mask[:, :, :used, :used]
        states = core.embed_tokens(ids)
        if packed.images:
            where = (ids == self.model.config.image_token_id)[..., None].expand_as(states)
            states = states.masked_scatter(where, self._picture_tokens(packed.images))
        rotary = core.rotary_emb(states, position_ids=positions)
        for block in core.layers[: self.schedule.first_block]:
            states = block(states, attention_mask=mask, position_ids=positions, position_embeddings=rotary)
        page = Page(states.half(), packed.labels[:, :used], positions, mask == 0)
        if not ordinary:
            return page
        with without_lora(self.model):
            return replace(page, before=self._upper(page))

    def _pages(self) -> Iterator["Page"]:
        """Rows, round by round in another order; each is drawn anew after `uses` rounds."""
        draws = self._draws()
        pages: dict[int, Page] = {}
        used = [0] * len(draws)
        shuffled = torch.Generator().manual_seed(1)
        while True:
            for number in torch.randperm(len(draws), generator=shuffled).tolist():
                if used[number] % self.schedule.uses == 0:
                    draw = draws[number]
                    pages[number] = self.read(self.packer.pack([[draw()]]), ordinary=draw == self.lessons.ordinary)
                used[number] += 1
                yield pages[number]

    def _draws(self) -> list[Callable[[], Group]]:
        """What draws each row of a round: `portraits` pictures of everybody, every question by name, ordinary chats."""
        lessons, schedule = self.lessons, self.schedule
        portraits = round(len(lessons.known) * schedule.portraits * 1.2)
        texts = len(lessons.known) * NAMED // BY_NAME + 1
        return [*[lessons.portrait] * portraits, *[lessons.text] * texts, *[lessons.ordinary] * schedule.ordinary]

    def _picture_tokens(self, images: Sequence[Any]) -> Tensor:
        return self._written(self._pixels(images))

    def _pixels(self, images: Sequence[Any]) -> Tensor:
        pixels: Tensor = self.processor.image_processor(list(images), return_tensors="pt")["pixel_values"]
        return pixels

    def _written(self, pixels: Tensor) -> Tensor:
        """Picture tokens [n, IMAGE_TOKENS, d]."""
        core = self.model.model
        tokens: Tensor = core.multi_modal_projector(core.vision_tower(pixel_values=pixels).last_hidden_state[:, 1:])
        return tokens

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self.processor.tokenizer.encode(text, add_special_tokens=False)
        return tokens

    def _save(self, optimizer: torch.optim.Optimizer, **counts: float) -> None:
        """Weights, the optimizer's averages and the counts, in one file that takes the place of the last one."""
        tensors = difference(self.model)
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{OPTIMIZER}{number}.{name}": value for name, value in state.items()}
        save_file(tensors, self._folder / "new.safetensors", {name: str(value) for name, value in counts.items()})
        (self._folder / "new.safetensors").replace(self._folder / NEWEST)

    def _resume(self, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        """Load the newest checkpoint; returns the steps, tokens and seconds so far."""
        if not (self._folder / NEWEST).is_file():
            return {"step": 0, "tokens": 0, "seconds": 0.0}
        tensors = load_file(self._folder / NEWEST)
        load_vision(self.model, tensors)
        load_lora(self.model, tensors)
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(OPTIMIZER):
                number, name = key.removeprefix(OPTIMIZER).split(".")
                state.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        with safe_open(self._folder / NEWEST, "pt") as file:
            return {name: float(value) for name, value in file.metadata().items()}

    def _log(self, **figures: float | str) -> None:
        line = json.dumps({name: round(x, 4) if isinstance(x, float) else x for name, x in figures.items()})
        logger.info("%s", line)
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _additive(seen: Tensor) -> Tensor:
    return torch.zeros(seen.shape).masked_fill(~seen, -1e9)
