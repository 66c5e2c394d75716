"""Versions of the artifact formats."""

from typing import Final

ERASER_SCHEMA_VERSION: Final = 3  # 2: gates say where a prompt names whom; 3: recipes without a fallback text
ROWS_SCHEMA_VERSION: Final = 2  # 2: the linear gate's rows lie in the null space
