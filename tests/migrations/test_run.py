"""The migrations can be run from a checkout in any folder."""

import shutil
from pathlib import Path

from alembic.script import ScriptDirectory

from migrations.run import alembic_config
from shared.devstack.processes import PROJECT_ROOT


def test_folder_with_a_percent_sign_holds_the_same_migrations(tmp_path: Path) -> None:
    """Alembic's configuration would take a `%` for the beginning of a variable."""
    folder = tmp_path / "job%2Ffeature" / "migrations"
    shutil.copytree(PROJECT_ROOT / "migrations", folder)
    copied = ScriptDirectory.from_config(alembic_config("postgresql://nowhere", folder))
    original = ScriptDirectory.from_config(alembic_config("postgresql://nowhere"))
    assert Path(copied.dir) == folder
    assert copied.get_heads() == original.get_heads()
