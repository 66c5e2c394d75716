"""Asks a model: prefill, decide, steer where it fired, decode. The one engine of refit, audit and service.

With a recipe that decides (method.md, section 7) the prefill is unsteered; where a request fires, its last prompt token
is run once more with the pull added. All other rows keep every bit of what the base model computed in the same batch.
Prompts of like length are batched, padded on the left and masked; a prompt that is asked alone is never padded.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from shared.erasure.eraser import Decision, Eraser
from shared.erasure.evidence import Evidence, Ragged
from shared.errors import BadInput
from shared.prompt import Prompt
from shared.vlm.adapter import Adapter, Encoded
from shared.vlm.loading import Vlm
from shared.vlm.steering import Broadcasting, Gathering, Pulling, Reading, both, touched

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
class _Opened:
    """A batch after its prompts (`inputs`): `logits` [B, V] say what comes next; `past` tokens were added since."""

    cache: Any
    logits: Tensor
    decision: Decision
    inputs: Mapping[str, Tensor]
    evidence: Evidence | None = None
    past: int = 0

    def following(self, adapter: Adapter, count: int = 1) -> dict[str, Tensor]:
        """Mask and positions for `count` more tokens; remembers them. The rows are the last dimension but one."""
        self.past += count
        return adapter.following(self.inputs, self.past - count, count)


@dataclass
class _Run:
    """A batch in the middle of its answers."""

    opened: _Opened
    made: list[list[int]]
    done: list[str | None]
    spoken: list[list[Tensor]]  # for each row, its answer's tokens so far, [L, d], where they are read

    def words(self) -> Ragged:
        """The answers' tokens as a gate reads them."""
        of = [row for row, tokens in enumerate(self.spoken) for _ in tokens]
        rows = [token for tokens in self.spoken for token in tokens]
        return Ragged(torch.stack(rows) if rows else torch.zeros(0, 1, 1), torch.tensor(of, dtype=torch.long))


