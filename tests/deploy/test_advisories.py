"""Known vulnerabilities of pinned packages fail the check; data that cannot be reached does not."""

from typing import Any

from tests.deploy.advisories import summary

SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}
CLEAN: dict[str, Any] = {"name": "tqdm", "version": "4.70.1", "vulns": []}


def test_vulnerability_is_named_with_the_version_that_fixes_it() -> None:
    advisory = {"id": "PYSEC-2026-1", "fix_versions": ["12.0"], "aliases": ["CVE-2026-1"], "description": ""}
    sentences, found = summary({"dependencies": [CLEAN, {"name": "pillow", "version": "11.0", "vulns": [advisory]}]})
    assert found
    assert sentences == ["2 of 2 pinned packages were audited.", "pillow 11.0: PYSEC-2026-1, fixed in 12.0."]


def test_package_without_data_is_counted() -> None:
    sentences, found = summary({"dependencies": [CLEAN, SKIPPED]})
    assert not found
    assert sentences == ["1 of 2 pinned packages were audited.", "Advisory data could not be reached for 1."]
