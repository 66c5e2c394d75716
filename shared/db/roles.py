"""A database role with its own password for each service, and one for the control loop.

The grants in the migrations say what each may do.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

SERVICES: Final = ("request", "control", "refit", "audit", "inference")


def role_name(service: str) -> str:
    """The role of the service: `lacuna_<service>`."""
    return f"lacuna_{service}"


def ensure_roles(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Create the roles of `passwords` (service -> password), or set their passwords. `admin_url` may create roles."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for service, password in passwords.items():
            role = sql.Identifier(role_name(service))
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role_name(service),)).fetchone()
            verb = sql.SQL("ALTER" if exists else "CREATE")
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password)))


def service_url(admin_url: str, service: str, password: str) -> str:
    """The URL of the same database under the role of `service`."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_name(service)}:{quote(password)}@{host}"))
