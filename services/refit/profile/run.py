"""Makes the profile of a model, step by step. Each finished step is a file, so that an interrupted run goes on.

    loading -> declining -> knowledge -> reading -> second pass -> profile.json, vectors, report.html

Nothing here knows databases, queues or tickets: the command line and the refit worker both call `make_profile`. One
process at a time makes a profile (lock.py).
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from services.refit.profile.declining import observe_declining
from services.refit.profile.knowledge import find_known
from services.refit.profile.loading import measure_loading
from services.refit.profile.lock import alone
from services.refit.profile.people import figures_of, reading_people, validation_people
from services.refit.profile.pull import choose_pull
from services.refit.profile.reading import read_identity
from services.refit.profile.report import write_report
from services.refit.steering_vectors import SteeringVectors
from shared.core.clock import utc_now
from shared.erasure.recipe import LACUNA, LATER_FIELDS, Recipe
from shared.errors import BadInput, IntegrityFailure
from shared.evaluation.model_profile import (
    FILE,
    Declining,
    Knowledge,
    Loading,
    ModelProfile,
    PullTrial,
    Reading,
    read_profile,
)
from shared.evaluation.profiled_reference import reference_for
from shared.evaluation.reference import Reference
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
STEPS: Final = ("loading", "declining", "knowledge", "reading", "second pass")
VECTORS_FILE: Final = "vectors.safetensors"
REPORT_FILE: Final = "report.html"
NAME_LENGTH: Final = 32  # of the site's digest, in the name of a profile's folder
DEFAULT_SENTENCE: Final = "I do not know this person."
SOMEBODY: Final = "Another program"  # who makes a profile, where the caller does not say

Report = Callable[[str, int, int], None]  # step, done, all
Count = Callable[[int, int], None]  # done, all
Step = TypeVar("Step")


@dataclass(frozen=True)
class ProfiledModel:
    """A profile with the steering vectors that belong to its recipe."""

    profile: ModelProfile
    vectors: SteeringVectors

    @property
    def recipe(self) -> Recipe:
        """The recipe `lacuna` as it was chosen for this model.

        What no profile chooses is that of today: a profile may be older than the reading of text.
        """
        later = {name: getattr(LACUNA, name) for name in LATER_FIELDS}
        return replace(Recipe.from_json(self.profile.recipe), **later)


@dataclass(frozen=True)
class Observed:
    """What a model says by itself, before anything is chosen for it."""

    loading: Loading
    declining: Declining
    knowledge: Knowledge

    def reference(self, people: Reference) -> Reference:
        """`people` with what the model knows beside them, and its own not-knowing sentence."""
        return reference_for(people, self.knowledge, self.declining.sentence)


def observe(
    engine: Engine, source: str, reference: Reference, folder: Path, report: Report = lambda *_: None
) -> Observed:
    """The first half of a profile in `folder`, read where it is finished; `make_profile` goes on from it.

    Raises BadInput where the model cannot be profiled, and Unavailable while another process profiles it.
    """
    whole = find_profile(folder, engine.vlm.site.digest)
    if whole is not None:
        return Observed(whole.profile.loading, whole.profile.declining, whole.profile.knowledge)
    with alone(folder, _name(engine), SOMEBODY):
        return _observe(engine, source, reference, _steps(engine, reference, folder, report))


def make_profile(
    engine: Engine,
    source: str,
    reference: Reference,
    folder: Path,
    report: Report = lambda *_: None,
    *,
    recipe: Recipe = LACUNA,
    maker: str = SOMEBODY,
    again: bool = False,
) -> ProfiledModel:
    """The profile of the model in `engine`, in `folder`: read where it is whole, else made or finished.

    `reference` gives the people and prompts, and the operator's not-knowing sentence if there is one. `report` is
    called with the step and how much of it is done. The choices are made in `recipe`. `maker`: as whom another process
    sees the caller that has to wait. `again` removes first what there is of an earlier profile.

    Raises BadInput where the model cannot be profiled, and Unavailable while another process profiles it.
    """
    site = engine.vlm.site.digest
    whole = None if again else find_profile(folder, site)
    if whole is not None:
        return whole
    with alone(folder, _name(engine), maker):
        for partial in (folder / _name(engine)).rglob("*.partial"):  # of a process that was killed
            partial.unlink()
        if again and (folder / _name(engine)).exists():
            shutil.rmtree(folder / _name(engine))
        # Another process may have finished it in the meantime.
        return find_profile(folder, site) or _make_profile(engine, source, reference, folder, report, recipe)


def _make_profile(
    engine: Engine, source: str, reference: Reference, folder: Path, report: Report, recipe: Recipe
) -> ProfiledModel:
    own = folder / _name(engine)
    steps = _steps(engine, reference, folder, report)
    observed = _observe(engine, source, reference, steps)
    loading, declining, knowledge = observed.loading, observed.declining, observed.knowledge
    fitted = observed.reference(reference)
    reading = steps.run(
        "reading",
        Reading.from_json,
        lambda count: read_identity(engine, reading_people(fitted, knowledge), recipe, count),
    )
    blocks = None if len(reading.blocks) == loading.layers else reading.blocks
    chosen = replace(recipe, gate_layers=blocks)

    def try_second_passes(count: Count) -> _SecondPass:
        choice = choose_pull(engine, fitted, validation_people(fitted, knowledge), chosen, count)
        blob = choice.vectors.to_bytes(choice.recipe)
        _write_whole(own / VECTORS_FILE, blob)
        return _SecondPass(choice.recipe.as_json(), choice.trials, hashlib.sha256(blob).hexdigest())

    second_pass = steps.run(
        "second pass",
        _SecondPass.from_json,
        try_second_passes,
        still_holds=lambda stored: stored.vectors_sha256 == _sha256(own / VECTORS_FILE),
    )
    profile = ModelProfile(
        site=engine.vlm.site.digest,
        created_at=utc_now().isoformat(),
        loading=loading,
        declining=declining,
        knowledge=knowledge,
        reading=reading,
        trials=second_pass.trials,
        recipe=second_pass.recipe,
        seconds=steps.seconds,
    )
    write_report(own / REPORT_FILE, profile)
    _write_whole(own / FILE, json.dumps(profile.to_json(), indent=1, ensure_ascii=False).encode())
    return ProfiledModel(profile, SteeringVectors.from_bytes(own.joinpath(VECTORS_FILE).read_bytes()))


def find_profile(folder: Path, site: str) -> ProfiledModel | None:
    """The finished profile of the site with this digest, among those in `folder`.

    None where there is none that can be used: it is made anew then, as far as its steps are not finished.
    """
    own = folder / site[:NAME_LENGTH]
    if not (own / FILE).is_file():
        return None
    try:
        profile = read_profile(own)
        vectors = SteeringVectors.from_bytes((own / VECTORS_FILE).read_bytes())
    except (BadInput, IntegrityFailure, OSError) as exc:
        logger.warning("the profile in %s is made anew: %s", own, exc)
        return None
    return ProfiledModel(profile, vectors) if profile.site == site else None


@dataclass(frozen=True)
class _SecondPass:
    recipe: Mapping[str, Any]
    trials: tuple[PullTrial, ...]
    vectors_sha256: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "_SecondPass":
        trials = tuple(PullTrial(**trial) for trial in values["trials"])
        return cls(values["recipe"], trials, values["vectors_sha256"])


def _steps(engine: Engine, reference: Reference, folder: Path, report: Report) -> "_Steps":
    made_from = {"site": engine.vlm.site.digest, "reference": reference.digest}
    return _Steps(folder / _name(engine) / "steps", made_from, report)


def _name(engine: Engine) -> str:
    """The name of a profile's folder."""
    return engine.vlm.site.digest[:NAME_LENGTH]


