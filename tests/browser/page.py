"""A person in front of a real browser: signs in, signs up and sees others do so, in each of the six languages.

Works against any address: processes of this machine (test_page.py) or a deployment (its certificate authority is the lab's,
so it is not checked here; its name is mapped to an address for the browser alone).
"""

import dataclasses
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from app.locales import LANGUAGES
from app.web.texts import counted, text

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
PASSWORD = "correct horse battery"
DESKTOP = {"width": 1200, "height": 850}
PHONE = {"width": 360, "height": 740}
TITLES = {
    "en": "Sunday service",
    "es": "Comedor social",
    "pt": "Mutirão de limpeza",
    "zh-CN": "社区义卖",
    "zh-TW": "社區義賣",
    "fr": "Collecte alimentaire",
}


@dataclasses.dataclass(frozen=True)
class Site:
    """Where the application answers. Two addresses may be two replicas; `resolve` maps the name to an address."""

    first: str
    second: str
    resolve: str | None = None
    ignore_https_errors: bool = False

    @property
    def rules(self) -> list[str]:
        name = urlsplit(self.first).hostname
        return [f"--host-resolver-rules=MAP {name} {self.resolve}"] if self.resolve else []


def signs_up(site: Site, api: httpx.Client, screenshots: Path, languages: Iterable[str] = LANGUAGES) -> dict[str, Any]:
    """Evidence: by language, what was seen and how long the other's browser took to show the sign-up. Raises AssertionError.

    `api` reaches the same application as `site`; an organisation is made through it."""
    organization = _Organization(api)
    screenshots.mkdir(parents=True, exist_ok=True)
    evidence: dict[str, Any] = {"chromium": None, "languages": {}}
    with browser(site) as chromium:
        evidence["chromium"] = chromium.version
        for language in languages:
            evidence["languages"][language] = _one_language(chromium, site, organization, language, screenshots)
        evidence["keyboard"] = _by_keyboard(chromium, site, organization)
    return evidence


@contextmanager
def browser(site: Site) -> Iterator[Browser]:
    assert CHROMIUM, "no chromium: apt-get install chromium"
    # Its sandbox refuses to run as root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, "--disable-dev-shm-usage", *site.rules])
        try:
            yield chromium
        finally:
            chromium.close()


