"""Versions of the artifact formats. A change of what is stored raises the number and refuses older artifacts."""

from typing import Final

ERASER_SCHEMA_VERSION: Final = 3  # 2: gates say where a prompt names whom; 3: recipes without a fallback text
ROWS_SCHEMA_VERSION: Final = 2  # of ticket fits; 2: the linear gate's probes lie in the null space
