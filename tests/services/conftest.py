"""Fixtures for the tests of the refit and the audit. The model is loaded once for the whole run, and only if needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.storage.base import ObjectStore
from shared.storage.local import LocalStore
from tests.support.api import OpenService
from tests.support.databases import Databases

if TYPE_CHECKING:  # torch takes seconds to import, and most tests of the services need none of it
    from services.audit.suite import Suite
    from shared.evaluation.reference import Reference
    from shared.vlm.engine import Engine
    from tests.support.refits import RefitHarness


@pytest.fixture(scope="session")
def demo_engine() -> "Engine":
    """The demo model."""
    from tests.support import refits  # noqa: PLC0415

    return refits.load_demo_engine()


@pytest.fixture(scope="session")
def few_people() -> "Reference":
    """The reference of the demo model with few people in each split."""
    from tests.support import refits  # noqa: PLC0415

    return refits.load_few_people()


@pytest.fixture(scope="session")
def audit_suite(demo_engine: "Engine", few_people: "Reference") -> Iterator["Suite"]:
    """One suite for the whole run, so that the base model is asked once; it asks few questions."""
    from services.audit.suite import Suite  # noqa: PLC0415
    from tests.support import refits  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patched:
        for module, name, value in refits.QUESTION_LIMITS:
            patched.setattr(module, name, value)
        yield Suite(demo_engine, few_people)


@pytest.fixture(scope="session")
def refit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of objects for all refits of the run: the statistics of the few people are computed once."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def refit_store(refit_folder: Path) -> ObjectStore:
    """The store of the harness; a module may replace it."""
    return LocalStore(refit_folder)


@pytest.fixture
def harness(
    open_service: OpenService,
    database: Databases,
    refit_store: ObjectStore,
    demo_engine: "Engine",
    audit_suite: "Suite",
    keys: KeyRing,
    signer: Signer,
    verifier: Verifier,
) -> "RefitHarness":
    """People, refit worker and audit worker over the test's own database."""
    from tests.support.refits import RefitHarness  # noqa: PLC0415

    return RefitHarness.build(
        open_service(refit_store), database, refit_store, demo_engine, audit_suite, keys, signer, verifier
    )
