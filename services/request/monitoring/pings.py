"""Pings the monitors of a dead man's switch outside: a monitor that hears nothing raises its own alarm."""

import uuid
from collections.abc import Mapping, Sequence

from services.request.monitoring.checks import NAMES, OverdueCheck
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.core.config import read_pairs
from shared.errors import BadInput


def read_urls(text: str) -> dict[str, str]:
    """LACUNA_DEADMAN_URLS: name -> URL; raises BadInput for a name that no check has."""
    urls = read_pairs("LACUNA_DEADMAN_URLS", text)
    if unknown := sorted(set(urls) - {*NAMES, "all"}):
        raise BadInput(f"LACUNA_DEADMAN_URLS: {', '.join(unknown)} is not one of {', '.join((*NAMES, 'all'))}.")
    return urls


def ping(
    urls: Mapping[str, str], overdue: Sequence[OverdueCheck], *, allow_loopback: bool = False
) -> dict[str, client.DeliveryResult]:
    """Ping the monitor of each check that is not overdue; `all` only where none is. Never raises.

    The addresses pass the same guard as those of webhooks.
    """
    down = {check.name for check in overdue}
    healthy = {name: url for name, url in urls.items() if (not down if name == "all" else name not in down)}
    at = int(utc_now().timestamp())
    return {
        name: client.send(url, ("*",), f"ping_{uuid.uuid4().hex}", at, "{}", "", allow_loopback=allow_loopback)
        for name, url in healthy.items()
    }
