"""Which object store the settings mean."""

from shared.core.config import Settings
from shared.storage.base import ObjectStore
from shared.storage.local import LocalStore
from shared.storage.s3 import S3Store


def open_store(settings: Settings) -> ObjectStore:
    """The S3 store of the settings; a folder below `data` where no endpoint is given."""
    if not settings.s3_endpoint:
        return LocalStore(settings.data / "objects")
    settings.need("s3_access_key", "s3_secret_key")
    return S3Store(settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_bucket)
