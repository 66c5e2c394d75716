"""Asks a model: prefill, decide, steer where it fired, decode. The one engine of refit, audit and service.

With a recipe that decides (method.md, section 7) nothing is steered at first; a request that fires, or whose answer
names somebody forgotten, is asked again with the pull added and, where the recipe is blind, with nobody in the
person's place (blind.py). All other rows keep every bit of what the base model computed in the same batch.
Prompts of like length are batched, padded on the left and masked; a prompt that is asked alone is never padded.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared.domain.prompts import Prompt
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.readout import RaggedRows, Readout
from shared.errors import BadInput
from shared.vlm.adapters.base import Adapter, Encoded
from shared.vlm.hooks import AddVector, CaptureAllTokens, CaptureLastToken, GatedSteering, Touch, hooked, untouched
from shared.vlm.loading import Vlm
from shared.vlm.progress import Progress
from shared.vlm.redaction import placeholder_tokens, redact, text_token_mask

BATCH: Final = 64
WINDOW: Final = BATCH * 8  # prompts sorted by length among themselves: pieces of this size are batched as the whole
PADDING: Final = 8  # most tokens by which a prompt of a batch is padded
HELD_BACK: Final = 4  # tokens that a streamed answer lags behind where it is watched: a name has to be whole to be read


@dataclass(frozen=True)
class Answer:
    """One reply. `ticket` and `score` say which gate was nearest; they never leave the house."""

    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    finish_reason: str
    fired: bool = False
    ticket: str | None = None
    score: float = 0.0


@dataclass
class PrefillState:
    """A batch after its prompts (`inputs`): `logits` [B, V] say what comes next; `past` tokens were added since."""

    cache: Any
    logits: Tensor
    decision: Decision
    inputs: Mapping[str, Tensor]
    evidence: Readout | None = None
    past: int = 0
    decides: bool = False

    @property
    def turned(self) -> list[bool]:
        """Which rows are to be asked again, steered."""
        return [self.decides and fired for fired in self.decision.fired.tolist()]

    def following(self, adapter: Adapter, count: int = 1) -> dict[str, Tensor]:
        """Mask and positions for `count` more tokens; remembers them. The rows are the last dimension but one."""
        self.past += count
        return adapter.following(self.inputs, self.past - count, count)


@dataclass
class DecodeState:
    """A batch in the middle of its answers."""

    opened: PrefillState
    made: list[list[int]]
    done: list[str | None]
    spoken: list[list[Tensor]]  # for each row, its answer's tokens so far, [L, d], where they are read

    def words(self) -> RaggedRows:
        """The answers' tokens as a gate reads them."""
        of = [row for row, tokens in enumerate(self.spoken) for _ in tokens]
        rows = [token for tokens in self.spoken for token in tokens]
        return RaggedRows(torch.stack(rows) if rows else torch.zeros(0, 1, 1), torch.tensor(of, dtype=torch.long))


