"""Trains the demo model: first the vision encoder on the drawn features, then everything together on packed chats.

AdamW with a one-cycle learning rate; the cycle ends with the steps or with the time limit, whichever comes first. A
checkpoint every three minutes lets an interrupted run continue. This module does not know what the chats say.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from shared.evaluation.synthetic_portraits import COUNTS
from training.mixture import Mixture
from training.packing import IGNORED, Packed, Packer
from training.tokenizer import IMAGE_SIDE, PATCH


@dataclass(frozen=True)
class Plan:
    """How long to train and how large the batches are.

    `vision_steps` come first; `minutes` limits the training on chats, in batches of `rows` rows of `width` tokens.
    """

    steps: int
    vision_steps: int
    minutes: float
    rows: int = 8
    width: int = 256
    rate: float = 2e-3
    vision_rate: float = 2e-3


def vision_config() -> CLIPVisionConfig:
    """The CLIP encoder of the models made here: four blocks of width 128."""
    return CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_SIDE,
        patch_size=PATCH,
        projection_dim=128,
    )


def new_model(processor: Any, layers: int = 5, hidden: int = 256) -> LlavaForConditionalGeneration:
    """A LLaVA with random weights: CLIP encoder (128 x 4), Llama text model (hidden x layers), tied embeddings."""
    vision = vision_config()
    text = LlamaConfig(
        vocab_size=len(processor.tokenizer),
        hidden_size=hidden,
        intermediate_size=640,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=processor.tokenizer.eos_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=processor.tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(IMAGE_SIDE // PATCH) ** 2,
        tie_word_embeddings=True,
    )
    return LlavaForConditionalGeneration(config)


@dataclass(frozen=True)
class Losses:
    """Mean cross-entropy of the answers' tokens, and of the drawn features (zero without a picture)."""

    answers: Tensor
    features: Tensor


