"""Bring the database of LACUNA_DATABASE_URL to the newest schema: `python -m migrations.run`.

The migrations grant rights to the service roles. Those are created first, where LACUNA_ROLE_PASSWORDS is given.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config

from shared.core.config import load_settings, read_pairs
from shared.db.roles import ensure_roles


def upgrade(url: str) -> None:
    """Run all migrations that the database at `url` does not have yet."""
    command.upgrade(alembic_config(url), "head")


def alembic_config(url: str, folder: Path = Path(__file__).parent) -> Config:
    """The settings of Alembic for the database at `url` and the migrations in `folder`."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))  # a config file would interpolate "%"
    config.attributes["url"] = url
    return config


def main() -> None:
    """The command."""
    settings = load_settings()
    settings.need("database_url")
    if settings.role_passwords:
        ensure_roles(settings.database.url, read_pairs("LACUNA_ROLE_PASSWORDS", settings.role_passwords))
    upgrade(settings.database.url)


if __name__ == "__main__":
    main()
