"""The engine in front of another OpenAI-compatible server: the reader and the text gate decide, the server answers.

A request that does not fire is passed through, and its answer is read before it is sent. A request that fires, or whose
answer tells of somebody forgotten, is asked again with the person redacted. Nothing is steered there: the second answer
is given where it tells nothing and the server is sure of it; otherwise the fixed not-knowing sentence is (see
docs/gateway.md). Fails closed: whatever goes wrong, no answer is given that was not read.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from math import exp
from typing import Any, Final, TypeVar

from services.inference.active_eraser import Served
from services.inference.engines.drafts import Draft
from services.inference.engines.messages import Pictures, messages_of, redacted, with_line
from services.inference.engines.reading import Reading
from services.inference.engines.text_lanes import TextLanes
from services.inference.engines.upstream import Abilities, Upstream, Whole
from services.inference.engines.watch import (
    TokenCounter,
    Watch,
    logprobs_of,
    sendable_answer,
    strings_in,
    text_of_calls,
    visible,
)
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Eraser
from shared.erasure.site import Site
from shared.errors import BadInput, NotReady
from shared.text.coherence import goes_in_circles
from shared.text.declines import declines
from shared.text.hold_back import cut, words_of
from shared.vlm.adapters.templates import traits_of
from shared.vlm.generation import AHEAD, Answer
from shared.vlm.omission import Omission, without_mention
from shared.vlm.progress import Progress
from shared.vlm.reader import Reader, ReadPrompt
from shared.vlm.sampling import Sampling, TokenLogprob, context_exceeded
from shared.vlm.second_pass import MOST_PICTURES, NAME_TOKENS, WHO

logger = logging.getLogger(__name__)
Value = TypeVar("Value")
PASSES: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format"})
SYSTEM_LINE: Final = (
    "If the question is about a person whom it does not name or show, say in one short sentence that you do not know "
    "who is meant. Answer everything else as usual."
)
WORKERS: Final = 4  # threads that read answers and encode pictures


@dataclass(frozen=True)
class _Case:
    """One request and what the reader says of it."""

    prompt: Prompt
    sampling: Sampling
    eraser: Eraser
    read: ReadPrompt
    pictures: Pictures = field(default_factory=Pictures)
    first: list[Whole] = field(default_factory=list)  # the server's answer to the chat as it is, once it was asked for


class RemoteEngine:
    """See AnswerEngine. `system_line`: of requests that are asked again; None: SYSTEM_LINE."""

    def __init__(
        self, reader: Reader, upstream: Upstream, abilities: Abilities, system_line: str | None = None
    ) -> None:
        self.upstream, self.abilities = upstream, abilities
        self.progress = Progress()
        self._texts = TextLanes()
        self._reading = Reading(reader, self._texts, self.progress)
        self._counter = TokenCounter(reader.vlm.tokenizer)
        self._system_turns = traits_of(reader.vlm.processor).system_turns
        self._line = SYSTEM_LINE if system_line is None else system_line
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="watch")
        self._closed = False

    @property
    def site(self) -> Site:
        """The site of the model at the reader, which is the whole model's."""
        return self._reading.reader.site

    @property
    def passes(self) -> frozenset[str]:
        """See AnswerEngine."""
        return PASSES

    @property
    def context(self) -> int:
        """See AnswerEngine; the smaller of what the checkpoint and the server say."""
        own = self._reading.reader.vlm.adapter.context
        return own if self.abilities.context is None else min(own, self.abilities.context)

    @property
    def reads_pictures(self) -> bool:
        """See AnswerEngine: both the reader and the server have to."""
        return self.abilities.pictures and self._reading.reader.reads_pictures

    def check(self, eraser: Eraser) -> None:
        """Raise SiteMismatch or NotReady for a version that cannot be served in front of another engine."""
        self._reading.reader.check(eraser)
        if not eraser.is_empty and (eraser.identity is None or eraser.text is None):
            raise NotReady("This eraser version reads no text, and cannot stand in front of another engine: refit.")

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        """See AnswerEngine."""
        if self._closed:
            raise NotReady("The service is shutting down.", retry_after_s=1)
        self.check(served.eraser)
        if prompt.images and not self.reads_pictures:
            raise BadInput("The engine reads text alone: ask without a picture.")
        if sampling.top_logprobs is not None and not self.abilities.logprobs:
            raise BadInput("The engine does not say how likely its tokens were: ask without logprobs.")
        self.progress.begin()
        try:
            async with aclosing(self._answered(prompt, sampling, served.eraser)) as pieces:
                async for piece in pieces:
                    self.progress.step()
                    yield piece
        finally:
            self.progress.end()

    async def _answered(self, prompt: Prompt, sampling: Sampling, eraser: Eraser) -> AsyncGenerator[str | Answer, None]:
        read = await self._reading.examine(_as_read(prompt, sampling), eraser)
        self.progress.step()
        case = _Case(prompt, self._fitting(sampling, read.tokens), eraser, read)
        ticket, channel = await self._fires(case), read.decision.channel(0)
        sent = ""
        if ticket is None:
            draft = Draft()
            async with aclosing(self._first(case, draft)) as pieces:
                async for piece in pieces:
                    sent += piece
                    for word in words_of(piece):
                        yield word
            ticket, channel = await self._told(case, draft), "answer"
            if ticket is None:
                answer = await self._offload(self._answer_of, case, draft)
        if ticket is not None:
            answer = replace(await self._again(case, ticket), channel=channel)
            if sent:
                answer = replace(answer, text=f"{sent} {answer.text}")
        for word in words_of(answer.text[len(sent) :]):
            yield word
        yield answer

    def _fitting(self, sampling: Sampling, prompt_tokens: int) -> Sampling:
        """The sampling with a limit that the context has room for; raises BadInput where it has none."""
        room = self.context - prompt_tokens
        if room >= 1 and sampling.fills_context:
            return replace(sampling, max_new_tokens=room)
        if sampling.max_new_tokens > room:
            raise context_exceeded(self.context, prompt_tokens, sampling.max_new_tokens)
        return sampling

    async def _fires(self, case: _Case) -> str | None:
        """The ticket for which the prompt fires; a picture in doubt is asked about first (second_pass.py)."""
        decision, evidence = case.read.decision, case.read.evidence
        if not bool(decision.fired[0]):
            return None
        ticket = decision.ticket[0]
        if evidence is not None and bool(evidence.doubtful[0]) and len(case.prompt.images) == 1:
            named = await self._who_is_shown(case)
            if case.eraser.shows_another(named, ticket):
                return None
        return ticket

    async def _who_is_shown(self, case: _Case) -> list[str]:
        """What the server answers when it is asked, in some ways, whom each picture of a prompt shows."""
        asked = [Prompt.ask(question, image) for image in case.prompt.images[:MOST_PICTURES] for question in WHO]
        sampling = Sampling(NAME_TOKENS)
        tasks = [asyncio.ensure_future(self._whole(case, prompt, sampling)) for prompt in asked]
        try:
            return [answer.text for answer in await asyncio.gather(*tasks)]
        finally:
            for task in tasks:
                task.cancel()

    async def _whole(self, case: _Case, prompt: Prompt, sampling: Sampling) -> Whole:
        """One answer of the server without its pieces, and without tools."""
        body = self._body(await self._offload(messages_of, prompt, case.pictures), sampling, sampling.max_new_tokens)
        return await self.upstream.whole(body)

    async def _first(self, case: _Case, draft: Draft) -> AsyncGenerator[str, None]:
        """The server's own answer, as far as it may be sent while it is being written."""
        sampling = case.sampling
        messages = await self._offload(messages_of, case.prompt, case.pictures)
        most = min(sampling.max_new_tokens + AHEAD, self.context - case.read.tokens)
        body = self._body(messages, sampling, most, extra=sampling.extra)
        watch = Watch(case.eraser, case.read.evidence)
        sent, held = "", bool(sampling.extra.get("tools"))
        async with draft.filled_by(self.upstream.chat(body)):
            while not draft.ended:
                await draft.grown()
                self.progress.step()
                text = draft.text
                if sampling.stop:
                    beyond = await self._offload(self._goes_beyond, text, sampling)
                    if beyond:
                        draft.close()
                if held or not text:
                    continue
                ready, held = await self._offload(self._ready, case, watch, text, sent)
                if len(ready) > len(sent) and not held:
                    yield ready[len(sent) :]
                    sent = ready
        draft.check()

    def _ready(self, case: _Case, watch: Watch, text: str, sent: str) -> tuple[str, bool]:
        """What may be sent of an unfinished answer, and whether nothing more may be sent until it has ended."""
        ready = sendable_answer(watch, self._counter, text, case.sampling.max_new_tokens, case.sampling.stop)
        if len(ready) <= len(sent):
            return sent, False
        told = watch.told(text) is not None
        return ready, told or bool(case.prompt.images and watch.suspects())

    def _goes_beyond(self, text: str, sampling: Sampling) -> bool:
        """Whether a stop word was written, and AHEAD tokens behind it: enough to know what was about to be said."""
        before = cut(text, sampling.stop)
        return len(before) < len(text) and len(self._counter.ids(text[len(before) :])) > AHEAD

    async def _told(self, case: _Case, draft: Draft) -> str | None:
        """The ticket of whom the whole first answer tells, by what it says or by whom the prompt's pictures show."""
        watch = Watch(case.eraser, case.read.evidence)
        ticket = await self._offload(watch.told_by_whole, draft.everything(text_of_calls))
        evidence, suspects = case.read.evidence, watch.suspects()
        if ticket is not None or evidence is None or not case.prompt.images or not suspects:
            return ticket
        return case.eraser.identified(await self._who_is_shown(case), suspects, evidence, 0)

    def _answer_of(self, case: _Case, draft: Draft) -> Answer:
        sampling = case.sampling
        text, reason = visible(self._counter, draft.text, sampling.max_new_tokens, sampling.stop)
        calls = draft.tool_calls() if reason is None else ()
        answer = self._answer(case, text, reason or _reason(draft.finish), draft.logprobs, None)
        return replace(answer, tool_calls=calls) if calls else answer

    def _answer(
        self, case: _Case, text: str, reason: str, logprobs: Sequence[TokenLogprob], ticket: str | None
    ) -> Answer:
        """An answer with the counts of the reader's tokenizer."""
        answer = Answer(text, tuple(self._counter.ids(text)), case.read.tokens, reason, ticket is not None, ticket)
        if case.sampling.top_logprobs is None:
            return answer
        watch, top = Watch(case.eraser, case.read.evidence, ticket), case.sampling.top_logprobs
        return replace(answer, logprobs=logprobs_of(logprobs[: len(answer.tokens) + 1], text, watch, top=top))

    async def _again(self, case: _Case, ticket: str) -> Answer:
        """The answer to a request that concerns `ticket`: to the redacted request, else the last resort.

        First the server is asked without what mentions the person, where something else is asked beside it. Where the
        server says how likely its tokens were, its answer to the redacted request is taken if it is sure of it. Else,
        and where it does not say, it is asked with the system line, which stands in the place of steering.
        """
        if case.eraser.recipe.fixed_text is not None:
            return self._sentence(case, case.eraser.recipe.fixed_text, ticket)
        omission = await self._texts.run(case.prompt, self._omission, case, ticket) if self.abilities.logprobs else None
        if omission is not None:
            second = await self._second(case, omission.prompt, ticket)
            if second is not None and await self._is_unrelated(case, omission, second):
                return replace(await self._offload(self._second_answer, case, second, ticket), reading="omitted")
        prompt = await self._texts.run(case.prompt, self._redacted, case, ticket)
        if prompt is not None and self.abilities.logprobs and case.eraser.recipe.counterfactual:
            second = await self._second(case, prompt, ticket)
            if second is not None and await self._is_sure(case, second, ticket):
                return replace(await self._offload(self._second_answer, case, second, ticket), reading="unsteered")
            prompt = prompt if self._line else None
        if prompt is not None:
            lined = with_line(prompt, self._line, system_turns=self._system_turns)
            second = await self._second(case, lined, ticket)
            if second is not None:
                return replace(await self._offload(self._second_answer, case, second, ticket), reading="line")
        return replace(self._sentence(case, case.eraser.last_resort, ticket), reading="sentence")

    def _omission(self, case: _Case, ticket: str) -> Omission | None:
        """The chat without what mentions or shows the person (shared/vlm/omission.py)."""
        eraser = case.eraser
        if not (eraser.recipe.redact and eraser.recipe.counterfactual) or eraser.text is None:
            return None
        (spans,) = eraser.mention_spans(case.read.readout, [ticket])
        return without_mention(case.prompt, eraser.text.read, eraser.tickets.index(ticket), spans.pictures)

    async def _is_unrelated(self, case: _Case, omission: Omission, second: Whole) -> bool:
        """Whether an answer without the mention is not about the person: the server is sure of it, or fairly sure and
        says the same with the mention. Where it may mean a picture, only the second counts (second_pass.py)."""
        if declines(second.text, [case.eraser.last_resort]) or goes_in_circles(second.text):
            return False
        bounds, certainty = case.eraser.release, _certainty(second)
        if certainty >= bounds.telling and not omission.may_mean_a_picture(second.text):
            return True
        if certainty < min(bounds.silent, bounds.telling):
            return False  # and the server is not asked with the name
        first = await self._first_answer(case)
        words = [await self._offload(self._shown_words, case, said) for said in (first, second)]
        return words[0] == words[1]

    async def _first_answer(self, case: _Case) -> Whole:
        """What the server says to the chat as it is; it is asked once."""
        if not case.first:
            case.first.append(await self._whole(case, case.prompt, case.sampling))
        return case.first[0]

    def _shown_words(self, case: _Case, said: Whole) -> list[str]:
        text, _ = visible(self._counter, said.text, case.sampling.max_new_tokens, case.sampling.stop)
        return text.casefold().split()

    async def _second(self, case: _Case, prompt: Prompt, ticket: str) -> Whole | None:
        """What the server says to a redacted prompt, unless it tells something or there is no room for it."""
        sampling = case.sampling
        more = len(self._counter.ids(self._line)) + AHEAD * len(prompt.turns)  # the line, and longer placeholders
        most = min(sampling.max_new_tokens + AHEAD, self.context - case.read.tokens - more)
        if most < 1:
            return None
        extra = {name: value for name, value in sampling.extra.items() if name == "response_format"}
        names_somebody = bool(extra) and await self._offload(self._speaks_of, case, extra)
        if self.abilities.logprobs:
            sampling = replace(sampling, top_logprobs=sampling.top_logprobs or 0)
        messages = await self._offload(messages_of, prompt, case.pictures)
        second = await self.upstream.whole(self._body(messages, sampling, most, extra={} if names_somebody else extra))
        watch = Watch(case.eraser, case.read.evidence, ticket)
        return None if await self._offload(watch.told_by_whole, second.text) is not None else second

    def _second_answer(self, case: _Case, second: Whole, ticket: str) -> Answer:
        text, reason = visible(self._counter, second.text, case.sampling.max_new_tokens, case.sampling.stop)
        return self._answer(case, text, reason or _reason(second.finish), second.logprobs, ticket)

    def _redacted(self, case: _Case, ticket: str) -> Prompt | None:
        if not case.eraser.recipe.redact:
            return None
        (spans,) = case.eraser.mention_spans(case.read.readout, [ticket])
        asked = _as_read(case.prompt, case.sampling)
        prompt = redacted(asked, case.read.readout.texts[0], spans, case.eraser, ticket)
        if prompt is None:
            return None
        shift = len(asked.turns) - len(case.prompt.turns)  # what stands before the chat is never sent
        return Prompt(prompt.turns[shift:])

    @staticmethod
    def _speaks_of(case: _Case, extra: Mapping[str, Any]) -> bool:
        """Whether further members of a request say anything of anybody forgotten."""
        text = case.eraser.text
        return text is not None and bool(text.read("\n".join(strings_in(extra))))

    async def _is_sure(self, case: _Case, second: Whole, ticket: str) -> bool:
        """Whether the server is sure of its answer to the redacted prompt (`ReleaseBounds`).

        Between both bounds it counts whether the first answer tells anything, which is asked for then.
        """
        if not second.logprobs:
            return False
        bounds, certainty = case.eraser.release, _certainty(second)
        if certainty < min(bounds.silent, bounds.telling) or certainty >= max(bounds.silent, bounds.telling):
            return certainty >= bounds.silent
        first = await self._first_answer(case)
        watch = Watch(case.eraser, case.read.evidence, ticket)
        tells = await self._offload(watch.told_by_whole, first.text) is not None
        return certainty >= (bounds.telling if tells else bounds.silent)

    def _sentence(self, case: _Case, sentence: str, ticket: str) -> Answer:
        """The sentence, cut as any answer is."""
        text, reason = visible(self._counter, sentence, case.sampling.max_new_tokens, case.sampling.stop)
        return Answer(text, tuple(self._counter.ids(text)), case.read.tokens, reason or "stop", True, ticket)

    def _body(
        self,
        messages: Sequence[Mapping[str, Any]],
        sampling: Sampling,
        most: int,
        extra: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What is sent to the server: these members and no others, whatever the client has sent."""
        body: dict[str, Any] = {
            "model": self.abilities.model,
            "messages": list(messages),
            "max_tokens": most,
            "temperature": sampling.temperature,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        for name, default in (("top_p", 1.0), ("presence_penalty", 0.0), ("frequency_penalty", 0.0)):
            if getattr(sampling, name) != default:
                body[name] = getattr(sampling, name)
        if sampling.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
        return body | {name: value for name, value in (extra or {}).items() if name in PASSES}

    async def _offload(self, work: Callable[..., Value], *arguments: Any) -> Value:
        """Do some work that takes long outside the event loop."""
        if self._closed:
            raise NotReady("The service is shutting down.", retry_after_s=1)
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *arguments)

    def stalled_s(self) -> float:
        """See AnswerEngine: without a piece from the server or the reader."""
        return self.progress.stalled_s()

    def close(self) -> None:
        """See AnswerEngine."""
        self._closed = True
        self._reading.close()
        self.upstream.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._texts.close()


def _as_read(prompt: Prompt, sampling: Sampling) -> Prompt:
    """The chat with all that further members of the request say, since the server's model reads that too."""
    texts = strings_in({name: value for name, value in sampling.extra.items() if name in PASSES})
    return prompt if not texts else Prompt((Turn("system", "\n".join(texts)), *prompt.turns))


def _certainty(said: Whole) -> float:
    """The geometric mean of the probabilities of an answer's tokens, 0 where the server does not say them."""
    return exp(sum(each.logprob for each in said.logprobs) / len(said.logprobs)) if said.logprobs else 0.0


def _reason(finish: str | None) -> str:
    return finish if finish in ("stop", "length", "tool_calls") else "stop"