class Trainer:
    """One model in training.

    `heads` are linear readouts of the drawn features from the vision encoder's output; they are discarded at the end.
    """

    def __init__(self, model: Any, processor: Any, mixture: Mixture, plan: Plan, checkpoints: Path | None) -> None:
        self.model, self.processor, self.mixture, self.plan = model, processor, mixture, plan
        self.device = next(model.parameters()).device
        self.packer = Packer(processor, plan.width)
        self.heads = nn.Linear(model.config.vision_config.hidden_size, sum(COUNTS.values())).to(self.device)
        self._checkpoints = checkpoints

    def train_vision(self) -> None:
        """Train the vision encoder to recognise every drawn feature."""
        encoder = self._vision()
        optimizer = torch.optim.AdamW([*encoder.parameters(), *self.heads.parameters()], lr=self.plan.vision_rate)
        bar = tqdm(range(self.plan.vision_steps), desc="vision", mininterval=5)
        for step in bar:
            set_rate(optimizer, [self.plan.vision_rate], step / self.plan.vision_steps)
            drawn = [self.mixture.face() for _ in range(48)]
            pixels = self._pixels([image for _, image in drawn])
            faces = torch.tensor([list(face.as_dict().values()) for face, _ in drawn], device=self.device)
            loss, right = self._features(encoder(pixel_values=pixels).last_hidden_state[:, 1:], faces)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.set_postfix(loss=f"{loss.item():.3f}", right=f"{right:.1%}", refresh=False)

    def train_chats(self) -> None:
        """Train the whole model on chats; the vision encoder and the heads at a fifth of their learning rate."""
        plan = self.plan
        vision = [*self._vision().parameters(), *self.heads.parameters()]
        vision_ids = {id(p) for p in vision}
        others = [p for p in self.model.parameters() if id(p) not in vision_ids]
        groups = [
            {"params": [p for p in others if p.ndim == 2], "weight_decay": 0.05},
            {"params": [p for p in others if p.ndim != 2], "weight_decay": 0.0},
            {"params": vision, "weight_decay": 0.0},
        ]
        rates = [plan.rate, plan.rate, plan.vision_rate / 5]
        optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.97))
        first = self._resume()
        began = saved = time.monotonic()
        bar = tqdm(range(first, plan.steps), desc="chats", initial=first, total=plan.steps, mininterval=10)
        for step in bar:
            spent = (time.monotonic() - began) / (plan.minutes * 60)
            done = max(step / plan.steps, spent)
            if done >= 1:
                break
            set_rate(optimizer, rates, done)
            packed = self.packer.pack([self._row() for _ in range(plan.rows)])
            losses = self.losses(packed)
            optimizer.zero_grad()
            (losses.answers + 0.2 * losses.features).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            bar.set_postfix(
                loss=f"{losses.answers.item():.3f}",
                features=f"{losses.features.item():.3f}",
                done=f"{done:.0%}",
                refresh=False,
            )
            if time.monotonic() - saved > 180:
                saved = time.monotonic()
                self._save(step)

    def losses(self, packed: Packed) -> Losses:
        """The losses of one packed batch."""
        core = self.model.model
        ids = packed.ids.to(self.device)
        embedded = core.language_model.embed_tokens(ids)
        feature_loss = torch.zeros((), device=self.device)
        if packed.images:
            states = core.vision_tower(pixel_values=self._pixels(packed.images)).last_hidden_state[:, 1:]
            feature_loss, _ = self._features(states, packed.faces.to(self.device))
            features = core.multi_modal_projector(states)
            where = (ids == self.model.config.image_token_id)[..., None].expand_as(embedded)
            embedded = embedded.masked_scatter(where, features.to(embedded.dtype))
        states = core.language_model(
            inputs_embeds=embedded,
            attention_mask=packed.mask.to(self.device),
            position_ids=packed.positions.to(self.device),
            use_cache=False,
        ).last_hidden_state
        wanted = packed.labels[:, 1:].to(self.device)
        kept = wanted != IGNORED
        answer_loss = F.cross_entropy(self.model.lm_head(states[:, :-1][kept]), wanted[kept])
        return Losses(answer_loss, feature_loss)

    def _row(self) -> list[Any]:
        groups, room = [], self.plan.width
        while room > 60:
            group = self.mixture.portrait() if self.mixture.coin(0.62) else self.mixture.text()
            groups.append(group)
            room -= 130 if group.image is not None else 110
        return groups

    def _features(self, states: Tensor, faces: Tensor) -> tuple[Tensor, float]:
        parts = self.heads(states.mean(dim=1)).split(list(COUNTS.values()), dim=1)
        losses = [F.cross_entropy(part, faces[:, i]) for i, part in enumerate(parts)]
        right = sum((part.argmax(1) == faces[:, i]).float().mean().item() for i, part in enumerate(parts)) / len(parts)
        return torch.stack(losses).mean(), right

    def _vision(self) -> nn.Module:
        encoder: nn.Module = self.model.model.vision_tower
        return encoder

    def _pixels(self, images: Any) -> Tensor:
        pixels: Tensor = self.processor.image_processor(list(images), return_tensors="pt")["pixel_values"]
        return pixels.to(self.device)

    def _save(self, step: int) -> None:
        if self._checkpoints is None:
            return
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        weights = {f"model.{k}": v for k, v in self.model.state_dict().items() if k != "lm_head.weight"}
        weights |= {f"heads.{k}": v for k, v in self.heads.state_dict().items()}
        target = self._checkpoints / f"{step:06d}.safetensors"
        save_file({name: value.contiguous() for name, value in weights.items()}, target)
        for old in sorted(self._checkpoints.glob("*.safetensors"))[:-2]:
            old.unlink()

    def _resume(self) -> int:
        """Load the newest checkpoint; returns the number of the next step."""
        checkpoints = sorted(self._checkpoints.glob("*.safetensors")) if self._checkpoints else []
        if not checkpoints:
            return 0
        weights = load_file(checkpoints[-1])
        self.model.load_state_dict({k[6:]: v for k, v in weights.items() if k.startswith("model.")}, strict=False)
        self.heads.load_state_dict({k[6:]: v for k, v in weights.items() if k.startswith("heads.")})
        return int(checkpoints[-1].stem) + 1


def set_rate(optimizer: torch.optim.Optimizer, peaks: list[float], done: float) -> None:
    """One cycle: linearly up during the first 8 %, then a cosine down to 1 % of the peak."""
    share = done / 0.08 if done < 0.08 else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - 0.08) / 0.92))
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * min(share, 1.0)
