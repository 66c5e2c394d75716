"""The object store that the settings name."""

from shared.core.config import Settings
from shared.storage.base import ObjectStore
from shared.storage.local import LocalStore
from shared.storage.s3 import S3Store


def open_store(settings: Settings) -> ObjectStore:
    """The S3 store of the settings, or a folder below `data` where they name no endpoint."""
    if not settings.s3.endpoint:
        return LocalStore(settings.data / "objects")
    settings.need("s3_access_key", "s3_secret_key")
    s3 = settings.s3
    return S3Store(
        s3.endpoint, s3.access_key, s3.secret_key, s3.bucket, region=s3.region, session_token=s3.session_token
    )
