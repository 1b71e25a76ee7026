"""Names that are made from names: no two things get one, whatever their own names are."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.client import ROOT
from signupflow import cutover, maintenance, names
from signupflow.render import compose_value, template
from signupflow.routing import RouteTable, routers
from signupflow.settings import from_data
from signupflow.settings.edge import DOMAIN
from signupflow.settings.forms import SLUG
from tests.proofs.configuration import DEPLOY_EXAMPLE

# Each pair became one name while dots and dashes were written alike, or while nothing ended a part.
DOMAINS = [
    "api.eu.helpers.org",
    "api-eu.helpers.org",
    "helpers.org",
    "maintenance-helpers.org",
    "legacy-helpers.org",
    "on-web.org",
]

slugs = st.from_regex(SLUG, fullmatch=True).map(lambda text: text[:12].rstrip("\n"))
domains = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?\.){1,3}[a-z]([a-z0-9-]{0,3}[a-z0-9])?", fullmatch=True)
domains = domains.filter(DOMAIN.fullmatch)


def keys(text: str, kind: str) -> set[str]:
    document: dict[str, Any] = yaml.safe_load(text)["http"]
    return set(document.get(kind, {}))


def test_a17_two_domains_never_share_a_router() -> None:
    files = [
        routers("app", DOMAINS, 30),
        maintenance.routes("app", DOMAINS, "/health", 300, "said"),
        cutover.routes("app", DOMAINS, "http://old:8000"),
    ]
    found = [name for text in files for name in keys(text, "routers")]
    assert len(found) == len(set(found)) == len(files) * len(DOMAINS)
    assert [len(keys(text, "routers")) for text in files] == [len(DOMAINS)] * len(files)


def test_a17_the_name_that_is_asked_for_is_the_one_that_was_made() -> None:
    for domain in DOMAINS:
        assert maintenance.router("app", domain).removesuffix("@file") in keys(
            maintenance.routes("app", [domain], "/h", 1, ""), "routers"
        )
        assert cutover.router_name("app", domain) in keys(cutover.routes("app", [domain], "http://old:1"), "routers")


@given(st.sets(st.tuples(slugs, st.sampled_from(["", names.MAINTENANCE, names.LEGACY]), domains), min_size=2, max_size=6))
def test_a17_app_layer_and_domain_are_told_from_a_router_s_name(things: set[tuple[str, str, str]]) -> None:
    assert len({names.router(app, domain, layer) for app, layer, domain in things}) == len(things)


@given(st.sets(st.tuples(st.text(min_size=1, max_size=8), st.integers(1, 99)), min_size=2, max_size=6))
def test_a17_two_hosts_never_share_a_service(things: set[tuple[str, int]]) -> None:
    found = {names.generation_service("app", host, generation) for host, generation in things}
    assert len(found) == len(things)
    assert not any(set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789._-") for name in found)


def test_a17_hosts_whose_names_differ_in_a_dot_or_in_capitals_both_serve() -> None:
    hosts = ["web.1", "web-1", "Web-1", "web_1"]
    serving = RouteTable()
    for number, host in enumerate(hosts):
        serving = serving.having(host, 3, [f"http://10.0.0.{number}:18000"])
    found = keys(serving.render("app", "/ready", "a.org"), "services")
    assert len([name for name in found if name.startswith(names.generation_services("app"))]) == len(hosts)
    assert len(serving.shares("app")) == len(hosts)


def test_a17_services_of_an_app_are_told_apart() -> None:
    one = names.generation_service("app", "web1", 1)
    found = [one, names.every_server("app"), names.passing_servers("app"), "app"]
    found += [names.layer_service("app", layer) for layer in (names.MAINTENANCE, names.LEGACY)]
    assert len(set(found)) == len(found)
    for first, second in itertools.permutations(range(1, 12), 2):
        assert not set(names.replica_names("app", first, 3)) & set(names.replica_names("app", second, 3))


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "n", "true", "null", "e1"])
def test_a1_names_that_yaml_takes_for_something_else_stay_text_in_compose_files(word: str) -> None:
    """An app called `null`, a variable called NO, an image tagged so that it looks like minutes and seconds."""
    env = from_data(
        {**DEPLOY_EXAMPLE, "app_name": word, "app_environment": {word.upper(): "1.10", "Z": "012"}, "app_database_variable": ""},
        "h",
    )
    variables = {name: compose_value(value) for name, value in env.variables("10.0.0.2/32").items()}
    text = template(
        Path(ROOT) / "deploys/app/templates/compose.yaml.j2",
        env=env, image="12:30", variables=variables, secret_variables=[word.upper()], secrets="/s", data="/d", database=False,
        address="", database_address="", networks=["edge"],
    )  # fmt: skip
    service = yaml.safe_load(text)["services"]["app"]
    assert service["image"] == "12:30"
    assert service["labels"]["org.signupflow.app"] == word
    assert service["environment"][word.upper()] == "1.10"
    assert service["environment"]["Z"] == "012"
    assert service["environment"][f"{word.upper()}_FILE"] == f"/run/secrets/{word.upper()}"
