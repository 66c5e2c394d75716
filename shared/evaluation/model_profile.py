"""The profile of a base model: what it knows, how it declines, where it can be read, and what was chosen from that.

Written once per model by `services.refit.profile`, as JSON, and read by the refit, the command line and reports. Pure:
no tensor, no model.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.errors import BadInput

SCHEMA: Final = 1
FILE: Final = "profile.json"


@dataclass(frozen=True)
class Loading:
    """What the model is and how fast it answers here. Speeds are tokens a second, sizes are bytes.

    `system_turns`: the chat template has a place for a system message of its own.
    """

    source: str
    family: str
    dtype: str
    device: str
    layers: int
    hidden_size: int
    context: int
    parameters: int
    weight_bytes: int
    pictures: bool
    system_turns: bool
    prefill_speed: float
    decode_speed: float


@dataclass(frozen=True)
class Shares:
    """What `n` answers do, as shares of them: decline, tell something (or invent it), say nothing at all."""

    n: int
    declines: float
    other: float
    empty: float = 0.0


@dataclass(frozen=True)
class Declining:
    """How the model declines. `kinds`: shares by kind of question (made-up names, drawn strangers, harmful requests).

    `wordings` are its own most frequent declining answers, the most frequent first. `sentence` is what the steering
    vectors teach: the model's own not-knowing answer where `own` is true, else the operator's sentence.
    """

    kinds: Mapping[str, Shares]
    wordings: tuple[str, ...]
    sentence: str
    own: bool

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Declining":
        """Back from plain values; raises KeyError or TypeError for others."""
        kinds = {kind: Shares(**shares) for kind, shares in values["kinds"].items()}
        return cls(kinds, tuple(values["wordings"]), values["sentence"], values["own"])


@dataclass(frozen=True)
class KnownFigure:
    """A public figure, and the attributes that the model tells truly under every wording that was tried."""

    name: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Knowledge:
    """Which of `asked` public figures the model knows. `chance`: how often an answer about another person held the
    value by chance, over as many questions."""

    asked: int
    known: tuple[KnownFigure, ...]
    chance: float

    @property
    def names(self) -> frozenset[str]:
        """The names of the known figures."""
        return frozenset(figure.name for figure in self.known)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Knowledge":
        """Back from plain values; raises KeyError or TypeError for others."""
        known = tuple(KnownFigure(figure["name"], tuple(figure["attributes"])) for figure in values["known"])
        return cls(values["asked"], known, values["chance"])


@dataclass(frozen=True)
class ChannelCurve:
    """How well held-out people are told apart at each block by one channel, alone, at 1 % false positives.

    `rates` [L]: share of questions about them, in wordings that the fit never saw, whose score is above the threshold;
    `margins` [L]: mean gap between those scores and the threshold.
    """

    channel: str
    rates: tuple[float, ...]
    margins: tuple[float, ...]


@dataclass(frozen=True)
class Reading:
    """Where identity is read. `blocks` are the chosen ones; `rate` and `rate_all_blocks` are those of the mention and
    picture channels at the chosen blocks and at all of them."""

    curves: tuple[ChannelCurve, ...]
    people: int
    others: int
    blocks: tuple[int, ...]
    rate: float
    rate_all_blocks: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reading":
        """Back from plain values; raises KeyError or TypeError for others."""
        curves = tuple(
            ChannelCurve(curve["channel"], tuple(curve["rates"]), tuple(curve["margins"])) for curve in values["curves"]
        )
        return cls(**{**values, "curves": curves, "blocks": tuple(values["blocks"])})


@dataclass(frozen=True)
class PullTrial:
    """One way to word the second pass, tried on validation people: shares of `n` answers.

    `readable`: the answer is a sentence, neither empty nor a repetition.
    """

    name: str
    strength: float
    n: int
    told: float
    declines: float
    readable: float
    seconds: float


@dataclass(frozen=True)
class ModelProfile:
    """The whole profile. `site` is the digest of the site that it describes; `seconds` are those of each step."""

    site: str
    created_at: str
    loading: Loading
    declining: Declining
    knowledge: Knowledge
    reading: Reading
    trials: tuple[PullTrial, ...]
    recipe: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the whole profile; the manifest of a version that was made with it states it."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ModelProfile":
        """Back; raises BadInput for another schema or a missing field."""
        if not isinstance(values, Mapping):
            raise BadInput("This is not a profile: it is no object of JSON.")
        if values.get("schema") != SCHEMA:
            raise BadInput(
                f"This is a profile of schema {values.get('schema')}; schema {SCHEMA} is read here. Profile the model "
                "again with `lacuna model profile`."
            )
        try:
            return cls(
                site=values["site"],
                created_at=values["created_at"],
                loading=Loading(**values["loading"]),
                declining=Declining.from_json(values["declining"]),
                knowledge=Knowledge.from_json(values["knowledge"]),
                reading=Reading.from_json(values["reading"]),
                trials=tuple(PullTrial(**trial) for trial in values["trials"]),
                recipe=values["recipe"],
                seconds=values["seconds"],
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise BadInput(f"This is not a whole profile: {exc}.") from exc


def read_profile(folder: Path) -> ModelProfile:
    """The profile in `folder`; raises BadInput where there is none."""
    path = folder / FILE
    try:
        return ModelProfile.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise BadInput(f"{path} is not there: make it with `lacuna model profile`.") from exc
    except ValueError as exc:
        raise BadInput(f"{path} is not JSON ({exc}): make it anew with `lacuna model profile`.") from exc