def _observe(engine: Engine, source: str, reference: Reference, steps: "_Steps") -> Observed:
    sentence = reference.unknown_answer or DEFAULT_SENTENCE
    return Observed(
        steps.run("loading", lambda values: Loading(**values), lambda _: measure_loading(engine, source)),
        steps.run("declining", Declining.from_json, lambda _: observe_declining(engine, reference, sentence)),
        steps.run("knowledge", Knowledge.from_json, lambda count: find_known(engine, figures_of(reference), count)),
    )


class _Steps:
    """Results of steps, one file each. A file that was made from something else is not used."""

    def __init__(self, folder: Path, made_from: Mapping[str, str], report: Report) -> None:
        self._folder, self._made_from, self._report = folder, dict(made_from), report
        self.seconds: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        name: str,
        read: Callable[[Mapping[str, Any]], Step],
        make: Callable[[Count], Step],
        still_holds: Callable[[Step], bool] = lambda _: True,
    ) -> Step:
        """The result of step `name`: from its file where that can be read and `still_holds`, else made and written."""
        path = self._folder / f"{STEPS.index(name) + 1}-{name.replace(' ', '-')}.json"
        stored = self._stored(path, read)
        if stored is not None and still_holds(stored.result):
            self.seconds[name] = stored.seconds
            logger.info("profile: %s was done before", name)
            return stored.result
        self._report(name, 0, 1)
        logger.info("profile: %s", name)
        began = time.monotonic()
        result = make(lambda done, total: self._report(name, done, total))
        self.seconds[name] = round(time.monotonic() - began, 1)
        self._report(name, 1, 1)
        content = {"made_from": self._made_from, "seconds": self.seconds[name], "result": asdict(result)}  # type: ignore[call-overload]
        _write_whole(path, json.dumps(content, indent=1, ensure_ascii=False).encode())
        return result

    def _stored(self, path: Path, read: Callable[[Mapping[str, Any]], Step]) -> "_Stored[Step] | None":
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["made_from"] != self._made_from:
                return None
            return _Stored(read(content["result"]), content["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class _Stored(Generic[Step]):
    result: Step
    seconds: float


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:  # also where it is interrupted
        partial.unlink(missing_ok=True)
        raise


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
