"""Headers of the service's own."""

from typing import Final

HEADER_ERASER: Final = "Lacuna-Eraser"
