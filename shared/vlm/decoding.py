"""Runs the model: prefill and decide, then token by token.

With a recipe that decides (docs/method.md), nothing is steered in the first pass; in a second pass (second_pass.py) all
rows are, or none. Rows that are not steered keep every bit of what the base model computes in the same batch.
"""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from shared.erasure.eraser import Decision
from shared.erasure.readout import Readout
from shared.errors import BadInput
from shared.text.hold_back import cut
from shared.vlm.adapters.base import Encoded
from shared.vlm.choosing import choose
from shared.vlm.forward_passes import Computation, ForwardPass, ReadPrompts, ReadTokens, T
from shared.vlm.generation import Answer, DecodeState, GenerationRequest, PrefillState
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
from shared.vlm.sampling import TokenLogprob
from shared.vlm.texts import TokenReader


class Decoder:
    """One model, used by one thread at a time; safe to share."""

    def __init__(self, vlm: Vlm) -> None:
        self.vlm = vlm
        self.lock = threading.RLock()
        self.progress = Progress()
        ends = vlm.model.generation_config.eos_token_id
        self.end_tokens = frozenset(ends if isinstance(ends, list) else [ends])
        self.end_token: int = ends[0] if isinstance(ends, list) else ends  # ends a turn (`end_turns`)
        self.reader = TokenReader(vlm.tokenizer)

    @property
    def reads_pictures(self) -> bool:
        """Whether prompts may hold pictures."""
        return self.vlm.adapter.has_pictures

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The model for this thread alone, without gradients.

        Never hold it across a `yield` to a caller: another thread may close the generator, and cannot let go of it.
        """
        with self.progress.working(), self.lock, torch.inference_mode():
            yield

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
            if eraser.identity is not None:
                state.decision, state.evidence = eraser.examine(state.readout)
            else:
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
        vector = self.decode_vector(request)
        if vector is None:
            return [], leave_unchanged
        return self.vlm.adapter.blocks, AddVector(vector, everywhere=everywhere)

    def decode_vector(self, request: GenerationRequest) -> Tensor | None:
        """What is added to every generated token of the request, [L, d]; None where they are not steered."""
        if request.eraser is None or request.decision is None or not request.steers:
            return None
        vector = request.eraser.decode_steering_vector()
        return None if vector is None else vector.to(self.vlm.device)

    def run(self, computation: Computation[T]) -> T:
        """The result of a computation that has the model to itself. The caller holds the model (`exclusive`)."""
        result: Any = None
        while True:
            try:
                forward_pass = computation.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
            result = self.perform(forward_pass)

    def perform(self, forward_pass: ForwardPass) -> Any:
        """Run one forward pass; see its class for the result."""
        if isinstance(forward_pass, ReadPrompts):
            return self.prefill(forward_pass.encoded, forward_pass.request)
        return self.read_token(forward_pass)

    def decode_to_end(self, encoded: Sequence[Encoded], request: GenerationRequest) -> Computation[DecodeState]:
        """The state at the end of all answers."""
        steps = self.steps(encoded, request)
        result: Any = None
        last: DecodeState | None = None
        while True:
            try:
                step = steps.send(result)
            except StopIteration:
                assert last is not None  # there is a state after the prompts
                return last
            if isinstance(step, DecodeState):
                last, result = step, None
            else:
                result = yield step

    def steps(
        self, encoded: Sequence[Encoded], request: GenerationRequest
    ) -> Generator[ForwardPass | DecodeState, Any, None]:
        """The forward passes of a batch, and the state after each token, until all rows have ended.

        A row that fired gets no token in the first pass, unless the recipe looks at what it would have said.
        """
        most, adapter = request.max_new_tokens, self.vlm.adapter
        longest = max(len(prompt.ids) for prompt in encoded)
        if request.decision is not None:  # a placeholder may be longer than the name, and must not make this fail
            most = max(1, min(most, adapter.context - longest))
        if longest + most > adapter.context:
            raise BadInput(f"Prompt and answer need {longest + most} tokens; the model has {adapter.context}.")
        prefill: PrefillState = yield ReadPrompts(encoded, request)
        drafts = request.eraser is None or request.eraser.recipe.counterfactual
        state = DecodeState.begun(prefill, len(encoded), () if drafts else prefill.fired_rows)
        if all(state.closed):
            yield state
            return
        reading, generators = request.readout or request.checks_answers, request.generators()
        for _ in range(min(most + request.ahead, adapter.context - longest)):
            chosen = choose(prefill.logits, request, state.tokens, generators)
            self._score(state, prefill.logits, chosen, request)
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
            states = yield ReadTokens(chosen, prefill, request, reading)
            if states is not None:
                for row in grown:
                    state.answer_states[row].append(states[row])
                yield state
                if all(state.closed):
                    return

    def read_token(self, asked: ReadTokens) -> Tensor | None:
        """See ReadTokens."""
        read = self.blocks_at(asked.request.read_layers) if asked.reading else []
        capture = CaptureLastToken(len(read))
        blocks, hook = (read, capture) if asked.reading else self.decode_hook(asked.request)
        with hooked(blocks, hook):
            out = self.vlm.model(
                input_ids=asked.chosen[:, None],
                past_key_values=asked.prefill.cache,
                use_cache=True,
                **asked.prefill.following(self.vlm.adapter),
            )
        asked.prefill.logits = out.logits[:, -1]
        self.progress.step()
        return capture.stacked().cpu() if asked.reading else None

    def _append(self, state: DecodeState, row: int, token: int, most: int, request: GenerationRequest) -> bool:
        """Add a token to a row's answer, or end it; whether there is one more token."""
        tokens = state.tokens[row]
        if token in self.end_tokens:
            state.finished[row] = state.finished[row] or "stop"
            state.closed[row] = True
            return False
        tokens.append(token)
        if state.finished[row] is None:
            if request.stop and any(word in self.text_of(tokens) for word in request.stop):
                state.finished[row], state.visible[row] = "stop", len(tokens)
            elif len(tokens) >= most:
                state.finished[row], state.visible[row] = "length", len(tokens)
        visible = state.visible[row]
        state.closed[row] = visible is not None and len(tokens) >= visible + request.ahead
        return True

    def _score(self, state: DecodeState, logits: Tensor, chosen: Tensor, request: GenerationRequest) -> None:
        """Keep how likely the tokens are that are about to be added, where it is wanted, of the rows that go on."""
        if not request.scores and request.top_logprobs is None:
            return
        likelihoods = logits.float().log_softmax(-1)
        values = likelihoods.gather(1, chosen[:, None])[:, 0].tolist()
        top = likelihoods.topk(request.top_logprobs or 1)
        for row, value in enumerate(values):
            if state.closed[row]:
                continue
            state.log_likelihood[row] += value
            if request.top_logprobs is not None and int(chosen[row]) not in self.end_tokens:
                others = zip(top.indices[row].tolist(), top.values[row].tolist(), strict=True)
                alternatives = [(self.reader.piece(token), value) for token, value in others]
                token = self.reader.piece(int(chosen[row]))
                state.logprobs[row].append(TokenLogprob(token, value, tuple(alternatives[: request.top_logprobs])))

    def text_of(self, tokens: Sequence[int]) -> str:
        text: str = self.vlm.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def answer_of(self, state: DecodeState, row: int, prompt_tokens: int, stop: Sequence[str]) -> Answer:
        decision = state.prefill.decision
        return Answer(
            text=cut(self.text_of(state.answer_tokens_of(row)), stop).strip(),
            tokens=tuple(state.answer_tokens_of(row)),
            prompt_tokens=prompt_tokens,
            finish_reason=state.finished[row] or "length",
            fired=bool(decision.fired[row]),
            ticket=decision.ticket[row],
            score=float(decision.score[row]),
            channel=decision.channel(row),
            logprobs=tuple(state.logprobs[row][: state.visible[row]]),
        )
