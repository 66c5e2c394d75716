"""Dead man's switch."""

import uuid
from collections.abc import Mapping, Sequence

from services.request.monitoring.checks import NAMES, OverdueCheck
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.core.config import read_pairs
from shared.errors import BadInput


def read_urls(text: str) -> dict[str, str]:
    """LACUNA_DEADMAN_URLS: name -> URL; raises BadInput for a name that nobody watches."""
    urls = read_pairs("LACUNA_DEADMAN_URLS", text)
    if unknown := sorted(set(urls) - {*NAMES, "all"}):
        raise BadInput(f"LACUNA_DEADMAN_URLS: {', '.join(unknown)} is not one of {', '.join((*NAMES, 'all'))}.")
    return urls


def ping(
    urls: Mapping[str, str], silent: Sequence[OverdueCheck], *, allow_loopback: bool = False
) -> dict[str, client.DeliveryResult]:
    """Tell the monitors of all that is well, never of what is silent. Under the guard of webhooks; never raises."""
    down = {one.name for one in silent}
    well = {name: url for name, url in urls.items() if (not down if name == "all" else name not in down)}
    at = int(utc_now().timestamp())
    return {
        name: client.send(url, ("*",), f"ping_{uuid.uuid4().hex}", at, "{}", "", allow_loopback=allow_loopback)
        for name, url in well.items()
    }
