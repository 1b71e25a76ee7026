"""The deploys' settings: one object, every fault named at once."""

from __future__ import annotations

import pytest

from signupflow.errors import OperatorError
from signupflow.settings import faults, from_data
from signupflow.settings.app import FILLED_IN
from tests.proofs.configuration import DEPLOY_EXAMPLE, deploy_settings_refuse_each


def test_fr029_each_deploy_setting_missing_or_malformed_is_refused_and_named() -> None:
    assert deploy_settings_refuse_each()["cases"] > 40


def test_fr029_all_faults_are_named_in_one_line() -> None:
    data = {**DEPLOY_EXAMPLE, "app_port": 0, "app_replica": 2, "domains": ["UPPER.helpers.org"]}
    del data["acme_email"]
    with pytest.raises(OperatorError) as caught:
        from_data(data, "web1")
    message = str(caught.value)
    assert message.startswith("settings of web1: 4 faults: ")
    assert "\n" not in message
    for named in ("acme_email is missing", "app_port", "did you mean app_replicas?", "UPPER.helpers.org"):
        assert named in message


def test_fr030_the_profile_on_a_host_is_never_development() -> None:
    with pytest.raises(OperatorError, match="profile"):
        from_data({**DEPLOY_EXAMPLE, "profile": "development"}, "web1")


def test_fr028_variables_are_filled_in_from_the_environment() -> None:
    env = from_data(
        {
            **DEPLOY_EXAMPLE,
            "domains": ["a.helpers.org", "b.helpers.org"],
            "app_environment": {
                "HOSTS": "$domains",
                "COST": "$$5",
                "PROXIES": "$trusted_proxies",
                "POOL": "$database_connections",
            },
        },
        "web1",
    )
    assert env.variables("10.0.0.2/32") == {
        "COST": "$5",
        "HOSTS": "a.helpers.org,b.helpers.org",
        "POOL": "8",
        "PROXIES": "10.0.0.2/32",
    }


def test_fr028_a_variable_has_one_source() -> None:
    with pytest.raises(OperatorError, match="both set JWT_KEYS"):
        from_data({**DEPLOY_EXAMPLE, "app_environment": {"JWT_KEYS": "x"}, "app_secrets": {"JWT_KEYS": "jwt_keys"}}, "web1")


def test_fr028_pyinfras_own_keys_are_not_settings() -> None:
    assert from_data({**DEPLOY_EXAMPLE, "ssh_user": "deploy", "_sudo": True}, "web1").environment == "sample"


def test_fr031_the_secrets_that_must_exist_follow_from_the_settings() -> None:
    env = from_data({**DEPLOY_EXAMPLE, "app_secrets": {"API_KEY": "partner_api_key"}}, "web1")
    assert env.secret_names == (
        "digest_key",
        "partner_api_key",
        "postgres_app_password",
        "postgres_migrator_password",
        "postgres_tls_certificate",
        "postgres_tls_key",
    )


def test_us2_4_an_old_service_is_declared_whole_or_not_at_all() -> None:
    whole = {
        "legacy_sqlite_file": "/srv/old/signupflow.sqlite",
        "legacy_upstream": "http://172.17.0.1:8000",
        "legacy_stop": "systemctl stop old",
        "legacy_start": "systemctl start old",
        "app_migration_command": ["alembic", "upgrade", "head"],
        "app_smoke_command": ["python", "-m", "app.smoke"],
    }
    assert from_data({**DEPLOY_EXAMPLE, **whole}, "web1").legacy_sqlite_file
    with pytest.raises(OperatorError, match="app_smoke_command"):
        from_data({**DEPLOY_EXAMPLE, **whole, "app_smoke_command": []}, "web1")
    with pytest.raises(OperatorError, match="needs legacy_start, legacy_stop"):
        from_data({**DEPLOY_EXAMPLE, **{key: whole[key] for key in list(whole)[:2]}}, "web1")
    with pytest.raises(OperatorError, match="app_secrets_as"):
        from_data({**DEPLOY_EXAMPLE, **whole, "app_secrets_as": "environment"}, "web1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$domain", "app_environment.NAME has $domain, which is not known, did you mean $domains?"),
        ("a ${Domains} b", "app_environment.NAME has $Domains, which is not known, did you mean $domains?"),
        ("$PATH", "known are $database_connections, $domains, $environment, $profile, $trusted_proxies"),
        ("costs $5", "app_environment.NAME has a lone $; write $$ for a dollar sign"),
        ("ends in $", "has a lone $"),
        ("$$$", "has a lone $"),
        ("${domains", "has a lone $"),
    ],
)
def test_a20_a_name_that_nothing_fills_in_is_refused(text: str, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        from_data({**DEPLOY_EXAMPLE, "app_environment": {"NAME": text}}, "web1")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$$", "$"),
        ("$$domains", "$domains"),
        ("$$$$", "$$"),
        ("${profile}s", "productions"),
        ("p$$w{d}", "p$w{d}"),
        ("{}%s\\", "{}%s\\"),
    ],
)
def test_a20_escapes_are_the_documented_ones(text: str, value: str) -> None:
    env = from_data({**DEPLOY_EXAMPLE, "app_environment": {"NAME": text}}, "web1")
    assert env.variables("10.0.0.2/32") == {"NAME": value}


def test_a20_what_is_offered_is_what_is_filled_in() -> None:
    env = from_data({**DEPLOY_EXAMPLE, "app_environment": {name.upper(): f"${name}" for name in FILLED_IN}}, "web1")
    assert not any("$" in value for value in env.variables("10.0.0.2/32").values())


@pytest.mark.parametrize(
    "data",
    [
        {"app_environment": {"JWT_KEYS_FILE": "/x"}, "app_secrets": {"JWT_KEYS": "jwt_keys"}},
        {"app_environment": {"DATABASE_URL_FILE": "/x"}},
        {"app_secrets": {"DATABASE_URL": "url"}},
    ],
)
def test_a17_two_sources_of_one_variable_are_refused(data: dict[str, dict[str, str]]) -> None:
    with pytest.raises(OperatorError, match="both set"):
        from_data({**DEPLOY_EXAMPLE, **data}, "web1")


@pytest.mark.parametrize(
    ("url", "good"),
    [("https://ca.test:14000/dir", True), ("https://", False), ("http://ca.helpers.org/dir", False), ("https://a b", False)],
)
def test_fr014_the_acme_directory_is_a_whole_url(url: str, good: bool) -> None:
    found = [name for name, _ in faults({**DEPLOY_EXAMPLE, "acme_directory": url})]
    assert found == ([] if good else ["acme_directory"])
