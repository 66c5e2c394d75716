"""The suite for a version: on the reference as the profile of the model left it when the version was made.

The profile says which public figures the model knows and in which sentence it declines. Without it an audit would ask
about figures of whom the model only invents, and would not know the sentence that the second pass was taught.
"""

import json
import logging

from services.audit.context import AuditContext
from services.audit.suite import Suite
from shared.db.models.erasers import EraserVersion
from shared.errors import BadInput, IntegrityFailure, NotFound
from shared.evaluation.model_profile import ModelProfile
from shared.evaluation.profiled_reference import reference_for
from shared.storage.object_keys import profile_key

logger = logging.getLogger(__name__)


def suite_for(context: AuditContext, version: EraserVersion) -> Suite:
    """The suite with the profile that the manifest of `version` states; the plain one where it states none.

    A suite is kept for the next version with the same profile: it holds the base model's answers. Where the stated
    profile is not stored any more, the audit is made on the plain reference, and a warning says so. Raises Unavailable
    where the store cannot be asked.
    """
    digest = version.manifest.get("profile")
    if digest is None:
        return context.suite
    if digest not in context.suites:
        profile = _stored_profile(context, version.model_id)
        if profile is None or profile.digest != digest:
            logger.warning("version %d: the profile that it was made with is not stored any more", version.number)
            return context.suite
        plain = context.suite
        reference = reference_for(plain.reference, profile.knowledge, profile.declining.sentence)
        context.suites.clear()
        context.suites[digest] = Suite(plain.engine, reference, plain.seed)
    return context.suites[digest]


def _stored_profile(context: AuditContext, model_id: str) -> ModelProfile | None:
    """The profile of the served model; None where there is none that can be read."""
    key = profile_key(model_id, context.suite.engine.vlm.site.digest)
    try:
        blob = context.keys.open(context.store.get(key), context.store.get(f"{key}.key"), key)
        return ModelProfile.from_json(json.loads(blob))
    except (BadInput, IntegrityFailure, NotFound, ValueError) as exc:
        logger.warning("the stored profile cannot be read: %s", exc)
        return None
