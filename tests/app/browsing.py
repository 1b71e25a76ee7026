"""A person at the page without JavaScript: follows redirects, keeps cookies, fills in the forms it finds."""

import html
import re
from typing import Any

import httpx

from tests.app.harness import PASSWORD, Organization

ACCEPT = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


class Person:
    """Somebody of an organisation, not signed in yet."""

    def __init__(self, client: httpx.Client, language: str = "en") -> None:
        headers = ACCEPT | {"Accept-Language": language}
        # No connection outlives its request, so nobody has to close the client.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(base_url=client.base_url, headers=headers, follow_redirects=True, timeout=15, limits=limits)
        self.page: httpx.Response = self.client.get("/")

    def sign_in(self, organization: str, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.submit("/login", organization=organization, email=email, password=password)

    def submit(self, action: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Sends the form of this address with the hidden fields it has on the page."""
        found = re.search(rf'<form[^>]*action="{re.escape(action)}">(.*?)</form>', self.page.text, re.DOTALL)
        assert found, f"no form for {action} on {self.page.url}"
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', found[1])
        data = {name: html.unescape(value) for name, value in hidden} | fields
        self.page = self.client.post(action, data=data, headers=headers)
        return self.page

    def open(self, path: str) -> httpx.Response:
        self.page = self.client.get(path)
        return self.page


def signed_in(organization: Organization, language: str = "en", **wanted: Any) -> Person:
    """A new volunteer of `organization` at the page. `wanted` goes into their row."""
    email = f"{wanted.get('name', 'vera').lower()}-{language}@x.org"
    body = {"name": "Vera", "email": email, "password": PASSWORD, "language": language, **wanted}
    made = organization.client.post("/api/v1/people", headers=organization.admin, json=body)
    assert made.status_code == 201, made.text
    person = Person(organization.client)
    assert person.sign_in(organization.id, email).url.path == "/events"
    return person
