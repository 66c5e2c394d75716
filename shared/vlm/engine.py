"""Asks a model: prefill, decide, decode, and ask again what concerns somebody forgotten. Serving is on this page.

With a recipe that decides (docs/method.md), nothing is steered in the first pass. A second pass follows for requests
that fire and for requests whose answer names somebody forgotten: it adds the steering vector and, where the recipe
redacts, reads the prompt with a placeholder in the person's place (redaction.py). All other rows keep every bit of
what the base model computed in the same batch. Fitting uses capture.py beside this, measuring likelihood.py.
"""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Decision, Eraser
from shared.erasure.readout import Readout
from shared.errors import BadInput
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.generation import Answer, DecodeState, ExaminedBatch, GenerationRequest, PrefillState, RowsToRedo
from shared.vlm.hooks import (
    AddVector,
    BlockHook,
    CaptureLastToken,
    GatedSteering,
    hooked,
    leave_unchanged,
)
from shared.vlm.loading import Vlm
from shared.vlm.progress import Progress
from shared.vlm.readouts import CaptureReadout
from shared.vlm.redaction import placeholder_tokens, redact

LAG: Final = 4  # tokens by which a stream lags where answers are checked: a name must be whole to be recognised


class Engine:
    """One model, used by one thread at a time; safe to share."""

    def __init__(self, vlm: Vlm) -> None:
        self.vlm = vlm
        self.lock = threading.RLock()
        self.progress = Progress()
        ends = vlm.model.generation_config.eos_token_id
        self.end_tokens = frozenset(ends if isinstance(ends, list) else [ends])
        self.end_token: int = ends[0] if isinstance(ends, list) else ends  # ends a turn (`end_turns`)
        self._placeholder = placeholder_tokens(vlm.tokenizer)

    @property
    def reads_pictures(self) -> bool:
        """Whether prompts may hold pictures."""
        return self.vlm.adapter.has_pictures

    def readable(self, subject: Subject) -> Subject:
        """The person as the model can be asked about them: without photographs where it reads no pictures."""
        return subject if self.reads_pictures else replace(subject, photos=())

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The model for this thread alone, without gradients.

        Never hold it across a `yield` to a caller: another thread may close the generator, and cannot let go of it.
        """
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
        """One answer for each prompt, in order. Greedy at temperature 0; else sampled from `seed` + the position.

        Raises BadInput for a prompt that does not fit and SiteMismatch for an eraser of another model.
        """
        answers: dict[int, Answer] = {}
        for positions, encoded in batches(self.vlm.adapter, prompts):
            seeds = [seed + position for position in positions]
            request = GenerationRequest(eraser, max_new_tokens, temperature, seeds, stop)
            with self.exclusive():
                answers.update(zip(positions, self.answer(encoded, request), strict=True))
        return [answers[position] for position in range(len(prompts))]

    def stream(
        self,
        prompt: Prompt,
        *,
        eraser: Eraser | None = None,
        max_new_tokens: int = 24,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> Generator[str | Answer, None, None]:
        """The answer's text piece by piece, then the whole Answer. A piece may be empty: one comes after every step.

        The model is held for one step at a time and never while the caller has the generator: it may be read slowly,
        left, or closed from any thread. Where answers are checked, the text lags LAG tokens behind; an answer that
        turns out to name somebody forgotten breaks off, and the answer of the second pass follows what was sent so far
        (as a rule, nothing).
        """
        pieces = self._stream(prompt, GenerationRequest(eraser, max_new_tokens, temperature, [seed], stop))
        while True:
            with self.exclusive():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def examine_batches(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int = 24, layers: tuple[int, ...] | None = None
    ) -> Iterator[ExaminedBatch]:
        """The base model's greedy answers, and the readout of prompts and answers at `layers`, a batch at a time."""
        request = GenerationRequest(None, max_new_tokens, readout=True, layers=layers)
        for positions, encoded in batches(self.vlm.adapter, prompts):
            with self.exclusive():
                state = self._decode_to_end(encoded, request)
                readout = state.prefill.readout
                assert readout is not None
                if any(state.answer_states):
                    readout = readout.with_answer_tokens(state.answer_tokens())
                answers = [self._answer(state, row, len(prompt.ids), ()) for row, prompt in enumerate(encoded)]
            yield ExaminedBatch(positions, answers, readout)

    def examine(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int = 24, layers: tuple[int, ...] | None = None
    ) -> tuple[list[Answer], Readout]:
        """`examine_batches` of all prompts together: holds every token."""
        parts = list(self.examine_batches(prompts, max_new_tokens=max_new_tokens, layers=layers))
        answers = {at: answer for part in parts for at, answer in zip(part.positions, part.answers, strict=True)}
        readout = Readout.ordered([(part.positions, part.readout) for part in parts])
        return [answers[position] for position in range(len(prompts))], readout

    def answer(self, encoded: Sequence[Encoded], request: GenerationRequest) -> list[Answer]:
        """Answers of one batch: the first pass, and a second one for what concerns somebody forgotten."""
        state = self._decode_to_end(encoded, request)
        answers = [self._answer(state, row, len(prompt.ids), request.stop) for row, prompt in enumerate(encoded)]
        redo = self.rows_to_redo(state, request)
        if redo.rows:
            for row, answer in zip(redo.rows, self.redo_steered(encoded, state, request, redo), strict=True):
                answers[row] = answer
        return answers

    def rows_to_redo(self, state: DecodeState, request: GenerationRequest) -> RowsToRedo:
        """The rows whose prompt fired, then those whose answer so far names somebody forgotten."""
        fired, eraser = state.prefill.fired_rows, request.eraser
        decision = state.prefill.decision.take(fired)
        if eraser is None or not request.checks_answers or not any(state.answer_states):
            return RowsToRedo(fired, decision)
        tickets = eraser.match_answers(state.answer_tokens(), len(state.tokens))
        naming = [row for row, ticket in enumerate(tickets) if ticket is not None and row not in fired]
        count = len(naming)
        by_answer = Decision(torch.ones(count, dtype=torch.bool), [tickets[row] for row in naming], torch.ones(count))
        return RowsToRedo(fired + naming, decision.followed_by(by_answer))

    def redo_steered(
        self, encoded: Sequence[Encoded], state: DecodeState, request: GenerationRequest, redo: RowsToRedo
    ) -> list[Answer]:
        """The second pass: answers of the rows in `redo`, steered from the redacted prompt, or the fixed sentence."""
        assert request.eraser is not None
        if request.eraser.recipe.fixed_text is not None:
            return self._fixed_answers(encoded, request, redo)
        again = self.redacted(encoded, state.prefill, request.eraser, redo.rows, redo.decision)
        answers = self.second_pass(again, request.steered(redo.rows, redo.decision))
        lengths = [len(encoded[row].ids) for row in redo.rows]
        return [replace(answer, prompt_tokens=length) for answer, length in zip(answers, lengths, strict=True)]

    def second_pass(self, redacted: Sequence[Encoded], request: GenerationRequest) -> list[Answer]:
        """Answers of prompts that are redacted already, steered by the eraser of `request`, which holds the decision.

        The token counts are those of the redacted prompts.
        """
        with self.exclusive():
            state = self._decode_to_end(redacted, request)
            return [self._answer(state, row, len(each.ids), request.stop) for row, each in enumerate(redacted)]

    def redacted(
        self,
        encoded: Sequence[Encoded],
        state: PrefillState,
        eraser: Eraser,
        rows: Sequence[int],
        decision: Decision,
    ) -> list[Encoded]:
        """The prompts of `rows` as the second pass reads them."""
        readout = None if state.readout is None else state.readout.take(rows)
        return self.redact([encoded[row] for row in rows], eraser, decision, readout)

    def redact(
        self, encoded: Sequence[Encoded], eraser: Eraser, decision: Decision, readout: Readout | None
    ) -> list[Encoded]:
        """Fired prompts with a placeholder in the person's place, where the recipe redacts; else as they are."""
        if not eraser.recipe.redact or readout is None:
            return list(encoded)
        spans = eraser.mention_spans(readout, decision.ticket)
        return [
            redact(self.vlm.adapter, prompt, where, self._placeholder)
            for prompt, where in zip(encoded, spans, strict=True)
        ]

    def prefill(self, encoded: Sequence[Encoded], request: GenerationRequest) -> PrefillState:
        """Read the prompts: unsteered, and decide; or, in the second pass, steered at the last prompt token."""
        if request.eraser is not None:
            request.eraser.site.check(self.vlm.site)
        state = self._prefill(encoded, request)
        self.progress.step()
        return state

    def _prefill(self, encoded: Sequence[Encoded], request: GenerationRequest) -> PrefillState:
        inputs, eraser, blocks = self.vlm.adapter.inputs(encoded), request.eraser, self.vlm.adapter.blocks
        layers = request.read_layers
        nothing_fires = Decision.none(len(encoded))
        if eraser is not None and request.decision is not None:
            out = self._read(inputs, blocks, AddVector(eraser.steering_vector().to(self.vlm.device)))
            return PrefillState(out.past_key_values, out.logits[:, -1], request.decision, inputs)
        if eraser is not None and not eraser.is_empty and not eraser.recipe.decides:
            steering = GatedSteering(eraser.steering_vector().to(self.vlm.device), eraser.gate_at)
            out = self._read(inputs, blocks, steering)
            gates = torch.stack(steering.gates, dim=1).mean(dim=1).cpu()
            decision = Decision(gates > eraser.threshold, nothing_fires.ticket, gates)
            return PrefillState(out.past_key_values, out.logits[:, -1], decision, inputs)
        deciding = eraser is not None and not eraser.is_empty
        every_token = request.readout or (deciding and eraser is not None and eraser.identity is not None)
        if not every_token and not deciding:
            out = self._read(inputs, [], leave_unchanged)
            return PrefillState(out.past_key_values, out.logits[:, -1], nothing_fires, inputs)
        read = self.blocks_at(layers)
        adapter = self.vlm.adapter
        capture: CaptureReadout | CaptureLastToken = (
            CaptureReadout(adapter, encoded, len(read)) if every_token else CaptureLastToken(len(read))
        )
        out = self._read(inputs, read, capture)
        state = PrefillState(out.past_key_values, out.logits[:, -1], nothing_fires, inputs, decides=deciding)
        if isinstance(capture, CaptureReadout):
            state.readout = capture.readout(layers)
        else:
            state.readout = Readout.of_last(capture.stacked().cpu(), layers)
        if deciding and eraser is not None:
            state.decision = eraser.decide(state.readout)
        return state

    def blocks_at(self, layers: tuple[int, ...] | None) -> list[nn.Module]:
        """The decoder blocks at these positions of the site's list of layers; None for all of the list."""
        blocks, site = self.vlm.adapter.blocks, self.vlm.site.layers
        return [blocks[block] for block in (site if layers is None else [site[at] for at in layers])]

    def _read(self, inputs: Mapping[str, Tensor], blocks: Sequence[nn.Module], hook: BlockHook) -> Any:
        with hooked(blocks, hook):
            return self.vlm.model(**inputs, use_cache=True, logits_to_keep=1)

    def decode_hook(
        self, request: GenerationRequest, *, everywhere: bool = False
    ) -> tuple[Sequence[nn.Module], BlockHook]:
        """Where and how generated tokens are steered: nowhere but in a second pass whose recipe steers them too."""
        vector = None
        if request.eraser is not None and request.decision is not None:
            vector = request.eraser.decode_steering_vector()
        if vector is None:
            return [], leave_unchanged
        return self.vlm.adapter.blocks, AddVector(vector.to(self.vlm.device), everywhere=everywhere)

    def fixed_answer(self, eraser: Eraser) -> list[int]:
        """Tokens of the sentence with which the recipe answers every fired request, and the end of the turn."""
        return [*self.vlm.tokenizer.encode(eraser.recipe.fixed_text, add_special_tokens=False), self.end_token]

    def _fixed_answers(self, encoded: Sequence[Encoded], request: GenerationRequest, redo: RowsToRedo) -> list[Answer]:
        assert request.eraser is not None
        sentence = self.fixed_answer(request.eraser)[:-1]
        tokens = tuple(sentence[: request.max_new_tokens])
        text = _cut(self._decode(tokens), request.stop).strip()
        reason = "stop" if len(tokens) == len(sentence) else "length"
        return [
            Answer(text, tokens, len(encoded[row].ids), reason, True, ticket, float(score))
            for row, ticket, score in zip(redo.rows, redo.decision.ticket, redo.decision.score, strict=True)
        ]

    def _stream(self, prompt: Prompt, request: GenerationRequest) -> Iterator[str | Answer]:
        """`stream`, to be advanced while the model is held."""
        ((_, encoded),) = list(batches(self.vlm.adapter, [prompt]))
        sent, state = yield from self._pieces(encoded, request)
        redo, prompt_tokens = self.rows_to_redo(state, request), len(encoded[0].ids)
        before = f"{sent} " if redo.rows and sent else ""
        if before:
            yield " "
        if not redo.rows:
            answer = self._answer(state, 0, prompt_tokens, request.stop)
        elif request.eraser is None or request.eraser.recipe.fixed_text is not None:
            (answer,), sent = self.redo_steered(encoded, state, request, redo), ""
        else:
            again = self.redacted(encoded, state.prefill, request.eraser, redo.rows, redo.decision)
            sent, second = yield from self._pieces(again, request.steered(redo.rows, redo.decision))
            answer = self._answer(second, 0, prompt_tokens, request.stop)
        if answer.text[len(sent) :]:
            yield answer.text[len(sent) :]
        yield replace(answer, text=before + answer.text) if before else answer

    def _pieces(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> Generator[str, None, tuple[str, DecodeState]]:
        """Text of one answer as soon as it may be sent; returns all that was sent, and the state at the end.

        Breaks off where the answer has to be given by a second pass.
        """
        lag, sent = LAG if request.checks_answers else 0, ""
        for state in self._steps(encoded, request):
            last = state
            if self.rows_to_redo(state, request).rows:
                break
            ready = self._ready(state, request.stop, lag)
            if len(ready) > len(sent) and not ready.endswith("\ufffd"):
                yield ready[len(sent) :]
                sent = ready
            else:
                yield ""
        return sent, last

    def _ready(self, state: DecodeState, stop: Sequence[str], lag: int) -> str:
        """What may be sent of an unfinished answer: no half stop word, and no token that has yet to be checked."""
        tokens = state.tokens[0]
        text = _cut(self._decode(tokens[: len(tokens) - lag] if lag else tokens), stop)
        held_back = max((len(word) for word in stop), default=1) - 1
        return text if state.finished[0] and not lag else text[: len(text) - held_back]

    def _decode_to_end(self, encoded: Sequence[Encoded], request: GenerationRequest) -> DecodeState:
        for state in self._steps(encoded, request):
            last = state
        return last

    def _steps(self, encoded: Sequence[Encoded], request: GenerationRequest) -> Iterator[DecodeState]:
        """The state after each token, until all rows have ended. A row that fired gets no token in the first pass."""
        most, adapter = request.max_new_tokens, self.vlm.adapter
        longest = max(len(prompt.ids) for prompt in encoded)
        if request.decision is not None:  # a placeholder may be longer than the name, and must not make this fail
            most = max(1, min(most, adapter.context - longest))
        if longest + most > adapter.context:
            raise BadInput(f"Prompt and answer need {longest + most} tokens; the model has {adapter.context}.")
        prefill = self.prefill(encoded, request)
        finished: list[str | None] = [None] * len(encoded)
        for row in prefill.fired_rows:
            finished[row] = "fired"
        state = DecodeState(prefill, [[] for _ in encoded], finished, [[] for _ in encoded])
        if all(finished):
            yield state
            return
        reading, generators = request.readout or request.checks_answers, request.generators()
        for step in range(most):
            chosen = _choose(prefill.logits, request.temperature, generators)
            grown = [
                row
                for row, token in enumerate(chosen.tolist())
                if finished[row] is None and self._append(state, row, token, last=step == most - 1, stop=request.stop)
            ]
            if not reading:
                yield state
            if all(finished) and not (reading and grown):  # a new token is read by one more forward pass
                if reading:
                    yield state
                return
            read = self.blocks_at(request.read_layers) if reading else []
            capture = CaptureLastToken(len(read))
            blocks, hook = (read, capture) if reading else self.decode_hook(request)
            with hooked(blocks, hook):
                out = self.vlm.model(
                    input_ids=chosen[:, None],
                    past_key_values=prefill.cache,
                    use_cache=True,
                    **prefill.following(adapter),
                )
            prefill.logits = out.logits[:, -1]
            self.progress.step()
            if reading:
                states = capture.stacked().cpu()
                for row in grown:
                    state.answer_states[row].append(states[row])
                yield state
                if all(finished):
                    return

    def _append(self, state: DecodeState, row: int, token: int, *, last: bool, stop: Sequence[str]) -> bool:
        """Add a token to a row's answer, or end it; whether the answer grew."""
        if token in self.end_tokens:
            state.finished[row] = "stop"
            return False
        state.tokens[row].append(token)
        if stop and any(word in self._decode(state.tokens[row]) for word in stop):
            state.finished[row] = "stop"
        elif last:
            state.finished[row] = "length"
        return True

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.vlm.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def _answer(self, state: DecodeState, row: int, prompt_tokens: int, stop: Sequence[str]) -> Answer:
        decision = state.prefill.decision
        return Answer(
            text=_cut(self._decode(state.tokens[row]), stop).strip(),
            tokens=tuple(state.tokens[row]),
            prompt_tokens=prompt_tokens,
            finish_reason=state.finished[row] or "length",
            fired=bool(decision.fired[row]),
            ticket=decision.ticket[row],
            score=float(decision.score[row]),
        )


def _choose(logits: Tensor, temperature: float, generators: Sequence[torch.Generator]) -> Tensor:
    if temperature <= 0:
        return logits.argmax(dim=-1)
    probabilities = (logits.float() / temperature).softmax(dim=-1).cpu()
    drawn = [torch.multinomial(row, 1, generator=own) for row, own in zip(probabilities, generators, strict=True)]
    return torch.cat(drawn).to(logits.device)


def _cut(text: str, stop: Sequence[str]) -> str:
    for word in stop:
        at = text.find(word)
        if at >= 0:
            text = text[:at]
    return text
