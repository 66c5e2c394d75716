"""Asks a model: prefill, decide, decode, and ask again what concerns somebody forgotten. Serving is on this page.

With a recipe that decides (docs/method.md), nothing is steered in the first pass. A second pass follows for requests
that fire and for requests whose answer tells of somebody forgotten: where the recipe redacts, it reads the prompt with
a placeholder in the person's place (redaction.py), and it adds the steering vector, unless the model is sure of what it
says without (`counterfactual`). All other rows keep every bit of what the base model computed in the same batch.
Fitting uses capture.py beside this, measuring likelihood.py.
"""

import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

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
from shared.vlm.texts import TokenReader

LAG: Final = 4  # tokens by which a stream lags where answers are checked: a name must be whole to be recognised


class _Said(NamedTuple):
    """All that a second pass said, also what is cut off, and how sure the model was (0..1)."""

    text: str
    certainty: float


class Engine:
    """One model, used by one thread at a time; safe to share."""

    def __init__(self, vlm: Vlm) -> None:
        self.vlm = vlm
        self.lock = threading.RLock()
        self.progress = Progress()
        ends = vlm.model.generation_config.eos_token_id
        self.end_tokens = frozenset(ends if isinstance(ends, list) else [ends])
        self.end_token: int = ends[0] if isinstance(ends, list) else ends  # ends a turn (`end_turns`)
        self.reader = TokenReader(vlm.tokenizer)
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
                said = tuple(answer.text for answer in answers)
                readout = replace(readout, texts=self.reader.prompts(self.vlm.adapter, encoded), answers=said)
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
        """The rows whose prompt fired, then those whose answer so far tells of somebody forgotten."""
        fired, eraser = state.prefill.fired_rows, request.eraser
        decision = state.prefill.decision.take(fired)
        if eraser is None or not request.checks_answers:
            return RowsToRedo(fired, decision)
        tickets: list[str | None] = [None] * len(state.tokens)
        if any(state.answer_states):
            tickets = eraser.match_answers(state.answer_tokens(), len(state.tokens))
        if state.prefill.evidence is not None:
            for row, tokens in enumerate(state.tokens):
                if tickets[row] is None and tokens and row not in fired:
                    tickets[row] = eraser.told_by(self._decode(tokens), state.prefill.evidence, row)
        naming = [row for row, ticket in enumerate(tickets) if ticket is not None and row not in fired]
        count = len(naming)
        by_answer = Decision(torch.ones(count, dtype=torch.bool), [tickets[row] for row in naming], torch.ones(count))
        return RowsToRedo(fired + naming, decision.followed_by(by_answer))

    def redo_steered(
        self, encoded: Sequence[Encoded], state: DecodeState, request: GenerationRequest, redo: RowsToRedo
    ) -> list[Answer]:
        """The second pass: answers of the rows in `redo`, from the redacted prompt, or the fixed sentence.

        Where the recipe is counterfactual, what the model says unsteered is the answer if it is sure of it and tells
        nothing. An answer that still tells something is replaced by the eraser's last resort.
        """
        eraser = request.eraser
        assert eraser is not None
        if eraser.recipe.fixed_text is not None:
            return self._sentence(encoded, request, redo, eraser.recipe.fixed_text)
        again = self.redacted(encoded, state.prefill, eraser, redo.rows, redo.decision)
        answers: dict[int, Answer] = {}
        if eraser.recipe.counterfactual:
            answers = self._unsteered(again, state, request, redo)
        rest = [place for place in range(len(redo.rows)) if place not in answers]
        if rest:
            steered = self._second(again, state, request, redo, rest, steers=True)
            answers |= {place: answer for place, (answer, _) in steered.items()}
            telling = [
                place for place, (_, said) in steered.items() if self._tells(said.text, state, request, redo, place)
            ]
            if telling:
                chosen = RowsToRedo([redo.rows[place] for place in telling], redo.decision.take(telling))
                sentences = self._sentence(encoded, request, chosen, eraser.last_resort)
                answers |= dict(zip(telling, sentences, strict=True))
        lengths = [len(encoded[row].ids) for row in redo.rows]
        return [replace(answers[place], prompt_tokens=length) for place, length in enumerate(lengths)]

    def _unsteered(
        self, again: Sequence[Encoded], state: DecodeState, request: GenerationRequest, redo: RowsToRedo
    ) -> dict[int, Answer]:
        """The answers, by their place in `redo`, that the model is sure of although nobody is named or shown."""
        assert request.eraser is not None
        everything = list(range(len(redo.rows)))
        released = {}
        for place, (answer, said) in self._second(again, state, request, redo, everything, steers=False).items():
            bounds, draft = request.eraser.release, self._decode(state.tokens[redo.rows[place]])
            bound = bounds.telling if self._tells(draft, state, request, redo, place) else bounds.silent
            if said.certainty >= bound and not self._tells(said.text, state, request, redo, place):
                released[place] = answer
        return released

    def _tells(self, text: str, state: DecodeState, request: GenerationRequest, redo: RowsToRedo, place: int) -> bool:
        """Whether an answer to the row at `place` of `redo` tells of anybody forgotten."""
        evidence, eraser = state.prefill.evidence, request.eraser
        if evidence is None or eraser is None:
            return False
        return eraser.told_by(text, evidence, redo.rows[place], redo.decision.ticket[place]) is not None

    def _second(
        self,
        again: Sequence[Encoded],
        state: DecodeState,
        request: GenerationRequest,
        redo: RowsToRedo,
        places: Sequence[int],
        *,
        steers: bool,
    ) -> dict[int, tuple[Answer, "_Said"]]:
        """What the redacted prompts at some places of `redo` give, by place."""
        rows = [redo.rows[place] for place in places]
        second = request.second(rows, redo.decision.take(places), steers=steers)
        done = self._decode_to_end([again[place] for place in places], second)
        return {
            place: (
                self._answer(done, number, len(again[place].ids), request.stop),
                _Said(self._decode(done.tokens[number]), done.certainty(number)),
            )
            for number, place in enumerate(places)
        }

    def second_pass(self, redacted: Sequence[Encoded], request: GenerationRequest) -> list[Answer]:
        """Answers of prompts that are redacted already, steered by the eraser of `request`, which holds the decision.

        The token counts are those of the redacted prompts.
        """
        with self.exclusive():
            state = self._decode_to_end(redacted, request)
            return [self._answer(state, row, len(each.ids), request.stop) for row, each in enumerate(redacted)]

    def answers_with_certainty(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> list[tuple[Answer, float]]:
        """The answers of a batch, each with how sure the model was of it (`DecodeState.certainty`)."""
        with self.exclusive():
            state = self._decode_to_end(encoded, replace(request, scores=True))
            return [
                (self._answer(state, row, len(each.ids), request.stop), state.certainty(row))
                for row, each in enumerate(encoded)
            ]

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
            steering = AddVector(eraser.steering_vector().to(self.vlm.device)) if request.steers else leave_unchanged
            out = self._read(inputs, blocks if request.steers else [], steering)
            return PrefillState(out.past_key_values, out.logits[:, -1], request.decision, inputs)
        if eraser is not None and not eraser.is_empty and not eraser.recipe.decides:
            gated = GatedSteering(eraser.steering_vector().to(self.vlm.device), eraser.gate_at)
            out = self._read(inputs, blocks, gated)
            gates = torch.stack(gated.gates, dim=1).mean(dim=1).cpu()
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
            if eraser.text is not None:
                state.readout = replace(state.readout, texts=self.reader.prompts(adapter, encoded))
                state.evidence = eraser.evidence(state.readout)
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
        if request.eraser is not None and request.decision is not None and request.steers:
            vector = request.eraser.decode_steering_vector()
        if vector is None:
            return [], leave_unchanged
        return self.vlm.adapter.blocks, AddVector(vector.to(self.vlm.device), everywhere=everywhere)

    def fixed_answer(self, eraser: Eraser) -> list[int]:
        """Tokens of the sentence with which the recipe answers every fired request, and the end of the turn."""
        return [*self.vlm.tokenizer.encode(eraser.recipe.fixed_text, add_special_tokens=False), self.end_token]

    def _sentence(
        self, encoded: Sequence[Encoded], request: GenerationRequest, redo: RowsToRedo, sentence: str
    ) -> list[Answer]:
        """The same sentence for all rows of `redo`, cut as any answer is."""
        whole = self.vlm.tokenizer.encode(sentence, add_special_tokens=False)
        tokens = tuple(whole[: request.max_new_tokens])
        text = _cut(self._decode(tokens), request.stop).strip()
        reason = "stop" if len(tokens) == len(whole) else "length"
        return [
            Answer(text, tokens, len(encoded[row].ids), reason, True, ticket, float(score))
            for row, ticket, score in zip(redo.rows, redo.decision.ticket, redo.decision.score, strict=True)
        ]

    def _stream(self, prompt: Prompt, request: GenerationRequest) -> Iterator[str | Answer]:
        """`stream`, to be advanced while the model is held."""
        ((_, encoded),) = list(batches(self.vlm.adapter, [prompt]))
        sent, state = yield from self._pieces(encoded, request)
        redo = self.rows_to_redo(state, request)
        answer = self._answer(state, 0, len(encoded[0].ids), request.stop)
        if redo.rows:
            (answer,) = self.redo_steered(encoded, state, request, redo)
            if sent:
                answer = replace(answer, text=f"{sent} {answer.text}")
        yield from _words_of(answer.text[len(sent) :])
        yield answer

    def _pieces(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> Generator[str, None, tuple[str, DecodeState]]:
        """Text of one answer as soon as it may be sent; returns all that was sent, and the state at the end.

        Sends nothing more where the answer has to be given by a second pass.
        """
        sent, fires = "", False
        for state in self._steps(encoded, request):
            last = state
            ready = "" if fires else self._ready(state, request)
            if len(ready) > len(sent) and not (fires := bool(self.rows_to_redo(state, request).rows)):
                yield ready[len(sent) :]
                sent = ready
            else:
                yield ""
        return sent, last

    def _ready(self, state: DecodeState, request: GenerationRequest) -> str:
        """What may be sent of an unfinished answer: whole words, none of which may belong to a stop word, to a name or
        to a fact that has yet to be recognised."""
        tokens = state.answer_tokens_of(0)
        if request.checks_answers:
            tokens = tokens[: max(0, len(state.tokens[0]) - LAG)]
        text = _cut(self._decode(tokens), request.stop)
        held_back = max((len(word) for word in request.stop), default=1) - 1
        text = text[: len(text) - held_back].lstrip()
        ready = text[: max(text.rfind(" "), text.rfind("\n"), 0)].rstrip()
        eraser = request.eraser
        if request.checks_answers and eraser is not None and eraser.text is not None:
            while ready and eraser.text.may_go_on(ready):
                ready = ready[: max(ready.rfind(" "), ready.rfind("\n"), 0)].rstrip()
        return ready

    def _decode_to_end(self, encoded: Sequence[Encoded], request: GenerationRequest) -> DecodeState:
        for state in self._steps(encoded, request):
            last = state
        return last

    def _steps(self, encoded: Sequence[Encoded], request: GenerationRequest) -> Iterator[DecodeState]:
        """The state after each token, until all rows have ended.

        A row that fired gets no token in the first pass, unless the recipe looks at what it would have said.
        """
        most, adapter = request.max_new_tokens, self.vlm.adapter
        longest = max(len(prompt.ids) for prompt in encoded)
        if request.decision is not None:  # a placeholder may be longer than the name, and must not make this fail
            most = max(1, min(most, adapter.context - longest))
        if longest + most > adapter.context:
            raise BadInput(f"Prompt and answer need {longest + most} tokens; the model has {adapter.context}.")
        prefill = self.prefill(encoded, request)
        drafts = request.eraser is None or request.eraser.recipe.counterfactual
        state = DecodeState.begun(prefill, len(encoded), () if drafts else prefill.fired_rows)
        if all(state.closed):
            yield state
            return
        reading, generators = request.readout or request.checks_answers, request.generators()
        for _ in range(min(most + request.ahead, adapter.context - longest)):
            chosen = _choose(prefill.logits, request.temperature, generators)
            if request.scores:
                self._score(state, prefill.logits, chosen)
            grown = [
                row
                for row, token in enumerate(chosen.tolist())
                if not state.closed[row] and self._append(state, row, token, most, request)
            ]
            if not reading:
                yield state
            if all(state.closed) and not (reading and grown):  # a new token is read by one more forward pass
                if reading:
                    yield state
                return
            states = self._read_token(chosen, prefill, request, reading=reading)
            if states is not None:
                for row in grown:
                    state.answer_states[row].append(states[row])
                yield state
                if all(state.closed):
                    return

    def _read_token(
        self, chosen: Tensor, prefill: PrefillState, request: GenerationRequest, *, reading: bool
    ) -> Tensor | None:
        """Read one more token [B] of each row: the logits that follow, and its states [B, G, d] where a gate reads."""
        read = self.blocks_at(request.read_layers) if reading else []
        capture = CaptureLastToken(len(read))
        blocks, hook = (read, capture) if reading else self.decode_hook(request)
        with hooked(blocks, hook):
            out = self.vlm.model(
                input_ids=chosen[:, None],
                past_key_values=prefill.cache,
                use_cache=True,
                **prefill.following(self.vlm.adapter),
            )
        prefill.logits = out.logits[:, -1]
        self.progress.step()
        return capture.stacked().cpu() if reading else None

    def _append(self, state: DecodeState, row: int, token: int, most: int, request: GenerationRequest) -> bool:
        """Add a token to a row's answer, or end it; whether there is one more token."""
        tokens = state.tokens[row]
        if token in self.end_tokens:
            state.finished[row] = state.finished[row] or "stop"
            state.closed[row] = True
            return False
        tokens.append(token)
        if state.finished[row] is None:
            if request.stop and any(word in self._decode(tokens) for word in request.stop):
                state.finished[row], state.visible[row] = "stop", len(tokens)
            elif len(tokens) >= most:
                state.finished[row], state.visible[row] = "length", len(tokens)
        visible = state.visible[row]
        state.closed[row] = visible is not None and len(tokens) >= visible + request.ahead
        return True

    @staticmethod
    def _score(state: DecodeState, logits: Tensor, chosen: Tensor) -> None:
        """Add the log-likelihood of the tokens that are about to be added, of the rows that go on."""
        likelihoods = logits.float().log_softmax(-1).gather(1, chosen[:, None])[:, 0].tolist()
        for row, value in enumerate(likelihoods):
            if not state.closed[row]:
                state.log_likelihood[row] += value

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.vlm.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def _answer(self, state: DecodeState, row: int, prompt_tokens: int, stop: Sequence[str]) -> Answer:
        decision = state.prefill.decision
        return Answer(
            text=_cut(self._decode(state.answer_tokens_of(row)), stop).strip(),
            tokens=tuple(state.answer_tokens_of(row)),
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


def _words_of(text: str) -> list[str]:
    """A text in pieces of one word each, with the blanks before it: together they are the text."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def _cut(text: str, stop: Sequence[str]) -> str:
    for word in stop:
        at = text.find(word)
        if at >= 0:
            text = text[:at]
    return text