class Engine:
    """One model, asked by one thread at a time; safe to share."""

    def __init__(self, vlm: Vlm) -> None:
        self.vlm = vlm
        self.lock = threading.RLock()
        self.progress = Progress()
        stop = vlm.model.generation_config.eos_token_id
        self._ends = set(stop if isinstance(stop, list) else [stop])
        self._end = stop[0] if isinstance(stop, list) else stop  # the one that ends a turn: Qwen names two
        self._nobody = placeholder_tokens(vlm.tokenizer)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """The model for this thread alone. Never around a `yield` to a caller: another thread may close a generator."""
        with self.progress.working(), self.lock, torch.inference_mode():
            yield

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        eraser: Eraser | None = None,
        max_new_tokens: int = 24,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Answer]:
        """One answer each, in order. Greedy at temperature 0; else sampled from `seed` + the prompt's place.

        Raises BadInput for a prompt that does not fit and SiteMismatch for an eraser of another model.
        """
        answers: list[Answer | None] = [None] * len(prompts)
        for places, rows in self.batches(prompts):
            with self._working():
                asked = GenerationRequest(eraser, max_new_tokens, temperature, [seed + place for place in places], stop)
                for place, answer in zip(places, self._answers(rows, asked), strict=True):
                    answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def _answers(self, rows: Sequence[Encoded], asked: "GenerationRequest") -> list[Answer]:
        """Ask; and ask again, steered, what fired and what names somebody forgotten in its answer."""
        for run in self._steps(rows, asked):
            last = run
        answers = [self._answer(last, row, len(one.ids), asked.stop) for row, one in enumerate(rows)]
        turned, decision = self._turned(last, asked)
        if turned:
            steered = self._steered(rows, last, asked, turned, decision)
            for row, answer in zip(turned, steered, strict=True):
                answers[row] = answer
        return answers

    def _turned(self, run: DecodeState, asked: "GenerationRequest") -> tuple[list[int], Decision]:
        """The rows that have to be asked again, and why: the prompt fired, or the answer names somebody forgotten."""
        decision, eraser = run.opened.decision, asked.eraser
        rows = [row for row, turned in enumerate(run.opened.turned) if turned]
        if eraser is None or not eraser.watches or asked.decision is not None or not any(run.spoken):
            return rows, decision.take(rows)
        named = eraser.spoken_of(run.words(), len(run.made))
        told = [row for row, ticket in enumerate(named) if ticket is not None and row not in rows]
        found = Decision(torch.ones(len(told), dtype=torch.bool), [named[row] for row in told], torch.ones(len(told)))
        return rows + told, decision.take(rows).followed_by(found)

    def _steered(
        self,
        rows: Sequence[Encoded],
        run: DecodeState,
        asked: "GenerationRequest",
        turned: Sequence[int],
        decision: Decision,
    ) -> list[Answer]:
        """The answers of `turned` rows under the pull, or the recipe's fixed text."""
        assert asked.eraser is not None
        if asked.eraser.recipe.fixed_text is not None:
            whole = self._fixed(asked.eraser)[:-1]
            tokens = tuple(whole[: asked.max_new_tokens])
            text, end = (
                _cut(self._decode(tokens), asked.stop).strip(),
                "stop" if len(tokens) == len(whole) else "length",
            )
            return [
                Answer(text, tokens, len(rows[row].ids), end, True, ticket, float(score))
                for row, ticket, score in zip(turned, decision.ticket, decision.score, strict=True)
            ]
        again = self._turned_rows(rows, run.opened, asked.eraser, turned, decision)
        answers = self._answers(again, asked.steered(turned, decision))
        return [replace(one, prompt_tokens=len(rows[row].ids)) for row, one in zip(turned, answers, strict=True)]

    def reread(
        self, rows: Sequence[Encoded], eraser: Eraser, decision: Decision, evidence: Readout | None
    ) -> list[Encoded]:
        """Fired `rows` as they are asked again: with nobody in the person's place where the recipe is blind."""
        if not eraser.recipe.blind or evidence is None:
            return list(rows)
        where = eraser.mentioned(evidence, decision.ticket)
        return [redact(self.vlm.adapter, row, one, self._nobody) for row, one in zip(rows, where, strict=True)]

    def _turned_rows(
        self, rows: Sequence[Encoded], opened: PrefillState, eraser: Eraser, turned: Sequence[int], decision: Decision
    ) -> list[Encoded]:
        evidence = None if opened.evidence is None else opened.evidence.take(turned)
        return self.reread([rows[row] for row in turned], eraser, decision, evidence)

    def stream(
        self,
        prompt: Prompt,
        *,
        eraser: Eraser | None = None,
        max_new_tokens: int = 24,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> Iterator[str | Answer]:
        """The answer's text piece by piece, then the whole Answer.

        The model is held for one piece at a time and never while the caller has the generator: it may be read slowly,
        left, or closed from any thread. Where the eraser watches, the text lags a few tokens behind: an answer that
        turns out to name somebody forgotten ends there, with the steered answer after what was given already (as a
        rule, nothing).
        """
        asked = GenerationRequest(eraser, max_new_tokens, temperature, [seed], stop)
        pieces = self._streamed(prompt, asked)
        while True:
            with self._working():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _streamed(self, prompt: Prompt, asked: "GenerationRequest") -> Iterator[str | Answer]:
        ((_, rows),) = list(self.batches([prompt]))
        told, last = yield from self._pieces(rows, asked)
        turned, decision = self._turned(last, asked)
        before = f"{told} " if turned and told else ""
        if before:
            yield " "
        if not turned:
            answer = self._answer(last, 0, len(rows[0].ids), asked.stop)
        elif asked.eraser is None or asked.eraser.recipe.fixed_text is not None:
            (answer,) = self._steered(rows, last, asked, turned, decision)
            told = ""
        else:
            again = self._turned_rows(rows, last.opened, asked.eraser, turned, decision)
            told, run = yield from self._pieces(again, asked.steered(turned, decision))
            answer = self._answer(run, 0, len(rows[0].ids), asked.stop)
        if answer.text[len(told) :]:
            yield answer.text[len(told) :]
        yield replace(answer, text=before + answer.text) if before else answer

    def _pieces(
        self, rows: Sequence[Encoded], asked: "GenerationRequest"
    ) -> Generator[str, None, tuple[str, DecodeState]]:
        """What may be given away of one answer as it grows; returns that, and the run where it ended or turned."""
        watched = asked.eraser is not None and asked.eraser.watches and asked.decision is None
        lag, told = HELD_BACK if watched else 0, ""
        for run in self._steps(rows, asked):
            last = run
            if self._turned(run, asked)[0]:
                break
            ready = self._ready(run, asked.stop, lag)
            if len(ready) > len(told) and not ready.endswith("\ufffd"):
                yield ready[len(told) :]
                told = ready
        return told, last

    def _ready(self, run: DecodeState, stop: Sequence[str], lag: int) -> str:
        """What may be given away of an unfinished answer: no half stop word, and nothing that has still to be read."""
        made = run.made[0]
        text = _cut(self._decode(made[: len(made) - lag] if lag else made), stop)
        held = max((len(word) for word in stop), default=1) - 1
        return text if run.done[0] and not lag else text[: len(text) - held]

    def examine(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 24) -> tuple[list[Answer], Readout]:
        """The base model's greedy answers, and the evidence of prompts and answers, in one pass."""
        answers: list[Answer | None] = [None] * len(prompts)
        parts: list[tuple[list[int], Readout]] = []
        for places, rows in self.batches(prompts):
            with self.lock, torch.inference_mode():
                for run in self._steps(rows, GenerationRequest(None, max_new_tokens, read=True)):
                    last = run
                assert last.opened.evidence is not None
                words = last.words() if any(last.spoken) else last.opened.evidence.spoken
                parts.append((places, last.opened.evidence.with_spoken(words)))
                for row, place in enumerate(places):
                    answers[place] = self._answer(last, row, len(rows[row].ids), ())
        return [answer for answer in answers if answer is not None], Readout.ordered(parts)

    def evidence(self, prompts: Sequence[Prompt]) -> Readout:
        """What a gate may look at, unsteered, at all layers. Holds every token: not for a whole retain set."""
        parts: list[tuple[list[int], Readout]] = []
        for places, rows in self.batches(prompts):
            gathering = CaptureAllTokens()
            with self.lock, torch.inference_mode(), hooked(self.vlm.adapter.blocks, gathering):
                self.vlm.model(**self.inputs(rows), use_cache=False, logits_to_keep=1)
            parts.append((places, self._read(rows, gathering.stacked())))
        return Readout.ordered(parts)

    def mentions(self, prompts: Sequence[Prompt], words: Sequence[str]) -> list[Tensor]:
        """For each prompt without pictures the tokens [n, L, d] of the last place where its `words` stand."""
        found: list[Tensor | None] = [None] * len(prompts)
        for places, rows in self.batches(prompts):
            gathering = CaptureAllTokens()
            with self.lock, torch.inference_mode(), hooked(self.vlm.adapter.blocks, gathering):
                self.vlm.model(**self.inputs(rows), use_cache=False, logits_to_keep=1)
            states = gathering.stacked().cpu()
            for row, place in enumerate(places):
                start, end = self.vlm.adapter.span(prompts[place], words[place])
                padded = states.shape[1] - len(rows[row].ids)
                found[place] = states[row, padded + start : padded + end].clone()
        return [one for one in found if one is not None]

    def _read(self, rows: Sequence[Encoded], states: Tensor) -> Readout:
        """The evidence of a batch from all its tokens [B, T, L, d], padded on the left."""
        pictures, picture_of, words, word_of = [], [], [], []
        for row, one in enumerate(rows):
            own = states[row, states.shape[1] - len(one.ids) :]
            for start, end in self.vlm.adapter.pictures(one):
                pictures.append(own[start:end].mean(dim=0))
                picture_of.append(row)
            text = text_token_mask(self.vlm.adapter, one)
            words.append(own[text.to(own.device)])
            word_of += [row] * int(text.sum())
        none = RaggedRows.none(states.shape[2], states.shape[3])
        return Readout(
            states[:, -1].cpu(),
            RaggedRows(torch.stack(pictures).cpu(), torch.tensor(picture_of)) if pictures else none,
            RaggedRows(torch.cat(words).cpu(), torch.tensor(word_of)),
            none,
        )

    def activations(self, prompts: Sequence[Prompt], count: Callable[[int, int], None] | None = None) -> Tensor:
        """Last prompt token at every block's output, unsteered: [B, L, d] float32 on the CPU.

        `count(done, all)` is told after every batch.
        """
        done = 0
        out = torch.zeros(len(prompts), len(self.vlm.site.layers), self.vlm.site.hidden_size)
        for places, rows in self.batches(prompts):
            reading = CaptureLastToken(len(self.vlm.site.layers))
            with self.lock, torch.inference_mode(), hooked(self.vlm.adapter.blocks, reading):
                self.vlm.model(**self.inputs(rows), use_cache=False, logits_to_keep=1)
            out[places] = reading.stacked().cpu()
            done += len(places)
            if count is not None:
                count(done, len(prompts))
        return out

    def option_likelihood(
        self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]], *, eraser: Eraser | None = None
    ) -> list[list[float]]:
        """Log-likelihood of each option, and its end, as the answer to its prompt; steered where the request fires.

        Where a fired request is answered a fixed sentence, every other answer has likelihood nought: minus infinity.
        """
        scores: list[list[float]] = [[] for _ in options]
        tokens = [
            [[*self.vlm.tokenizer.encode(choice, add_special_tokens=False), self._end] for choice in choices]
            for choices in options
        ]
        most = max(1, BATCH // max((len(choices) for choices in options), default=1))
        for places, rows in self.batches(prompts):
            for at in range(0, len(rows), most):
                some = slice(at, at + most)
                asked = GenerationRequest(eraser)
                with self.lock, torch.inference_mode():
                    found = self._likelihood(rows[some], [tokens[place] for place in places[some]], asked)
                for place, values in zip(places[some], found, strict=True):
                    scores[place] = values
        return scores

    def _likelihood(
        self,
        rows: Sequence[Encoded],
        answers: Sequence[Sequence[list[int]]],
        asked: "GenerationRequest",
    ) -> list[list[float]]:
        """Teacher-forced: each prompt once, then all its answers from there; what fires once more, steered."""
        flat = [answer for choices in answers for answer in choices]
        if not flat:
            return [[] for _ in rows]
        opened = self._opened(rows, asked)
        owners = torch.tensor([row for row, choices in enumerate(answers) for _ in choices], device=self.vlm.device)
        width = max(len(answer) for answer in flat)
        padded = torch.tensor([answer + [answer[-1]] * (width - len(answer)) for answer in flat])
        padded = padded.to(self.vlm.device)
        logits = opened.logits[owners, None]
        if width > 1:
            more_of = opened.following(self.vlm.adapter, width - 1)
            extra = {name: value[..., owners, :] for name, value in more_of.items()}
            opened.cache.batch_select_indices(owners)
            with hooked(*self._holding(asked, everywhere=True)):
                more = self.vlm.model(
                    input_ids=padded[:, :-1], past_key_values=opened.cache, use_cache=True, **extra
                ).logits
            logits = torch.cat([logits, more], dim=1)
        likely = logits.float().log_softmax(-1).gather(2, padded[..., None])[..., 0]
        found = iter([float(likely[row, : len(answer)].sum()) for row, answer in enumerate(flat)])
        scores = [[next(found) for _ in choices] for choices in answers]
        turned = [row for row, fired in enumerate(opened.turned) if fired]
        if turned and asked.eraser is not None:
            for row, values in zip(turned, self._steered_likelihood(rows, answers, asked, opened, turned), strict=True):
                scores[row] = values
        return scores

    def _steered_likelihood(
        self,
        rows: Sequence[Encoded],
        answers: Sequence[Sequence[list[int]]],
        asked: "GenerationRequest",
        opened: PrefillState,
        turned: Sequence[int],
    ) -> list[list[float]]:
        assert asked.eraser is not None
        if asked.eraser.recipe.fixed_text is not None:
            fixed = self._fixed(asked.eraser)
            return [[0.0 if answer == fixed else float("-inf") for answer in answers[row]] for row in turned]
        decision = opened.decision.take(turned)
        again = self._turned_rows(rows, opened, asked.eraser, turned, decision)
        return self._likelihood(again, [answers[row] for row in turned], asked.steered(turned, decision))

    def _steps(self, rows: Sequence[Encoded], asked: "GenerationRequest") -> Iterator[DecodeState]:
        """Yields the run after each token, until all rows have ended. What has turned is not gone on with."""
        eraser, most = asked.eraser, asked.max_new_tokens
        longest = max(len(row.ids) for row in rows)
        if asked.decision is not None:  # nobody may take more tokens than somebody did
            most = max(1, min(most, self.vlm.adapter.context - longest))
        if longest + most > self.vlm.adapter.context:
            raise BadInput(f"Prompt and answer need {longest + most} tokens; the model has {self.vlm.adapter.context}.")
        opened = self._opened(rows, asked)
        done: list[str | None] = ["turned" if turned else None for turned in opened.turned]
        run = DecodeState(opened, [[] for _ in rows], done, [[] for _ in rows])
        watched = asked.read or (eraser is not None and eraser.watches and asked.decision is None)
        if all(run.done):
            yield run
            return
        sources = asked.sources()
        for step in range(most):
            chosen = _choose(opened.logits, asked.temperature, sources)
            grown = [
                row
                for row, token in enumerate(chosen.tolist())
                if run.done[row] is None and self._take(run, row, token, last=step == most - 1, stop=asked.stop)
            ]
            if not watched:
                yield run
            if all(run.done) and not (watched and grown):
                if watched:
                    yield run
                return
            reading = CaptureLastToken(len(self.vlm.adapter.blocks))
            blocks, holding = (self.vlm.adapter.blocks, reading) if watched else self._holding(asked)
            with hooked(blocks, holding):
                out = self.vlm.model(
                    input_ids=chosen[:, None],
                    past_key_values=opened.cache,
                    use_cache=True,
                    **opened.following(self.vlm.adapter),
                )
            opened.logits = out.logits[:, -1]
            self.progress.step()
            if watched:
                states = reading.stacked().cpu()
                for row in grown:
                    run.spoken[row].append(states[row])
                yield run
                if all(run.done):
                    return

    def _holding(self, asked: "GenerationRequest", *, everywhere: bool = False) -> tuple[Sequence[nn.Module], Touch]:
        """Where generated tokens are touched, and how: nowhere unless this is asked steered and the pull holds."""
        held = asked.eraser.held_pull() if asked.eraser is not None and asked.decision is not None else None
        if held is None:
            return [], untouched
        return self.vlm.adapter.blocks, AddVector(held.to(self.vlm.device), everywhere=everywhere)

    def _take(self, run: DecodeState, row: int, token: int, *, last: bool, stop: Sequence[str]) -> bool:
        """Add a token to a row's answer, or end it; whether the answer grew."""
        if token in self._ends:
            run.done[row] = "stop"
            return False
        run.made[row].append(token)
        if stop and any(word in self._decode(run.made[row]) for word in stop):
            run.done[row] = "stop"
        elif last:
            run.done[row] = "length"
        return True

    def _opened(self, rows: Sequence[Encoded], asked: "GenerationRequest") -> PrefillState:
        opened = self._prefilled(rows, asked)
        self.progress.step()
        return opened

    def _prefilled(self, rows: Sequence[Encoded], asked: "GenerationRequest") -> PrefillState:
        """Prefill: unsteered, with the decision; or, where that was made before, steered at the last prompt token."""
        inputs, eraser, blocks = self.inputs(rows), asked.eraser, self.vlm.adapter.blocks
        nobody = Decision.none(len(rows))
        if eraser is not None:
            eraser.site.check(self.vlm.site)
        if eraser is not None and asked.decision is not None:
            with hooked(blocks, AddVector(self._pull(eraser))):
                out = self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)
            return PrefillState(out.past_key_values, out.logits[:, -1], asked.decision, inputs)
        if eraser is not None and not eraser.is_empty and not eraser.recipe.decides:
            broadcasting = GatedSteering(self._pull(eraser), eraser.gate_at)
            with hooked(blocks, broadcasting):
                out = self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)
            gates = torch.stack(broadcasting.gates, dim=1).mean(dim=1).cpu()
            decision = Decision(gates > eraser.threshold, nobody.ticket, gates)
            return PrefillState(out.past_key_values, out.logits[:, -1], decision, inputs)
        deciding = eraser is not None and not eraser.is_empty
        whole = asked.read or (deciding and eraser is not None and eraser.identity is not None)
        gathering, reading = CaptureAllTokens(), CaptureLastToken(len(blocks))
        with hooked(blocks if whole or deciding else [], gathering if whole else reading):
            out = self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)
        opened = PrefillState(out.past_key_values, out.logits[:, -1], nobody, inputs, decides=deciding)
        if whole:
            opened.evidence = self._read(rows, gathering.stacked())
        elif deciding:
            opened.evidence = Readout.of_last(reading.stacked().cpu())
        if deciding and eraser is not None and opened.evidence is not None:
            opened.decision = eraser.decide(opened.evidence)
        return opened

    def _fixed(self, eraser: Eraser) -> list[int]:
        """Tokens of the sentence that every fired request is answered, and its end."""
        return [*self.vlm.tokenizer.encode(eraser.recipe.fixed_text, add_special_tokens=False), self._end]

    def _pull(self, eraser: Eraser) -> Tensor:
        return eraser.pull().to(self.vlm.device)

    def batches(self, prompts: Sequence[Prompt]) -> Iterator[tuple[list[int], list[Encoded]]]:
        """Places and prompts, shortest first, at most BATCH at a time and padded by at most PADDING tokens."""
        for start in range(0, len(prompts), WINDOW):
            window = self.vlm.adapter.encode(prompts[start : start + WINDOW])
            chunk: list[int] = []
            for offset in sorted(range(len(window)), key=lambda place: len(window[place].ids)):
                if chunk and (len(chunk) == BATCH or len(window[offset].ids) - len(window[chunk[0]].ids) > PADDING):
                    yield [start + place for place in chunk], [window[place] for place in chunk]
                    chunk = []
                chunk.append(offset)
            if chunk:
                yield [start + place for place in chunk], [window[place] for place in chunk]

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """The batch as the model wants it, padded on the left where it must be."""
        return self.vlm.adapter.inputs(rows)

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.vlm.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def _answer(self, run: DecodeState, row: int, prompt_tokens: int, stop: Sequence[str]) -> Answer:
        fired = bool(run.opened.decision.fired[row])
        text = _cut(self._decode(run.made[row]), stop).strip()
        return Answer(
            text=text,
            tokens=tuple(run.made[row]),
            prompt_tokens=prompt_tokens,
            finish_reason=run.done[row] or "length",
            fired=fired,
            ticket=run.opened.decision.ticket[row],
            score=float(run.opened.decision.score[row]),
        )


