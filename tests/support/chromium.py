"""A real browser without a window: Debian's `chromium`, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

EXECUTABLE: Final = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
WIDE, PHONE = (1280, 900), (390, 844)

needs_chromium = pytest.mark.skipif(EXECUTABLE is None, reason="there is no chromium (apt-get install chromium)")


@dataclass
class Tab:
    """A page of the browser in a profile of its own, with what it asked for and what it complained about."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    bytes: int = 0


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed at the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def open_tab(browser: Browser, size: tuple[int, int] = WIDE, dark: bool = False, language: str = "en-GB") -> Tab:
    """A new tab that notes every host it asks, and every error of a script or of the security policy."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        locale=language,
        accept_downloads=True,
    )
    tab = Tab(context.new_page())

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            tab.hosts.add(urlsplit(request.url).hostname or request.url)

    def weigh(request: Request) -> None:
        sizes = request.sizes()
        tab.bytes += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    tab.page.on("request", note)
    tab.page.on("requestfinished", weigh)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
    return tab