class Engine:
    """One model, asked by one thread at a time; safe to share."""

    def __init__(self, vlm: Vlm) -> None:
        self.vlm = vlm
        self.lock = threading.RLock()
        stop = vlm.model.generation_config.eos_token_id
        self._ends = set(stop if isinstance(stop, list) else [stop])
        self._end = stop[0] if isinstance(stop, list) else stop  # the one that ends a turn: Qwen names two

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
            with self.lock, torch.inference_mode():
                asked = _Asked(eraser, max_new_tokens, temperature, [seed + place for place in places], stop)
                for place, answer in zip(places, self._answers(rows, asked), strict=True):
                    answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def _answers(self, rows: Sequence[Encoded], asked: "_Asked") -> list[Answer]:
        """Ask; and where an unsteered answer names somebody forgotten, throw it away and ask again, steered."""
        for run in self._steps(rows, asked):
            last = run
        answers = [self._answer(last, row, len(one.ids), asked.stop) for row, one in enumerate(rows)]
        named = self._named(last, asked.eraser)
        again = [row for row, ticket in enumerate(named) if ticket is not None]
        if again:
            forced = asked.forced(again, [named[row] for row in again])
            for row, answer in zip(again, self._answers([rows[row] for row in again], forced), strict=True):
                answers[row] = answer
        return answers

    def _named(self, run: _Run, eraser: Eraser | None) -> list[str | None]:
        if eraser is None or not eraser.watches or not any(run.spoken):
            return [None] * len(run.made)
        found = eraser.spoken_of(run.words(), len(run.made))
        fired = run.opened.decision.fired.tolist()
        return [None if already else ticket for ticket, already in zip(found, fired, strict=True)]

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
        """The answer's text piece by piece, then the whole Answer. The engine is held until the end.

        Where the eraser watches, the text lags a few tokens behind: an answer that turns out to name somebody
        forgotten ends there, with the steered answer after what was given already (as a rule, nothing).
        """
        ((_, rows),) = list(self.batches([prompt]))
        asked = _Asked(eraser, max_new_tokens, temperature, [seed], stop)
        told = ""
        with self.lock, torch.inference_mode():
            lag = HELD_BACK if eraser is not None and eraser.watches else 0
            for run in self._steps(rows, asked):
                last = run
                (named,) = self._named(run, eraser)
                if named is not None:
                    break
                ready = self._ready(run, stop, lag)
                if len(ready) > len(told) and not ready.endswith("\ufffd"):
                    yield ready[len(told) :]
                    told = ready
            (named,) = self._named(last, eraser)
            if named is None:
                answer = self._answer(last, 0, len(rows[0].ids), stop)
            else:
                (answer,) = self._answers(rows, asked.forced([0], [named]))
                told = f"{told} " if told else told
            rest = answer.text if named is not None else answer.text[len(told) :]
            if rest:
                yield rest
            yield answer if named is None or not told else replace(answer, text=told + answer.text)

    def _ready(self, run: _Run, stop: Sequence[str], lag: int) -> str:
        """What may be given away of an unfinished answer: no half stop word, and nothing that has still to be read."""
        made = run.made[0]
        text = _cut(self._decode(made[: len(made) - lag] if lag else made), stop)
        held = max((len(word) for word in stop), default=1) - 1
        return text if run.done[0] and not lag else text[: len(text) - held]

    def examine(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 24) -> tuple[list[Answer], Evidence]:
        """The base model's greedy answers, and the evidence of prompts and answers, in one pass."""
        answers: list[Answer | None] = [None] * len(prompts)
        parts: list[tuple[list[int], Evidence]] = []
        for places, rows in self.batches(prompts):
            with self.lock, torch.inference_mode():
                for run in self._steps(rows, _Asked(None, max_new_tokens, 0.0, [], (), read=True)):
                    last = run
                assert last.opened.evidence is not None
                words = last.words() if any(last.spoken) else last.opened.evidence.spoken
                parts.append((places, last.opened.evidence.with_spoken(words)))
                for row, place in enumerate(places):
                    answers[place] = self._answer(last, row, len(rows[row].ids), ())
        return [answer for answer in answers if answer is not None], Evidence.ordered(parts)

    def evidence(self, prompts: Sequence[Prompt]) -> Evidence:
        """What a gate may look at, unsteered, at all layers. Holds every token: not for a whole retain set."""
        parts: list[tuple[list[int], Evidence]] = []
        for places, rows in self.batches(prompts):
            gathering = Gathering()
            with self.lock, torch.inference_mode(), touched(self.vlm.adapter.blocks, gathering):
                self.vlm.model(**self.inputs(rows), use_cache=False, logits_to_keep=1)
            parts.append((places, self._read(rows, gathering.stacked())))
        return Evidence.ordered(parts)

    def mentions(self, prompts: Sequence[Prompt], words: Sequence[str]) -> list[Tensor]:
        """For each prompt without pictures the tokens [n, L, d] of the last place where its `words` stand."""
        found: list[Tensor | None] = [None] * len(prompts)
        for places, rows in self.batches(prompts):
            gathering = Gathering()
            with self.lock, torch.inference_mode(), touched(self.vlm.adapter.blocks, gathering):
                self.vlm.model(**self.inputs(rows), use_cache=False, logits_to_keep=1)
            states = gathering.stacked().cpu()
            for row, place in enumerate(places):
                start, end = self.vlm.adapter.span(prompts[place], words[place])
                padded = states.shape[1] - len(rows[row].ids)
                found[place] = states[row, padded + start : padded + end].clone()
        return [one for one in found if one is not None]

    def _read(self, rows: Sequence[Encoded], states: Tensor) -> Evidence:
        """The evidence of a batch from all its tokens [B, T, L, d], padded on the left."""
        pictures, picture_of, words, word_of = [], [], [], []
        for row, one in enumerate(rows):
            own = states[row, states.shape[1] - len(one.ids) :]
            written = torch.ones(len(one.ids), dtype=torch.bool)
            for start, end in self.vlm.adapter.pictures(one):
                pictures.append(own[start:end].mean(dim=0))
                picture_of.append(row)
                written[start:end] = False
            words.append(own[written.to(own.device)])
            word_of += [row] * int(written.sum())
        none = Ragged.none(states.shape[2], states.shape[3])
        return Evidence(
            states[:, -1].cpu(),
            Ragged(torch.stack(pictures).cpu(), torch.tensor(picture_of)) if pictures else none,
            Ragged(torch.cat(words).cpu(), torch.tensor(word_of)),
            none,
        )

    def activations(self, prompts: Sequence[Prompt], count: Callable[[int, int], None] | None = None) -> Tensor:
        """Last prompt token at every block's output, unsteered: [B, L, d] float32 on the CPU.

        `count(done, all)` is told after every batch.
        """
        done = 0
        out = torch.zeros(len(prompts), len(self.vlm.site.layers), self.vlm.site.hidden_size)
        for places, rows in self.batches(prompts):
            reading = Reading(len(self.vlm.site.layers))
            with self.lock, torch.inference_mode(), touched(self.vlm.adapter.blocks, reading):
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
                with self.lock, torch.inference_mode():
                    found = self._likelihood(rows[some], [tokens[place] for place in places[some]], eraser)
                for place, values in zip(places[some], found, strict=True):
                    scores[place] = values
        return scores

    def _likelihood(
        self, rows: Sequence[Encoded], answers: Sequence[Sequence[list[int]]], eraser: Eraser | None
    ) -> list[list[float]]:
        """Teacher-forced: each prompt once (its last token steered or not), then all its answers from there."""
        flat = [answer for choices in answers for answer in choices]
        if not flat:
            return [[] for _ in rows]
        opened, fixed = self._opened(rows, eraser), self._fixed(eraser)
        owners = torch.tensor([row for row, choices in enumerate(answers) for _ in choices], device=self.vlm.device)
        width = max(len(answer) for answer in flat)
        padded = torch.tensor([answer + [answer[-1]] * (width - len(answer)) for answer in flat])
        padded = padded.to(self.vlm.device)
        logits = opened.logits[owners, None]
        if width > 1:
            fired = opened.decision.fired.to(self.vlm.device)[owners]
            held = eraser.held_pull() if eraser is not None and fixed is None and bool(fired.any()) else None
            more_of = opened.following(self.vlm.adapter, width - 1)
            extra = {name: value[..., owners, :] for name, value in more_of.items()}
            pulling = [] if held is None else [Pulling(held.to(self.vlm.device), fired, everywhere=True)]
            opened.cache.batch_select_indices(owners)
            with touched(self.vlm.adapter.blocks if pulling else [], both(*pulling)):
                more = self.vlm.model(
                    input_ids=padded[:, :-1], past_key_values=opened.cache, use_cache=True, **extra
                ).logits
            logits = torch.cat([logits, more], dim=1)
        likely = logits.float().log_softmax(-1).gather(2, padded[..., None])[..., 0]
        found = iter([float(likely[row, : len(answer)].sum()) for row, answer in enumerate(flat)])
        scores = [[next(found) for _ in choices] for choices in answers]
        for row, choices in enumerate(answers):
            if fixed is not None and bool(opened.decision.fired[row]):
                scores[row] = [0.0 if answer == fixed else float("-inf") for answer in choices]
        return scores

    def _steps(self, rows: Sequence[Encoded], asked: "_Asked") -> Iterator[_Run]:
        """Yields the run after each token, until all rows have ended."""
        eraser, most = asked.eraser, asked.max_new_tokens
        longest = max(len(row.ids) for row in rows)
        if longest + most > self.vlm.adapter.context:
            raise BadInput(f"Prompt and answer need {longest + most} tokens; the model has {self.vlm.adapter.context}.")
        opened = self._opened(rows, eraser, asked.tickets, read=asked.read)
        run = _Run(opened, [[] for _ in rows], [None] * len(rows), [[] for _ in rows])
        fired = opened.decision.fired.to(self.vlm.device)
        fixed = self._fixed(eraser)
        held = eraser.held_pull() if eraser is not None and fixed is None and bool(fired.any()) else None
        touches = [] if held is None else [Pulling(held.to(self.vlm.device), fired)]
        watched = asked.read or (eraser is not None and eraser.watches and not bool(fired.all()))
        sources = asked.sources()
        for step in range(most):
            chosen = _choose(opened.logits, asked.temperature, sources)
            if fixed is not None:
                chosen[fired] = fixed[min(step, len(fixed) - 1)]
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
            reading = Reading(len(self.vlm.adapter.blocks))
            with touched(
                self.vlm.adapter.blocks if watched or touches else [],
                both(*touches, reading) if watched else both(*touches),
            ):
                out = self.vlm.model(
                    input_ids=chosen[:, None],
                    past_key_values=opened.cache,
                    use_cache=True,
                    **opened.following(self.vlm.adapter),
                )
            opened.logits = out.logits[:, -1]
            if watched:
                states = reading.stacked().cpu()
                for row in grown:
                    run.spoken[row].append(states[row])
                yield run
                if all(run.done):
                    return

    def _take(self, run: _Run, row: int, token: int, *, last: bool, stop: Sequence[str]) -> bool:
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

    def _opened(
        self,
        rows: Sequence[Encoded],
        eraser: Eraser | None,
        forced: Sequence[str | None] | None = None,
        *,
        read: bool = False,
    ) -> _Opened:
        """Prefill, decide, and where it fires run the last prompt token again, steered.

        `forced`: the tickets that fire, decided before. `read`: keep the evidence even if nothing is decided.
        """
        inputs = self.inputs(rows)
        nobody = Decision(torch.zeros(len(rows), dtype=torch.bool), [None] * len(rows), torch.zeros(len(rows)))
        blocks = self.vlm.adapter.blocks
        if eraser is not None:
            eraser.site.check(self.vlm.site)
        if eraser is not None and not eraser.is_empty and not eraser.recipe.decides:
            broadcasting = Broadcasting(self._pull(eraser), eraser.gate_at)
            with touched(blocks, broadcasting):
                out = self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)
            gates = torch.stack(broadcasting.gates, dim=1).mean(dim=1).cpu()
            decision = Decision(gates > eraser.threshold, nobody.ticket, gates)
            return _Opened(out.past_key_values, out.logits[:, -1], decision, inputs)
        deciding = eraser is not None and not eraser.is_empty
        whole = read or (deciding and eraser is not None and eraser.identity is not None and forced is None)
        gathering, reading = Gathering(), Reading(len(blocks))
        with touched(blocks if whole or deciding else [], gathering if whole else reading):
            out = self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)
        opened = _Opened(out.past_key_values, out.logits[:, -1], nobody, inputs)
        if whole:
            opened.evidence = self._read(rows, gathering.stacked())
        elif deciding:
            opened.evidence = Evidence.of_last(reading.stacked().cpu())
        if deciding and eraser is not None and opened.evidence is not None:
            opened.decision = eraser.decide(opened.evidence) if forced is None else _forced(forced)
            if bool(opened.decision.fired.any()) and eraser.recipe.fixed_text is None:
                self._again(inputs, opened, eraser)
        return opened

    def _again(self, inputs: Mapping[str, Tensor], opened: _Opened, eraser: Eraser) -> None:
        """Run the last token again at its own place, steered where it fired; other rows get back what they had."""
        fired, cache = opened.decision.fired.to(self.vlm.device), opened.cache
        kept = [(layer.keys[:, :, -1:].clone(), layer.values[:, :, -1:].clone()) for layer in cache.layers]
        cache.crop(-1)
        place = {name: inputs[name][..., -1:] for name in ("input_ids", "position_ids") if name in inputs}
        if "attention_mask" in inputs:
            place["attention_mask"] = inputs["attention_mask"]
        with touched(self.vlm.adapter.blocks, Pulling(self._pull(eraser), fired)):
            again = self.vlm.model(**place, past_key_values=cache, use_cache=True)
        for layer, (keys, values) in zip(cache.layers, kept, strict=True):
            layer.keys[~fired, :, -1:] = keys[~fired]
            layer.values[~fired, :, -1:] = values[~fired]
        opened.logits = torch.where(fired[:, None], again.logits[:, -1], opened.logits)

    def _fixed(self, eraser: Eraser | None) -> list[int] | None:
        """Tokens of the sentence that every fired request is answered, and its end."""
        if eraser is None or eraser.recipe.fixed_text is None:
            return None
        return [*self.vlm.tokenizer.encode(eraser.recipe.fixed_text, add_special_tokens=False), self._end]

    def _pull(self, eraser: Eraser | None) -> Tensor:
        assert eraser is not None
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

    def _answer(self, run: _Run, row: int, prompt_tokens: int, stop: Sequence[str]) -> Answer:
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
class _Asked:
    """How a batch is asked. `seeds`: one a row. `tickets`: whose gates fired, where that is decided already."""

    eraser: Eraser | None
    max_new_tokens: int
    temperature: float
    seeds: Sequence[int]
    stop: Sequence[str]
    read: bool = False
    tickets: Sequence[str | None] | None = None

    def sources(self) -> list[torch.Generator]:
        """Fresh random numbers for each row."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def forced(self, rows: Sequence[int], tickets: Sequence[str | None]) -> "_Asked":
        """The same for some of the rows, all of them steered."""
        return replace(self, seeds=[self.seeds[row] for row in rows], tickets=tickets)


def _forced(tickets: Sequence[str | None]) -> Decision:
    return Decision(torch.ones(len(tickets), dtype=torch.bool), list(tickets), torch.ones(len(tickets)))


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
