"""Reads the pictures of a request: data URLs, and addresses of hosts that the operator allows.

Decoding is bounded (`shared/domain/photos.py`) and runs in a few threads, so that the event loop never waits for it.
"""

from collections.abc import Sequence
from typing import Final

from PIL.Image import Image

from services.inference.protocol.remote_pictures import RemotePictures
from services.inference.protocol.workers import Workers
from shared.domain.photos import open_photo, read_data_url
from shared.errors import BadInput, LacunaError, TooLarge

LARGEST_SIDE: Final = 2048  # pixels; OpenAI's API reduces pictures to as much before its models see them
MOST_CHARACTERS: Final = 12_000_000  # of one data URL


class PictureReader:
    """Reads pictures by their URLs."""

    def __init__(self, workers: Workers, remote: RemotePictures) -> None:
        self._workers, self._remote = workers, remote

    async def read(self, urls: Sequence[tuple[str, str]]) -> list[Image]:
        """The pictures of (member, URL), upright, as RGB, no side longer than LARGEST_SIDE.

        Raises BadInput, TooLarge or NotReady; `param` names the member.
        """
        pictures = []
        for member, url in urls:
            try:
                pictures.append(await self._read_one(url))
            except (BadInput, TooLarge) as exc:
                raise type(exc)(exc.detail, **{"param": member, **exc.extra}) from exc
        return pictures

    async def _read_one(self, url: str) -> Image:
        if url[:8].lower().startswith(("http://", "https://")):
            return await self._workers.run(_decoded, await self._remote.fetch(url))
        if len(url) > MOST_CHARACTERS:
            raise TooLarge(f"The URL of a picture may have {MOST_CHARACTERS // 1_000_000} million characters.")
        return await self._workers.run(_from_data_url, url)


def _from_data_url(url: str) -> Image:
    return _decoded(read_data_url(url))


def _decoded(data: bytes) -> Image:
    try:
        return open_photo(data, largest_side=LARGEST_SIDE)
    except LacunaError:
        raise
    except MemoryError as exc:
        raise TooLarge("The picture needs too much memory.") from exc
