"""A migrated database of a test's own, seen under each service's role."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Engine

from shared.db.roles import service_url
from shared.db.session import make_engine

TEMPLATE = "lacuna_template"


@dataclass
class Databases:
    """One database, as each service sees it."""

    admin_url: str
    passwords: dict[str, str]
    _engines: dict[str, Engine] = field(default_factory=dict)

    def url(self, service: str) -> str:
        """The address under the service's own role."""
        return service_url(self.admin_url, service, self.passwords[service])

    def engine(self, service: str) -> Engine:
        """An engine under the service's own role, or the administrator's."""
        if service not in self._engines:
            self._engines[service] = make_engine(self.admin_url if service == "admin" else self.url(service))
        return self._engines[service]

    def dispose(self) -> None:
        """Close all connections."""
        for engine in self._engines.values():
            engine.dispose()


def named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
