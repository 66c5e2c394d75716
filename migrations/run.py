"""Bring the database of LACUNA_DATABASE_URL to the newest schema: `python -m migrations.run`.

The service roles must exist before (shared/db/roles.py): the migrations grant to them.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config

from shared.config import load_settings


def upgrade(url: str) -> None:
    """Run all migrations that are missing in the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def main() -> None:
    """The command."""
    settings = load_settings()
    settings.need("database_url")
    upgrade(settings.database_url)


if __name__ == "__main__":
    main()
