"""An object store over S3, with MinIO's client. Its time-outs are short, so that an outage shows within seconds."""

import io
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from shared.errors import NotFound, StoreUnavailable

T = TypeVar("T")
_MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject"}


class S3Store:
    """One bucket, which is created on first use in `region`. Temporary credentials have a `session_token`."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        *,
        region: str = "us-east-1",
        session_token: str = "",
    ) -> None:
        address = urlsplit(endpoint if "//" in endpoint else f"http://{endpoint}")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=2.0, read=20.0),
            retries=urllib3.Retry(total=2, backoff_factor=0.2),
            maxsize=8,
        )
        self._client = Minio(
            endpoint=address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            session_token=session_token or None,
            secure=address.scheme == "https",
            region=region,
            http_client=self._http,
        )
        self._bucket, self._endpoint, self._region = bucket, endpoint, region
        self._bucket_ready = threading.Event()

    def put(self, key: str, data: bytes) -> None:
        """See ObjectStore."""
        self._ensure_bucket()
        self._call(lambda: self._client.put_object(
            bucket_name=self._bucket, object_name=key, data=io.BytesIO(data), length=len(data)
        ), key)  # fmt: skip

    def get(self, key: str) -> bytes:
        """See ObjectStore."""

        def read() -> bytes:
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        return self._call(read, key)

    def exists(self, key: str) -> bool:
        """See ObjectStore."""
        try:
            self._call(lambda: self._client.stat_object(bucket_name=self._bucket, object_name=key), key)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """See ObjectStore."""
        self._call(lambda: self._client.remove_object(bucket_name=self._bucket, object_name=key), key)

    def list(self, prefix: str) -> Iterator[str]:
        """See ObjectStore."""
        keys = self._call(
            lambda: [
                str(entry.object_name)
                for entry in self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True)
            ],
            prefix,
        )
        yield from sorted(keys)

    def close(self) -> None:
        """Close the connections. The store may be used again."""
        self._http.clear()

    def _ensure_bucket(self) -> None:
        if self._bucket_ready.is_set():
            return
        if not self._call(lambda: self._client.bucket_exists(bucket_name=self._bucket), self._bucket):
            self._call(lambda: self._client.make_bucket(bucket_name=self._bucket, location=self._region), self._bucket)
        self._bucket_ready.set()

    def _call(self, request: Callable[[], T], key: str) -> T:
        try:
            return request()
        except S3Error as exc:
            if exc.code in _MISSING:
                raise NotFound(f"There is no object {key}.") from exc
            if exc.code == "BucketAlreadyOwnedByYou":
                raise NotFound(key) from exc
            raise StoreUnavailable(f"The object store at {self._endpoint} refuses: {exc.code}.") from exc
        except (MinioException, HTTPError, OSError) as exc:
            raise StoreUnavailable(f"The object store at {self._endpoint} cannot be reached.") from exc
