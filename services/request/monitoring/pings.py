"""Pings for a dead man's switch: a monitor outside that raises an alarm when the pings stop."""

import uuid
from collections.abc import Mapping, Sequence

from services.request.monitoring.checks import CHECK_NAMES, OverdueCheck
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.core.config import read_pairs
from shared.errors import BadInput


def read_urls(text: str) -> dict[str, str]:
    """LACUNA_DEADMAN_URLS as name -> URL. Raises BadInput for a name that is no check."""
    urls = read_pairs("LACUNA_DEADMAN_URLS", text)
    if unknown := sorted(set(urls) - {*CHECK_NAMES, "all"}):
        raise BadInput(f"LACUNA_DEADMAN_URLS: {', '.join(unknown)} is not one of {', '.join((*CHECK_NAMES, 'all'))}.")
    return urls


def ping(
    urls: Mapping[str, str], overdue: Sequence[OverdueCheck], *, allow_loopback: bool = False
) -> dict[str, client.DeliveryResult]:
    """Ping the monitor of every check that is not overdue, under the rules of webhooks. Never raises."""
    names = {check.name for check in overdue}
    due = {name: url for name, url in urls.items() if (not names if name == "all" else name not in names)}
    at = int(utc_now().timestamp())
    return {
        name: client.send(url, ("*",), f"ping_{uuid.uuid4().hex}", at, "{}", "", allow_loopback=allow_loopback)
        for name, url in due.items()
    }