class _Organization:
    """An organisation with an administrator, made through the API."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        mark = secrets.token_hex(3)
        admin = {"name": "Ada", "email": f"ada-{mark}@example.org", "password": PASSWORD}
        made = self._post("/api/v1/organizations", {"name": "Grace Church", "admin": admin}, {})
        self.id: str = made["organization"]["id"]
        session = {"organization": self.id, "email": admin["email"], "password": PASSWORD}
        self._admin = {"Authorization": f"Bearer {self._post('/api/v1/sessions', session, {})['access_token']}"}

    def volunteer(self, name: str, language: str) -> str:
        """The e-mail address of a new volunteer."""
        email = f"{name.lower()}-{secrets.token_hex(3)}@example.org"
        wanted = {"name": name, "email": email, "password": PASSWORD, "language": language, "timezone": "Europe/Paris"}
        self._post("/api/v1/people", wanted, self._admin)
        return email

    def event(self, title: str) -> str:
        wanted = {"type": "service", "title": title, "start_time": "2031-03-02T09:00:00Z", "end_time": "2031-03-02T11:30:00Z"}
        return str(self._post("/api/v1/events", wanted, self._admin)["id"])

    def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        answer = self._api.post(path, json=body, headers=dict(headers))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def _one_language(chromium: Browser, site: Site, organization: _Organization, language: str, screenshots: Path) -> dict[str, Any]:
    event = organization.event(TITLES[language])
    first, second = organization.volunteer("Maya", language), organization.volunteer("Noé", language)
    with (
        _visitor(chromium, site.first, site, language, PHONE) as (phone, phone_problems),
        _visitor(chromium, site.second, site, language, DESKTOP, "dark") as (desk, desk_problems),
    ):
        _is_in(phone, language)
        _shoot(phone, screenshots, f"{language}-login-phone")
        _shoot(desk, screenshots, f"{language}-login-dark")
        _sign_in(phone, organization.id, first)
        _sign_in(desk, organization.id, second)
        for page in (phone, desk):
            _is_in(page, language)
            expect(page.locator("h1")).to_have_text(text("events", language))
            expect(page.locator("#live")).to_have_text(text("live", language))
        # A mark that a reload would wipe out.
        desk.evaluate("document.body.dataset.same = 'page'")
        began = time.monotonic()
        phone.locator(f"#{event} button").click()
        expect(desk.locator(f"#{event} .names")).to_contain_text("Maya")
        seconds = time.monotonic() - began
        expect(desk.locator(f"#{event} .count")).to_contain_text(counted("signed_up", 1, language))
        announced = f"{TITLES[language]}: {counted('signed_up', 1, language)}"
        expect(desk.locator("#announcer")).to_have_text(announced)
        assert desk.evaluate("document.body.dataset.same") == "page", "the page was loaded again"
        expect(phone.locator(".notice")).to_have_text(text("done_signed_up", language, event=TITLES[language]))
        overflow = phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"scrolls sideways by {overflow} px on a phone"
        _targets_are_large(phone)
        _shoot(phone, screenshots, f"{language}-events-phone")
        _shoot(desk, screenshots, f"{language}-events-dark")
        phone.locator(f"#{event} button").click()
        expect(desk.locator(f"#{event} .count")).to_contain_text(text("nobody", language))
        problems = phone_problems + desk_problems
        assert not problems, problems
    return {"lang": language, "seconds_to_the_other_browser": round(seconds, 2), "console_problems": 0}


def _by_keyboard(chromium: Browser, site: Site, organization: _Organization) -> list[str]:
    """Signs in and up with Tab, Enter and letters alone. What had the focus on the way, in order."""
    event = organization.event("Keyboard only")
    email = organization.volunteer("Kim", "en")
    with _visitor(chromium, site.first, site, "en", DESKTOP) as (page, problems):
        seen: list[str] = []

        def tab_to(wanted: str) -> None:
            for _ in range(60):
                page.keyboard.press("Tab")
                seen.append(str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")))
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"the focus on {seen[-1]} cannot be seen"
                if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                    return
            raise AssertionError(f"{wanted} is not reached; passed {seen}")

        tab_to(".skip")
        page.keyboard.press("Enter")
        tab_to("#organization")
        page.keyboard.type(organization.id)
        tab_to("#email")
        page.keyboard.type(email)
        tab_to("#password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(text("events", "en"))
        tab_to(f"#{event} button")
        page.keyboard.press("Enter")
        expect(page.locator(f"#{event} .me")).to_contain_text("Kim")
        assert not problems, problems
    return seen


@contextmanager
def _visitor(
    chromium: Browser, address: str, site: Site, language: str, size: dict[str, int], scheme: Any = "light"
) -> Iterator[tuple[Page, list[str]]]:
    """A page at the sign-in form in a browser profile of its own, and everything its console or network complained of."""
    context: BrowserContext = chromium.new_context(
        base_url=address,
        locale=language,
        viewport=size,  # type: ignore[arg-type]
        color_scheme=scheme,
        ignore_https_errors=site.ignore_https_errors,
    )
    problems: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            problems.append(f"{message.type}: {message.text}")

    try:
        page = context.new_page()
        page.on("console", console)
        page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
        page.goto("/")
        yield page, problems
    finally:
        context.close()


def _sign_in(page: Page, organization: str, email: str) -> None:
    page.locator("#organization").fill(organization)
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator(".fields button").click()


def _is_in(page: Page, language: str) -> None:
    assert page.locator("html").get_attribute("lang") == language


def _targets_are_large(page: Page) -> None:
    for target in page.locator("button:visible, select:visible, input:visible, .brand").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, f"{target.evaluate('e => e.outerHTML')} is {box['height']} px high"


def _shoot(page: Page, directory: Path, name: str) -> None:
    page.screenshot(path=directory / f"{name}.png", full_page=True)
