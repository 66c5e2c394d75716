"""The eraser: what is published, immutable. Decides from activations whether a request concerns somebody forgotten.

Assembled from base statistics and the fits of all tickets (assembly.py), written as safetensors plus manifest and read
back with every check (serialization.py). Knows no model: it is given activations and says what to add to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from shared.erasure.gates.identity import IdentityGate, MentionSpans, union
from shared.erasure.gates.identity_thresholds import raised_thresholds, reported_bounds
from shared.erasure.gates.mentions import Mentions
from shared.erasure.gates.mlp import TwoLayer
from shared.erasure.gates.prototype import TicketGate, gate_scores
from shared.erasure.gates.read_text import evidence_of
from shared.erasure.gates.text import TextGate
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import Readout
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput
from shared.text.canonical import renderings


@dataclass(frozen=True)
class Decision:
    """For each of B requests: whether it fires [B], its nearest ticket where it does, and the gate's score [B].

    `channels`: by what each was recognised (picture, mention, text, answer), for counts that name nobody; empty where
    the gate does not tell.
    """

    fired: Tensor
    ticket: list[str | None]
    score: Tensor
    channels: tuple[str | None, ...] = ()

    @classmethod
    def none(cls, count: int) -> "Decision":
        """Nothing fires."""
        return cls(torch.zeros(count, dtype=torch.bool), [None] * count, torch.zeros(count))

    def take(self, rows: Sequence[int]) -> "Decision":
        """The decision on these requests, in the order given."""
        some = list(rows)
        channels = tuple(self.channel(row) for row in some)
        return Decision(self.fired[some], [self.ticket[row] for row in some], self.score[some], channels)

    def channel(self, row: int) -> str | None:
        """By what a request was recognised, where it fires and the gate tells."""
        return self.channels[row] if self.channels and bool(self.fired[row]) else None

    def followed_by(self, other: "Decision") -> "Decision":
        """The requests of both, one after the other."""
        return Decision(
            torch.cat([self.fired, other.fired]),
            self.ticket + other.ticket,
            torch.cat([self.score, other.score]),
            tuple(each.channel(row) for each in (self, other) for row in range(len(each.ticket))),
        )


@dataclass(frozen=True)
class PromptEvidence:
    """What B prompts say of the K tickets without being enough to fire; together with the answer it may be.

    `texts`: for each prompt the evidence of its text, by the number of the ticket. `shown` [B, K]: a picture is near
    the ticket. `doubtful` [B]: the prompt fired for a picture alone and by less than DOUBT; the model is then asked
    whom the picture shows. `mentions`: whether the activations score above the threshold for mentions, also where no
    part of the name is written; None where that is not known.
    """

    texts: tuple[Mapping[int, TextEvidence], ...]
    shown: Tensor
    doubtful: Tensor
    mentions: Mentions | None

    def take(self, rows: Sequence[int], readout: Readout | None = None) -> "PromptEvidence":
        """That of these prompts, in the order given. `readout`: their own, where it has been taken already."""
        some, mentions = list(rows), self.mentions
        if mentions is not None:
            mentions = mentions.take(some, mentions.readout.take(some) if readout is None else readout)
        return PromptEvidence(tuple(self.texts[row] for row in some), self.shown[some], self.doubtful[some], mentions)


class Examined(NamedTuple):
    """The decision on B prompts, and what it rests on; no evidence where the eraser reads no text."""

    decision: Decision
    evidence: PromptEvidence | None


@dataclass(frozen=True)
class ReleaseBounds:
    """How sure the model must be of its answer to the redacted prompt for that answer to be given.

    Sureness is the geometric mean of the tokens' probabilities, 0..1. `silent` is the bound where the first answer
    told nothing, `telling` where it told something.
    """

    silent: float
    telling: float


UNCERTAIN: Final = ReleaseBounds(0.9, 0.95)  # where nothing was measured
LAST_RESORT: Final = "I do not know."
LONGEST_NAME: Final = 4  # words
DOUBT: Final = 0.12  # cosine above a threshold below which a picture alone is doubtful
NOTHING_READ: Final[Mapping[int, TextEvidence]] = MappingProxyType({})
MANY_FACTS: Final = 3  # of one person and of nobody else in an answer: enough by themselves, whatever the prompt


@dataclass(frozen=True)
class Eraser:
    """`directions` [L, d] times the recipe's strength are added where the gate fires.

    `gated` are the indices of the G layers that the gate reads. Each kind of gate fills its own fields; `threshold`
    and `calibration` belong to the version, everything else to the base model, the recipe or a ticket.
    """

    recipe: Recipe
    site: Site
    directions: Tensor
    gated: tuple[int, ...] = ()
    tickets: tuple[str, ...] = ()
    threshold: float = float("inf")
    gates: tuple[TicketGate, ...] = ()  # prototype
    whitener: Whitener | None = None  # prototype, over the gated layers
    linear: Tensor | None = None  # linear: r of equation 12, [L, d]
    decode_directions: Tensor | None = None  # [L, d], for generated tokens where the placement is `hold`
    identity: IdentityGate | None = None
    calibration: Mapping[str, Any] | None = None  # identity: how the thresholds were found
    network: TwoLayer | None = None  # mlp, over the gated layers
    text: TextGate | None = None  # identity: names and facts as fingerprints
    release: ReleaseBounds = UNCERTAIN  # when the second pass is not steered
    last_resort: str = LAST_RESORT  # the answer where even the second pass tells something

    @classmethod
    def empty(cls, recipe: Recipe, site: Site) -> "Eraser":
        """The eraser without tickets: it never fires."""
        return cls(recipe, site, torch.zeros(len(site.layers), site.hidden_size))

    @property
    def is_empty(self) -> bool:
        """Whether it has no ticket."""
        return not self.tickets

    @property
    def checks_answers(self) -> bool:
        """Whether answers have to be read for the names of tickets as well."""
        return self.recipe.check_answers and self.identity is not None

    def decide(self, readout: Readout) -> Decision:
        """One decision for each request, from what the unsteered prefill shows, and from the answer if it is there.

        Where nothing fires, the score of an identity gate is the nearest that any ticket has come.
        """
        if self.identity is not None:
            return self._examined(readout, every_mention=True).decision
        count = readout.count
        if self.recipe.gate != "prototype" and self.gated:
            last = readout.at(self.gated).last.float().cpu()
            values = torch.stack([self.gate_at(layer, last[:, i]) for i, layer in enumerate(self.gated)], dim=1)
            values = values.mean(dim=1)
            return Decision(values > self.threshold, [None] * count, values)
        if self.whitener is None or not self.gates:
            return Decision(torch.zeros(count, dtype=torch.bool), [None] * count, torch.full((count,), -1.0))
        white = self.whitener(readout.at(self.gated).last.float().cpu())
        best, nearest = gate_scores(self.recipe, white, self.gates).max(dim=1)
        return self._decision(best, nearest)

    def may_be_named(
        self, answered: Mapping[int, TextEvidence], asked: Mapping[int, TextEvidence] = NOTHING_READ
    ) -> list[int]:
        """The tickets that an answer names if its tokens bring them to mind (`match_answer`): part of a name is there.

        A part of somebody else's name does not count. `answered` and `asked` are what the text gate reads in the answer
        and in the prompt. The first word of an answer has a capital letter in any case, so that a surname there may
        look as if it were used by itself: where the prompt names somebody else with that surname, the answer is about
        that person.
        """
        if self.text is None:
            return list(range(len(self.tickets)))
        numbers = []
        for number in sorted(self._written(answered)):
            said, of_another = answered.get(number), number in asked and asked[number].is_another
            if said is None or not (said.is_another or (of_another and not said.named and not said.facts)):
                numbers.append(number)
        return numbers

    def match_answer(self, tokens: Tensor, tickets: Sequence[int]) -> list[int]:
        """For which of `tickets` the tokens [N, G, d] of an answer, at the gated layers, score above the threshold."""
        if self.identity is None or not tickets:
            return []
        margins = self.identity.mention_margins([self.identity.white_names(tokens)], tickets)
        return [ticket for ticket, margin in zip(tickets, margins.tolist(), strict=True) if margin > self.threshold]

    def examine(self, readout: Readout) -> "Examined":
        """The decision of an identity gate and what the prompts say of each ticket, for `told_by`.

        It decides as `decide` does and compares less: its score leaves out mentions that cannot make a request fire.
        """
        return self._examined(readout, every_mention=False)

    def _examined(self, readout: Readout, *, every_mention: bool) -> "Examined":
        assert self.identity is not None
        gated = readout.at(self.gated)
        if self.text is None or not readout.texts:
            compared = self.identity.compare(gated)
            return Examined(self._by_gate(compared.by_picture, compared.by_mention), None)
        texts = tuple(evidence_of(text, self.text) for text in readout.texts)
        answers = tuple(self.text.read(answer) for answer in readout.answers) or (NOTHING_READ,) * len(texts)
        written = tuple(map(self._written, texts, answers))
        mentions = Mentions(self.identity, gated, written)
        by_picture, shown = self.identity.compare_pictures(gated)
        by_mention = self.identity.compare(gated).by_mention if every_mention else torch.full_like(by_picture, -1.0)
        for row, evidence in enumerate(texts):  # a namesake's name is not the person's
            another = {number for number, seen in evidence.items() if seen.is_another}
            meant = sorted(written[row] - another)
            if every_mention:
                above = set((by_mention[row] > 0).nonzero()[:, 0].tolist())
                by_mention[row, sorted(another | (above - written[row]))] = -1.0
            elif meant:
                by_mention[row, meant] = mentions.margins(row, meant)
        score = torch.maximum(by_picture, by_mention).amax(dim=1)
        named = torch.tensor([any(seen.named for seen in evidence.values()) for evidence in texts])
        hardly = (score > 0) & (score < DOUBT) & (by_mention.amax(dim=1) <= 0)
        evidence_of_all = PromptEvidence(texts, shown, hardly & ~named, mentions)
        decision = self._with_text(self._by_gate(by_picture, by_mention), evidence_of_all, answers)
        return Examined(decision, evidence_of_all)

    def _written(self, *texts: Mapping[int, TextEvidence]) -> frozenset[int]:
        """The tickets of whose names a part is written in what was read, and those that have no fingerprints.

        Where no part is written, the activations have recognised another person's name: the space of names has few
        dimensions, and an eraser may have many tickets. The answer then decides (`told_in`).
        """
        assert self.text is not None
        traced = (number for read in texts for number, seen in read.items() if seen.is_traced)
        return frozenset((*self.text.without_fit, *traced))

    def told_by(self, answer: str, evidence: PromptEvidence, row: int, about: str | None = None) -> str | None:
        """The ticket about which an answer to prompt `row` tells something, if any.

        It does where it says a whole name, a value that identifies one person, or MANY_FACTS facts of nobody else. It
        also does where it says any fact or part of the name in answer to a prompt that is near the ticket or fired for
        `about`, and where it says a whole date and the prompt has a part of the name.
        """
        return None if self.text is None else self.told_in(self.text.read(answer), evidence, row, about)

    def told_in(
        self, answered: Mapping[int, TextEvidence], evidence: PromptEvidence, row: int, about: str | None = None
    ) -> str | None:
        """`told_by` of an answer that was read as text already, or in parts."""
        texts, mentions = evidence.texts[row], evidence.mentions
        telling = [number for number, said in answered.items() if said.facts or said.parts]
        for number, said in answered.items():
            ticket, asked = self.tickets[number], texts.get(number) or TextEvidence()
            if said.named or said.identifying - asked.identifying or len(said.own_facts(asked)) >= MANY_FACTS:
                return ticket
            if said.days - asked.days and asked.is_traced and not asked.is_another:
                return ticket
            if not said.facts and not said.parts - asked.parts:
                continue
            near = ticket == about or asked.is_near
            if near or (mentions is not None and mentions.unwritten(row, number, telling)):
                return ticket
        return None

    def suspects(self, answer: str, evidence: PromptEvidence | None = None, row: int = 0) -> dict[str, bool]:
        """The tickets of which an answer to prompt `row` says a fact or part of a name; True where it is a whole date.

        As a rule the fact is also somebody else's. Where the prompt has a picture that the gate did not recognise, the
        caller asks the model who that is and calls `identified`. Part of a name counts only where the picture is near
        the ticket; without `evidence` it counts always.
        """
        return {} if self.text is None else self.suspected(self.text.read(answer), evidence, row)

    def suspected(
        self, answered: Mapping[int, TextEvidence], evidence: PromptEvidence | None = None, row: int = 0
    ) -> dict[str, bool]:
        """`suspects` of an answer that was read as text already."""
        return {
            self.tickets[number]: bool(said.days)
            for number, said in answered.items()
            if said.facts or (said.parts and (evidence is None or bool(evidence.shown[row, number])))
        }

    def identified(
        self, named: Sequence[str], suspects: Mapping[str, bool], evidence: PromptEvidence, row: int
    ) -> str | None:
        """Which of `suspects` the pictures of prompt `row` show, by the answers `named` of the model to who that is.

        It is the one whom two answers name, or one of them where the picture is near; else one whom the picture is
        near, unless all answers agree on another name. Their agreement does not count where the prompt fired for the
        picture, so that three things speak for the person: the picture, the gate and the fact that was told. A whole
        date that was told counts as a picture that is near.
        """
        near = self._near(suspects, evidence, row)
        for ticket, times in self._times_named(named, suspects).items():
            if times > 1 or (times and ticket in near):
                return ticket
        if agree_on_a_name(named) and not bool(evidence.doubtful[row]):
            return None
        return next(iter(near), None)

    def may_identify(
        self, named: Sequence[str], suspects: Mapping[str, bool], evidence: PromptEvidence, row: int, *, more: int
    ) -> bool:
        """Whether `identified` may find any of `suspects` when `more` answers have been added to `named`."""
        if self._near(suspects, evidence, row):
            return True
        return max(self._times_named(named, suspects).values()) + more > 1

    def _near(self, suspects: Mapping[str, bool], evidence: PromptEvidence, row: int) -> list[str]:
        """Those of `suspects` whom a picture of prompt `row` is near, or of whom a whole date was told."""
        return [t for t, day in suspects.items() if day or bool(evidence.shown[row, self.tickets.index(t)])]

    def _times_named(self, answers: Sequence[str], tickets: Iterable[str]) -> dict[str, int]:
        """How many of `answers` say the whole name of each of `tickets`."""
        read = [] if self.text is None else [self.text.read(answer) for answer in answers]
        numbers = {ticket: self.tickets.index(ticket) for ticket in tickets}
        return {t: sum(bool(said[n].named) for said in read if n in said) for t, n in numbers.items()}

    def shows_another(self, named: Sequence[str], ticket: str | None) -> bool:
        """Whether the answers to whom a picture shows agree on a name that is not the one of `ticket`."""
        if self.text is None or ticket is None or not agree_on_a_name(named):
            return False
        number = self.tickets.index(ticket)
        return not any(number in said and said[number].named for said in map(self.text.read, named))

    def may_fire(self, readout: Readout) -> Tensor:
        """Which requests fire, or may once the model is asked whom their pictures show, [B]."""
        fires = self.decide(readout).fired.clone()
        if self.text is not None and readout.answers:
            for row in readout.pictures.of.unique().tolist():
                fires[row] = bool(fires[row]) or bool(self.suspects(readout.answers[row]))
        return fires

    def mention_spans(self, readout: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
        """Where each prompt shows or names its ticket of `tickets` [B]; empty for a gate that cannot say.

        Where a prompt fired for what was answered, and neither a name nor a picture can be told from others, all of its
        pictures are meant.
        """
        if self.identity is None:
            return [MentionSpans()] * readout.count
        spans = self.identity.mention_spans(readout.at(self.gated), tickets)
        if self.text is None or not readout.texts:
            return spans
        return [self._also_in_text(each, readout, row, tickets[row]) for row, each in enumerate(spans)]

    def _also_in_text(self, spans: MentionSpans, readout: Readout, row: int, ticket: str | None) -> MentionSpans:
        assert self.text is not None
        text = readout.texts[row]
        words = list(spans.words)
        for number, seen in evidence_of(text, self.text).items():
            meant = self.tickets[number] == ticket
            for start, end in [*seen.named, *(seen.hinted if meant or seen.named else ())]:
                words.append(text.tokens(start, end))
        pictures = spans.pictures
        if not pictures and not words:
            pictures = tuple(range(int((readout.pictures.of == row).sum())))
        return MentionSpans(pictures, union(words))

    def _with_text(
        self, decision: Decision, evidence: PromptEvidence, answers: Sequence[Mapping[int, TextEvidence]]
    ) -> Decision:
        """The decision, and what the texts add to it: whole names, and answers that tell something."""
        fired, tickets, score = decision.fired.clone(), list(decision.ticket), decision.score.clone()
        channels = [decision.channel(row) for row in range(len(tickets))]
        for row, texts in enumerate(evidence.texts):
            if fired[row]:
                continue
            named = next((self.tickets[ticket] for ticket, seen in texts.items() if seen.named), None)
            channel = "text"
            if named is None:
                named, channel = self.told_in(answers[row], evidence, row), "answer"
            if named is not None:
                fired[row], tickets[row], score[row], channels[row] = True, named, 1.0, channel
        return Decision(fired, tickets, score, tuple(channels))

    def _by_gate(self, by_picture: Tensor, by_mention: Tensor) -> Decision:
        """The decision of the identity gate from its margins [B, K], with the channel of the larger one."""
        score, nearest = torch.maximum(by_picture, by_mention).max(dim=1)
        shown = by_picture.amax(dim=1) >= by_mention.amax(dim=1)
        channels = tuple("picture" if picture else "mention" for picture in shown.tolist())
        return replace(self._decision(score, nearest), channels=channels)

    def _decision(self, score: Tensor, nearest: Tensor) -> Decision:
        """From the best score [B] and the index of its ticket [B]."""
        fired = score > self.threshold
        pairs = zip(nearest.tolist(), fired.tolist(), strict=True)
        return Decision(fired, [self.tickets[index] if fires else None for index, fires in pairs], score)

    def with_margin(self, margin: float) -> "Eraser":
        """The same tickets with the thresholds of another margin, for choosing one; BadInput for another gate."""
        if self.identity is None or self.calibration is None:
            raise BadInput("Only an eraser with an identity gate has a margin that can be moved.")
        bounds = reported_bounds(self.calibration, self.identity.tickets)
        thresholds = raised_thresholds(self.identity.fits, bounds, margin)
        return replace(self, identity=replace(self.identity, thresholds=thresholds))

    def gate_at(self, layer: int, rows: Tensor) -> Tensor:
        """The gate of a recipe that reads each layer by itself: last tokens `rows` [B, d] at `layer` -> [B]."""
        if self.recipe.gate == "always":
            return torch.ones(rows.shape[0], device=rows.device)
        if layer not in self.gated:
            return torch.zeros(rows.shape[0], device=rows.device)
        if self.network is not None:
            return self.network.at(self.gated.index(layer), rows.float())
        assert self.linear is not None
        return rows.float() @ self.linear[layer].to(rows.device)

    def steering_vector(self) -> Tensor:
        """What is added at the last prompt token of a fired request, [L, d]."""
        return self.directions * self.recipe.strength

    def decode_steering_vector(self) -> Tensor | None:
        """What is added at each generated token of a fired request, [L, d]; None where only the prompt is steered."""
        if self.recipe.placement != "hold":
            return None
        return (self.directions if self.decode_directions is None else self.decode_directions) * self.recipe.strength


def agree_on_a_name(answers: Sequence[str]) -> bool:
    """Whether all answers to the question who that is are the same few words."""
    said = {" ".join(word.text for word in renderings(text)[0]) for text in answers}
    return len(answers) > 1 and len(said) == 1 and 0 < len(said.pop().split()) <= LONGEST_NAME
