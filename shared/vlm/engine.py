"""Asks a model, and forgets: serving is on this page.

The first pass is decoding.py, the second one second_pass.py. Fitting uses capture.py beside this, measuring
likelihood.py.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from shared.core.progress import Counter, uncounted
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.erasure.gates.read_text import read_ahead
from shared.erasure.readout import Readout
from shared.text.hold_back import sendable, words_of
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.forward_passes import Computation, ForwardPass
from shared.vlm.generation import Answer, DecodeState, ExaminedBatch, GenerationRequest
from shared.vlm.sampling import without_telling
from shared.vlm.second_pass import Reviser

LAG: Final = 4  # tokens by which a stream lags where answers are checked: a name must be whole to be recognised


class Engine(Reviser):
    """One model, used by one thread at a time; safe to share."""

    def readable(self, subject: Subject) -> Subject:
        """The person as the model can be asked about them: without photographs where it reads no pictures."""
        return subject if self.reads_pictures else replace(subject, photos=())

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        eraser: Eraser | None = None,
        max_new_tokens: int = 24,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        answered: Counter = uncounted,
    ) -> list[Answer]:
        """One answer for each prompt, in order. Greedy at temperature 0; else sampled from `seed` + the position.

        `answered` is told after each batch how many prompts it had. Raises BadInput for a prompt that does not fit and
        SiteMismatch for an eraser of another model.
        """
        answers: dict[int, Answer] = {}
        for positions, encoded in batches(self.vlm.adapter, prompts):
            seeds = [seed + position for position in positions]
            request = GenerationRequest(eraser, max_new_tokens, temperature, seeds, stop)
            with self.exclusive():
                answers.update(zip(positions, self.run(self.answer(encoded, request)), strict=True))
            answered(len(positions))
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
        request = GenerationRequest(eraser, max_new_tokens, temperature, [seed], stop)
        computation, result = self.answering(self.encode(prompt), request), None
        while True:
            with self.exclusive():
                step = next(computation, None) if result is None else computation.send(result)
                result = None
                if isinstance(step, ForwardPass):
                    result = self.perform(step)
                    step = ""
            if step is None:
                return
            yield step

    def examine_batches(
        self, prompts: Sequence[Prompt], *, max_new_tokens: int = 24, layers: tuple[int, ...] | None = None
    ) -> Iterator[ExaminedBatch]:
        """The base model's greedy answers, and the readout of prompts and answers at `layers`, a batch at a time."""
        request = GenerationRequest(None, max_new_tokens, readout=True, layers=layers)
        for positions, encoded in batches(self.vlm.adapter, prompts):
            with self.exclusive():
                state = self.run(self.decode_to_end(encoded, request))
                readout = state.prefill.readout
                assert readout is not None
                if any(state.answer_states):
                    readout = readout.with_answer_tokens(state.answer_tokens())
                answers = [self.answer_of(state, row, len(prompt.ids), ()) for row, prompt in enumerate(encoded)]
                said = tuple(self.text_of(tokens) for tokens in state.tokens)
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

    def answer(self, encoded: Sequence[Encoded], request: GenerationRequest) -> Computation[list[Answer]]:
        """Answers of one batch: the first pass, and a second one for what concerns somebody forgotten."""
        state = yield from self.decode_to_end(encoded, request)
        answers = [self.answer_of(state, row, len(prompt.ids), request.stop) for row, prompt in enumerate(encoded)]
        redo = yield from self.all_to_redo(encoded, state, request)
        if redo.rows:
            again = yield from self.redo_steered(encoded, state, request, redo)
            for row, answer in zip(redo.rows, again, strict=True):
                answers[row] = answer
        return answers

    def _holds_back(self, encoded: Sequence[Encoded], state: DecodeState, request: GenerationRequest) -> bool:
        """Whether nothing more may be sent of the first answer: it tells of somebody forgotten, or may turn out to."""
        if self.rows_to_redo(state, request).rows:
            return True
        eraser = request.eraser
        evidence = state.prefill.evidence
        if eraser is None or evidence is None or not encoded[0].photos:
            return False
        return bool(eraser.suspected(self._said(state, 0, eraser), evidence))

    def second_pass(self, redacted: Sequence[Encoded], request: GenerationRequest) -> list[Answer]:
        """Answers of prompts that are redacted already, steered by the eraser of `request`, which holds the decision.

        The token counts are those of the redacted prompts.
        """
        with self.exclusive():
            state = self.run(self.decode_to_end(redacted, request))
            return [self.answer_of(state, row, len(each.ids), request.stop) for row, each in enumerate(redacted)]

    def answers_with_certainty(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> list[tuple[Answer, float]]:
        """The answers of a batch, each with how sure the model was of it (`DecodeState.certainty`)."""
        with self.exclusive():
            state = self.run(self.decode_to_end(encoded, replace(request, scores=True)))
            return [
                (self.answer_of(state, row, len(each.ids), request.stop), state.certainty(row))
                for row, each in enumerate(encoded)
            ]

    def encode(self, prompt: Prompt) -> Encoded:
        """One prompt as the model reads it, with the prompt itself. Raises BadInput for one that it cannot read."""
        return replace(self.vlm.adapter.encode([prompt])[0], prompt=prompt)

    def read_text(self, encoded: Encoded, eraser: Eraser) -> Encoded:
        """The prompt with what the eraser's text gate says of it, if it has one; for any thread, without the model."""
        if eraser.text is None:
            return encoded
        (text,) = self.reader.prompts(self.vlm.adapter, [encoded])
        turns = () if encoded.prompt is None else encoded.prompt.turns
        return replace(encoded, text=read_ahead(text, [turn.text for turn in turns], eraser.text))

    def answering(
        self, encoded: Encoded, request: GenerationRequest
    ) -> Generator[ForwardPass | str | Answer, Any, None]:
        """The computation of one answer: forward passes to run, text as soon as it may be sent, at last the Answer.

        The text is that of the Answer, in pieces. To be advanced while the model is held; `request` is for one row.
        """
        rows = [encoded]
        sent, state = yield from self._pieces(rows, request)
        redo = yield from self.all_to_redo(rows, state, request)
        answer = self.answer_of(state, 0, len(encoded.ids), request.stop)
        if redo.rows:
            (answer,) = yield from self.redo_steered(rows, state, request, redo)
            if sent:
                answer = replace(answer, text=f"{sent} {answer.text}")
        evidence, eraser = state.prefill.evidence, request.eraser
        if answer.logprobs and evidence is not None and eraser is not None:
            told = partial(eraser.told_by, evidence=evidence, row=0, about=answer.ticket)
            answer = replace(answer, logprobs=without_telling(answer.logprobs, lambda text: told(text) is not None))
        yield from words_of(answer.text[len(sent) :])
        yield answer

    def _pieces(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> Generator[ForwardPass | str, Any, tuple[str, DecodeState]]:
        """Text of one answer as soon as it may be sent; returns all that was sent, and the state at the end.

        Sends nothing more where the answer has to be given by a second pass.
        """
        sent, fires = "", False
        steps = self.steps(encoded, request)
        result: Any = None
        state: DecodeState | None = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration:
                assert state is not None  # there is a state after the prompts
                return sent, state
            if not isinstance(step, DecodeState):
                result = yield step
                continue
            state, result = step, None
            ready = "" if fires else self._ready(state, request)
            if len(ready) > len(sent):
                fires = self._holds_back(encoded, state, request)
                if not fires:
                    yield ready[len(sent) :]
                    sent = ready

    def _ready(self, state: DecodeState, request: GenerationRequest) -> str:
        """What may be sent of an unfinished answer: whole words, none of which may belong to a stop word, to a name or
        to a fact that has yet to be recognised."""
        tokens = state.answer_tokens_of(0)
        if request.checks_answers:
            tokens = tokens[: max(0, len(state.tokens[0]) - LAG)]
        if not tokens:
            return ""
        eraser = request.eraser
        watched = eraser.text if request.checks_answers and eraser is not None else None
        ready = sendable(self.text_of(tokens), request.stop, watched.may_go_on if watched else None)
        return ready.lstrip()
