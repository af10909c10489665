"""Headless Chromium, from Debian's package; without it tests of pages skip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium")


@dataclass
class Visit:
    """A page that is open, and what it did that it should not.

    Attributes:
        page: The page.
        errors: What it wrote to the console as errors or warnings.
        requests: Addresses that it asked for, beside itself.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """Runs a browser; one at a time in a process."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, address: str, *, width: int = 1280, dark: bool = False
) -> Iterator[Visit]:
    """Opens an address with an empty profile."""
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
    )
    opened = Visit(page)
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("console", lambda m: m.type != "log" and opened.errors.append(m.text))
    page.on("request", lambda request: _note(request.url, address, opened))
    page.goto(address)
    yield opened
    page.close()


def _note(url: str, address: str, opened: Visit) -> None:
    if not url.startswith(("data:", "blob:", address)):
        opened.requests.append(url)