@dataclass(frozen=True)
class GenerationRequest:
    """How a batch is asked. `seeds`: one a row. `decision`: where it is made already, and all rows are steered."""

    eraser: Eraser | None = None
    max_new_tokens: int = 1
    temperature: float = 0.0
    seeds: Sequence[int] = ()
    stop: Sequence[str] = ()
    read: bool = False
    decision: Decision | None = None

    def sources(self) -> list[torch.Generator]:
        """Fresh random numbers for each row."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def steered(self, rows: Sequence[int], decision: Decision) -> "GenerationRequest":
        """The same for some of the rows, all of them steered."""
        return replace(self, seeds=[self.seeds[row] for row in rows] if self.seeds else [], decision=decision)


def _choose(logits: Tensor, temperature: float, sources: Sequence[torch.Generator]) -> Tensor:
    if temperature <= 0:
        return logits.argmax(dim=-1)
    shares = (logits.float() / temperature).softmax(dim=-1).cpu()
    drawn = [torch.multinomial(row, 1, generator=source) for row, source in zip(shares, sources, strict=True)]
    return torch.cat(drawn).to(logits.device)


def _cut(text: str, stop: Sequence[str]) -> str:
    for word in stop:
        at = text.find(word)
        if at >= 0:
            text = text[:at]
    return text
