"""The cache forgets in time and never grows beyond its bound."""

import threading
from dataclasses import dataclass, field

import pytest

from shared.core.expiring_cache import ExpiringCache


@dataclass
class Source:
    """Counts look-ups; `value` is what they return, and each takes `takes_s` of the clock."""

    value: str = "first"
    takes_s: float = 0.0
    time_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def cache(self, lifetime_s: float = 5.0, most_entries: int = 3) -> ExpiringCache[str]:
        return ExpiringCache(lifetime_s, most_entries, lambda: self.time_s)

    def get(self, cache: ExpiringCache[str], key: str = "a") -> str:
        def load() -> str:
            self.asked.append(key)
            value = self.value
            self.time_s += self.takes_s
            return value

        return cache.get_or_load(key, load)


def test_value_is_looked_up_again_when_its_time_is_over() -> None:
    source = Source()
    cache = source.cache()
    source.get(cache)
    source.value, source.time_s = "second", 4.9
    assert source.get(cache) == "first"
    source.time_s = 5.0
    assert source.get(cache) == "second"
    assert source.asked == ["a", "a"]


def test_slow_look_up_does_not_lengthen_the_life_of_its_value() -> None:
    source = Source(takes_s=4.0)
    cache = source.cache()
    assert source.get(cache) == "first"
    source.value, source.time_s = "second", 5.0
    assert source.get(cache) == "second"


def test_full_cache_drops_its_oldest_entry() -> None:
    source = Source()
    cache = source.cache(most_entries=3)
    for key in ("a", "b", "c", "d"):
        source.get(cache, key)
        assert len(cache) <= 3
    source.asked.clear()
    for key in ("b", "c", "d", "a"):
        source.get(cache, key)
    assert source.asked == ["a"]


def test_looking_up_again_makes_an_entry_the_newest() -> None:
    source = Source()
    cache = source.cache(most_entries=2)
    source.get(cache, "a")
    source.time_s = 1.0
    source.get(cache, "b")
    source.time_s = 5.5  # the time of "a" is over
    source.get(cache, "a")
    source.get(cache, "c")
    source.asked.clear()
    source.get(cache, "a")
    assert source.asked == []


def test_failed_look_up_is_not_kept() -> None:
    source = Source()
    cache = source.cache()

    def fail() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        cache.get_or_load("a", fail)
    assert len(cache) == 0
    assert source.get(cache) == "first"


def test_value_that_was_looked_up_before_clear_is_not_kept_after_it() -> None:
    source = Source()
    cache = source.cache()
    looked_up, cleared = threading.Event(), threading.Event()

    def load() -> str:
        value = source.value
        looked_up.set()
        assert cleared.wait(timeout=30)
        return value

    reader = threading.Thread(target=cache.get_or_load, args=("a", load))
    reader.start()
    assert looked_up.wait(timeout=30)
    source.value = "second"
    cache.clear()
    cleared.set()
    reader.join(timeout=30)
    assert source.get(cache) == "second"
