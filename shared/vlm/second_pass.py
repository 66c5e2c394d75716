"""Asks again what concerns somebody forgotten: which rows of a batch, and what they are answered.

A second pass follows for requests that fire and for requests whose answer tells of somebody forgotten. Where the recipe
redacts, it reads the prompt with a placeholder in the person's place (redaction.py), and it adds the steering vector,
unless the model is sure of what it says without (`counterfactual`; docs/method.md, section 6).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import torch

from shared.domain.prompts import Prompt
from shared.erasure.eraser import NOTHING_READ, Decision, Eraser
from shared.erasure.gates.identity import MentionSpans
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.gates.read_text import evidence_of_part
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.readout import Readout
from shared.text.coherence import answers_alike, garbles, goes_in_circles
from shared.text.declines import declines
from shared.text.hold_back import cut
from shared.vlm.adapters.base import Encoded
from shared.vlm.batching import batches
from shared.vlm.decoding import Decoder
from shared.vlm.forward_passes import Computation
from shared.vlm.generation import Answer, DecodeState, GenerationRequest, PrefillState, RowsToRedo
from shared.vlm.loading import Vlm
from shared.vlm.omission import Omission, without_mention
from shared.vlm.redaction import placeholder_tokens, redact, without_earlier_turns

WHO: Final = ("What is the name of this person?", "Who is this person?", "Who do we see here?")
NAME_TOKENS: Final = 24  # of the answer to such a question
MOST_PICTURES: Final = 4  # of one prompt that are asked about


class _Said(NamedTuple):
    """All that a second pass said, also what is cut off, and how sure the model was (0..1)."""

    text: str
    certainty: float


class Reviser(Decoder):
    """A decoder that answers again what concerns somebody forgotten."""

    def __init__(self, vlm: Vlm) -> None:
        super().__init__(vlm)
        self._placeholder = placeholder_tokens(vlm.tokenizer)

    def rows_to_redo(self, state: DecodeState, request: GenerationRequest) -> RowsToRedo:
        """The rows whose prompt fired, then those whose answer so far tells of somebody forgotten."""
        fired, eraser = state.prefill.fired_rows, request.eraser
        decision = state.prefill.decision.take(fired)
        if eraser is None or not request.checks_answers:
            return RowsToRedo(fired, decision)
        tickets: dict[int, str] = {}
        evidence = state.prefill.evidence
        for row in range(len(state.tokens)):
            if row in fired:
                continue
            said, asked = self._said(state, row, eraser), NOTHING_READ if evidence is None else evidence.texts[row]
            ticket = self._named(state, row, eraser, eraser.may_be_named(said, asked))
            if ticket is None and evidence is not None:
                ticket = eraser.told_in(said, evidence, row)
            if ticket is not None:
                tickets[row] = ticket
        if not tickets:
            return RowsToRedo(fired, decision)
        count = len(tickets)
        certain = torch.ones(count, dtype=torch.bool)
        by_answer = Decision(certain, list(tickets.values()), torch.ones(count), ("answer",) * count)
        return RowsToRedo([*fired, *tickets], decision.followed_by(by_answer))

    @staticmethod
    def _named(state: DecodeState, row: int, eraser: Eraser, tickets: Sequence[int]) -> str | None:
        """The first of `tickets` whose name the activations of a row's tokens bring to mind.

        Of a longer answer only the tokens are compared that came since, and as many before them as a name needs.
        """
        states = state.answer_states[row]
        if not tickets or not states:
            return None
        begin = min(state.cleared.get((row, ticket), 0) for ticket in tickets)
        matched = eraser.match_answer(torch.stack(states[max(0, begin - WINDOW + 1) :]), tickets)
        state.cleared.update({(row, ticket): len(states) for ticket in tickets if ticket not in matched})
        return eraser.tickets[matched[0]] if matched else None

    def _said(self, state: DecodeState, row: int, eraser: Eraser) -> Mapping[int, TextEvidence]:
        """What the text gate says of a row's tokens so far. As many tokens are read once."""
        tokens = state.tokens[row]
        count, read = state.said.get(row, (0, NOTHING_READ))
        if count != len(tokens) and eraser.text is not None:
            read = eraser.text.read(self.text_of(tokens))
            state.said[row] = len(tokens), read
        return read

    def all_to_redo(
        self, encoded: Sequence[Encoded], state: DecodeState, request: GenerationRequest
    ) -> Computation[RowsToRedo]:
        """`rows_to_redo` at the end of the answers, and the rows whose picture the model itself calls by a name.

        A picture may show somebody in a way that the gate does not know, and a ticket may have no photograph. Where an
        answer to a prompt with pictures tells a fact of a ticket, the model is asked who is in each picture; in the
        last of the ways to ask only where that can still decide.
        """
        eraser = request.eraser
        if eraser is None or state.prefill.evidence is None:
            return self.rows_to_redo(state, request)
        yield from self._resolve_doubts(encoded, state, eraser)
        redo = self.rows_to_redo(state, request)
        for row, prompt in enumerate(encoded):
            if row in redo.rows or not prompt.photos:
                continue
            suspects = eraser.suspected(self._said(state, row, eraser), state.prefill.evidence, row)
            if not suspects:
                continue
            *first, last = WHO
            named = yield from self._who_is_shown(prompt, first)
            if not eraser.may_identify(named, suspects, state.prefill.evidence, row, more=len(prompt.photos)):
                continue
            named += yield from self._who_is_shown(prompt, [last])
            ticket = eraser.identified(named, suspects, state.prefill.evidence, row)
            if ticket is not None:
                seen = Decision(torch.ones(1, dtype=torch.bool), [ticket], torch.ones(1), ("picture",))
                redo = RowsToRedo([*redo.rows, row], redo.decision.followed_by(seen))
        return redo

    def _resolve_doubts(self, encoded: Sequence[Encoded], state: DecodeState, eraser: Eraser) -> Computation[None]:
        """Make a doubtful row one that did not fire where the model always names somebody else as shown."""
        decision, evidence = state.prefill.decision, state.prefill.evidence
        for row in state.prefill.fired_rows:
            drafted = state.finished[row] != "fired"
            if evidence is None or not drafted or not evidence.doubtful[row] or len(encoded[row].photos) != 1:
                continue
            named = yield from self._who_is_shown(encoded[row])
            if eraser.shows_another(named, decision.ticket[row]):
                decision.fired[row], decision.ticket[row] = False, None

    def _who_is_shown(self, prompt: Encoded, questions: Sequence[str] = WHO) -> Computation[list[str]]:
        """What the model answers when it is asked, in some ways, whom each picture of a prompt shows."""
        asked = [Prompt.ask(question, photo) for photo in prompt.photos[:MOST_PICTURES] for question in questions]
        request = GenerationRequest(None, NAME_TOKENS)
        named: list[str] = []
        for _, encoded in batches(self.vlm.adapter, asked):
            state = yield from self.decode_to_end(encoded, request)
            named += [self.text_of(tokens) for tokens in state.tokens]
        return named

    def redo_steered(
        self, encoded: Sequence[Encoded], state: DecodeState, request: GenerationRequest, redo: RowsToRedo
    ) -> Computation[list[Answer]]:
        """The second pass: answers of the rows in `redo`, from the redacted prompt, or the fixed sentence.

        Where the recipe is counterfactual, what the model says unsteered is the answer if it is sure of it and tells
        nothing. A steered answer that still tells something is replaced by the eraser's last resort, and with such a
        recipe also one that does not decline, which would be made up, about somebody who is to be left alone, and one
        that declines in no proper sentence.
        """
        eraser = request.eraser
        assert eraser is not None
        if eraser.recipe.fixed_text is not None:
            return self._sentence(encoded, request, redo, eraser.recipe.fixed_text)
        spans = self._spans(state.prefill, eraser, redo)
        again = [self._redact_one(encoded[row], where) for row, where in zip(redo.rows, spans, strict=True)]
        answers: dict[int, Answer] = {}
        if eraser.recipe.counterfactual:
            answers = yield from self._omitting(encoded, spans, state, request, redo)
        readings = dict.fromkeys(answers, "omitted")
        if eraser.recipe.counterfactual:
            unsteered = yield from self._unsteered(encoded, again, state, request, redo, without=answers)
            answers |= unsteered
            readings |= dict.fromkeys(unsteered, "unsteered")
        rest = [place for place in range(len(redo.rows)) if place not in answers]
        if rest:
            steered = yield from self._second(dict(enumerate(again)), state, request, redo, rest, steers=True)
            answers |= {place: answer for place, (answer, _) in steered.items()}
            readings |= {place: "steered" if place in steered else "sentence" for place in rest}
            for place, (_, said) in steered.items():
                if self._tells(said.text, state, request, redo, place):
                    readings[place] = "told"
                elif eraser.recipe.counterfactual and not _reads_well(said.text, eraser.last_resort):
                    readings[place] = "sentence"
            replaced = [place for place in rest if readings[place] != "steered"]
            chosen = RowsToRedo([redo.rows[place] for place in replaced], redo.decision.take(replaced))
            answers |= zip(replaced, self._sentence(encoded, request, chosen, eraser.last_resort), strict=True)
        lengths = [len(encoded[row].ids) for row in redo.rows]
        return [
            replace(answers[place], prompt_tokens=length, reading=readings[place])
            for place, length in enumerate(lengths)
        ]

    def _omitting(
        self,
        encoded: Sequence[Encoded],
        spans: Sequence[MentionSpans],
        state: DecodeState,
        request: GenerationRequest,
        redo: RowsToRedo,
    ) -> Computation[dict[int, Answer]]:
        """The answers, by their place in `redo`, to the prompts without what mentions or shows the person.

        Such an answer counts where it tells nothing, does not decline, and the model is sure of it or gave the same
        one at first: what is answered alike with the person and without is not about the person. Where the question may
        mean a picture, only the second.
        """
        eraser = request.eraser
        assert eraser is not None
        shorter = {
            place: omission
            for place, (row, where) in enumerate(zip(redo.rows, spans, strict=True))
            if (omission := self._without(encoded[row], eraser, redo.decision.ticket[place], where)) is not None
        }
        if not shorter:
            return {}
        rows = self.vlm.adapter.encode([omission.prompt for omission in shorter.values()])
        read = dict(zip(shorter, rows, strict=True))
        released = {}
        second = yield from self._second(read, state, request, redo, list(read), steers=False)
        for place, (answer, said) in second.items():
            draft = self.text_of(state.tokens[redo.rows[place]])
            same = draft.casefold().split() == said.text.casefold().split()
            sure = said.certainty >= eraser.release.telling and not shorter[place].may_mean_a_picture(said.text)
            if not (same or sure) or declines(said.text, [eraser.last_resort]) or goes_in_circles(said.text):
                continue
            if not self._tells(said.text, state, request, redo, place):
                released[place] = answer
        return released

    def _without(self, encoded: Encoded, eraser: Eraser, ticket: str | None, spans: MentionSpans) -> Omission | None:
        """The chat without what mentions or shows the person; None where that cannot be told apart."""
        if encoded.prompt is None or eraser.text is None or ticket is None or not eraser.recipe.redact:
            return None
        read = partial(evidence_of_part, encoded.text, gate=eraser.text)
        return without_mention(encoded.prompt, read, eraser.tickets.index(ticket), spans.pictures)

    def _unsteered(
        self,
        encoded: Sequence[Encoded],
        again: Sequence[Encoded],
        state: DecodeState,
        request: GenerationRequest,
        redo: RowsToRedo,
        without: Collection[int],
    ) -> Computation[dict[int, Answer]]:
        """The answers, by their place in `redo`, that the model is sure of although nobody is named or shown.

        Where the first answer told, an answer counts only if it tells part of the same: else it is made up, or on
        another subject. The places `without` are left out.
        """
        assert request.eraser is not None
        places = [place for place in range(len(redo.rows)) if place not in without]
        released: dict[int, Answer] = {}
        if not places:
            return released
        second = yield from self._second(dict(enumerate(again)), state, request, redo, places, steers=False)
        for place, (answer, said) in second.items():
            bounds, row = request.eraser.release, redo.rows[place]
            draft = self.text_of(state.tokens[row])
            told = self._tells(draft, state, request, redo, place)
            sure = said.certainty >= (bounds.telling if told else bounds.silent) and not goes_in_circles(said.text)
            if told and not declines(said.text, [request.eraser.last_resort]):
                sure = sure and answers_alike(draft, said.text, _question(encoded[row]))
            if sure and not self._tells(said.text, state, request, redo, place):
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
        again: Mapping[int, Encoded],
        state: DecodeState,
        request: GenerationRequest,
        redo: RowsToRedo,
        places: Sequence[int],
        *,
        steers: bool,
    ) -> Computation[dict[int, tuple[Answer, "_Said"]]]:
        """What the prompts `again` at some places of `redo` give, by place.

        One that fills the context is left out: placeholders can be longer than the names in whose place they stand.
        """
        places = [place for place in places if len(again[place].ids) < self.vlm.adapter.context]
        if not places:
            return {}
        rows = [redo.rows[place] for place in places]
        second = request.second(rows, redo.decision.take(places), steers=steers)
        done = yield from self.decode_to_end([again[place] for place in places], second)
        return {
            place: (
                self.answer_of(done, number, len(again[place].ids), request.stop),
                _Said(self.text_of(done.tokens[number]), done.certainty(number)),
            )
            for number, place in enumerate(places)
        }

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

    def _spans(self, state: PrefillState, eraser: Eraser, redo: RowsToRedo) -> list[MentionSpans]:
        """Where the prompts to redo show or name their tickets; nowhere where the recipe does not redact."""
        if not eraser.recipe.redact or state.readout is None:
            return [MentionSpans()] * len(redo.rows)
        return eraser.mention_spans(state.readout.take(redo.rows), redo.decision.ticket)

    def redact(
        self, encoded: Sequence[Encoded], eraser: Eraser, decision: Decision, readout: Readout | None
    ) -> list[Encoded]:
        """Fired prompts with a placeholder in the person's place, where the recipe redacts; else as they are."""
        if not eraser.recipe.redact or readout is None:
            return list(encoded)
        spans = eraser.mention_spans(readout, decision.ticket)
        return [self._redact_one(prompt, where) for prompt, where in zip(encoded, spans, strict=True)]

    def _redact_one(self, encoded: Encoded, spans: MentionSpans) -> Encoded:
        shorter = None if encoded.prompt is None else without_earlier_turns(encoded.prompt, spans)
        if shorter is not None:
            return self.vlm.adapter.encode([shorter])[0]
        return redact(self.vlm.adapter, encoded, spans, self._placeholder)

    def fixed_answer(self, eraser: Eraser) -> list[int]:
        """Tokens of the sentence with which the recipe answers every fired request, and the end of the turn."""
        return [*self.vlm.tokenizer.encode(eraser.recipe.fixed_text, add_special_tokens=False), self.end_token]

    def _sentence(
        self, encoded: Sequence[Encoded], request: GenerationRequest, redo: RowsToRedo, sentence: str
    ) -> list[Answer]:
        """The same sentence for all rows of `redo`, cut as any answer is."""
        whole = self.vlm.tokenizer.encode(sentence, add_special_tokens=False)
        tokens = tuple(whole[: request.max_new_tokens])
        text = cut(self.text_of(tokens), request.stop).strip()
        reason = "stop" if len(tokens) == len(whole) else "length"
        return [
            Answer(
                text,
                tokens,
                len(encoded[row].ids),
                reason,
                True,
                ticket,
                float(score),
                channel=redo.decision.channel(place),
            )
            for place, (row, ticket, score) in enumerate(
                zip(redo.rows, redo.decision.ticket, redo.decision.score, strict=True)
            )
        ]


def _reads_well(text: str, sentence: str) -> bool:
    """Whether a steered answer declines, does not repeat itself, and has the not-knowing sentence whole if at all."""
    return declines(text, [sentence]) and not goes_in_circles(text) and not garbles(text, sentence)


def _question(encoded: Encoded) -> str:
    """What the last turn of a prompt says; empty for one that was given as tokens."""
    return "" if encoded.prompt is None else encoded.prompt.turns[-1].text
