"""Settings are read from LACUNA_* variables, by group, and a wrong or missing one is named."""

from collections.abc import Iterator

import pytest

from shared.core.config import Settings, load_settings, read_pairs, read_sentences
from shared.errors import BadInput


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """Settings are read again in each test."""
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_variable_of_a_group_sets_its_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("LACUNA_NIGHTLY_CATCH_UP_S", "5")
    monkeypatch.setenv("LACUNA_LOG_VERIFY_KEYS", "a,b")
    settings = load_settings()
    assert (settings.database.url, settings.database.idle_s) == ("postgresql://x", Settings().database.idle_s)
    assert (settings.nightly.catch_up_s, settings.nightly.hour) == (5.0, 2)
    assert (settings.log.verify_keys, settings.verify_keys) == ("a,b", "")


def test_every_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_GRACE_S", "soon")
    monkeypatch.setenv("LACUNA_AUDIT_TOLD_TEST", "little")
    with pytest.raises(BadInput) as refused:
        load_settings()
    assert "LACUNA_GRACE_S: " in refused.value.detail
    assert "LACUNA_AUDIT_TOLD_TEST: " in refused.value.detail


@pytest.mark.parametrize("name", ["RATE_CLIENT", "RATE_LIMIT", "RATE_FAILURES", "DRP_RATE", "FORM_RATE", "FORM_TOTAL"])
def test_rate_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"LACUNA_{name}", "1000 per minute")
    Settings()
    monkeypatch.setenv(f"LACUNA_{name}", "1000")
    load_settings.cache_clear()
    with pytest.raises(BadInput, match=f"LACUNA_{name}: .*6000/minute"):
        load_settings()


def test_missing_variables_are_named_and_given_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_DATABASE_URL", "postgresql://x")
    with pytest.raises(BadInput) as refused:
        load_settings().need("database_url", "kek", "s3_access_key", "log_verify_keys")
    assert refused.value.detail == "LACUNA_KEK, LACUNA_S3_ACCESS_KEY, LACUNA_LOG_VERIFY_KEYS must be set."


def test_webhook_hosts_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_WEBHOOK_HOSTS", "a.example, *.b.example,")
    assert load_settings().webhook.host_list == ("a.example", "*.b.example")


def test_pairs_are_read_into_a_dictionary() -> None:
    assert read_pairs("X", "a=1, b=2=3,") == {"a": "1", "b": "2=3"}


def test_pairs_that_cannot_be_read_are_refused_without_their_value() -> None:
    with pytest.raises(BadInput) as refused:
        read_pairs("LACUNA_FIRST_KEYS", "olivia:secret")
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", {}),
        (" I do not know; sorry. ", {"": "I do not know; sorry."}),
        ("en=I do not know.", {"en": "I do not know."}),
        ("en=No; sorry.; de = Nein=nein;pt-BR=Não.", {"en": "No; sorry.", "de": "Nein=nein", "pt-br": "Não."}),
    ],
)
def test_sentences_are_read_by_language(text: str, sentences: dict[str, str]) -> None:
    assert read_sentences("LACUNA_UNKNOWN_ANSWER", text) == sentences


@pytest.mark.parametrize(("text", "word"), [("en=", "empty"), ("en=a;de=;fr=b", "empty"), ("en=a;en=b", "twice")])
def test_sentences_that_are_empty_or_given_twice_are_refused(text: str, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        read_sentences("LACUNA_UNKNOWN_ANSWER", text)


def test_sentence_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_UNKNOWN_ANSWER", "en=Who is that?")
    assert load_settings().unknown_answer == "en=Who is that?"
