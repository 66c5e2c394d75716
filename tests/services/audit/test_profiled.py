"""The suite of a version: with the profile of the model that the version was made with, where it is still stored."""

import json
import logging
from dataclasses import replace

import pytest

from services.audit.profiled import suite_for
from shared.db.models.erasers import EraserVersion
from shared.evaluation.model_profile import KnownFigure, ModelProfile
from shared.evaluation.reference import default_reference
from shared.storage.object_keys import profile_key
from tests.support.profiles import example_profile
from tests.support.refits import RefitHarness

SENTENCE = "Nothing is known to me about that person."
KNOWN = default_reference().of("celebrity_fit")[:6]


def profile_of(site: str) -> ModelProfile:
    """Of a model that knows six figures and was taught SENTENCE."""
    known = tuple(KnownFigure(person.subject.names[0], ("birthplace",)) for person in KNOWN)
    example = example_profile()
    return replace(
        example,
        site=site,
        declining=replace(example.declining, sentence=SENTENCE),
        knowledge=replace(example.knowledge, known=known),
    )


def version(profile: str | None) -> EraserVersion:
    manifest = {} if profile is None else {"profile": profile}
    return EraserVersion(number=3, model_id="demo-vlm", manifest=manifest)


def with_stored_profile(harness: RefitHarness) -> ModelProfile:
    """Stores a profile as a refit does, and puts public figures into the audit's reference."""
    context = harness.audit_context
    plain = context.suite
    object.__setattr__(context, "suite", type(plain)(plain.engine, default_reference(), plain.seed))
    profile = profile_of(plain.engine.vlm.site.digest)
    key = profile_key("demo-vlm", profile.site)
    sealed = context.keys.seal(json.dumps(profile.to_json()).encode(), key)
    context.store.put(key, sealed.blob)
    context.store.put(f"{key}.key", sealed.wrapped_key)
    return profile


def test_profile_has_the_same_digest_when_it_is_read_again() -> None:
    profile = profile_of("0" * 64)
    assert ModelProfile.from_json(json.loads(json.dumps(profile.to_json()))).digest == profile.digest
    assert replace(profile, site="1" * 64).digest != profile.digest


def test_audit_asks_about_known_figures_and_knows_the_sentence(harness: RefitHarness) -> None:
    profile = with_stored_profile(harness)
    suite = suite_for(harness.audit_context, version(profile.digest))
    assert {person.id for person in suite.reference.of("celebrity_fit")} == {person.id for person in KNOWN}
    assert SENTENCE in suite.reference.own_wordings
    assert suite_for(harness.audit_context, version(profile.digest)) is suite


def test_version_without_a_profile_is_audited_on_the_plain_reference(harness: RefitHarness) -> None:
    with_stored_profile(harness)
    assert suite_for(harness.audit_context, version(None)) is harness.audit_context.suite


def test_another_or_an_altered_profile_is_not_used(harness: RefitHarness, caplog: pytest.LogCaptureFixture) -> None:
    """The audit is made all the same, and the log says on what."""
    profile = with_stored_profile(harness)
    context = harness.audit_context
    with caplog.at_level(logging.WARNING):
        assert suite_for(context, version("f" * 64)) is context.suite
        context.store.put(profile_key("demo-vlm", profile.site), b"altered")
        assert suite_for(context, version(profile.digest)) is context.suite
    assert caplog.text.count("is not stored any more") == 2
