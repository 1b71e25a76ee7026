"""Settings: each fault found, named and reported with the others; generated from the settings class itself."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.database import Database
from app.placeholders import placeholder_reason
from app.settings import EVERYWHERE, SERVERS, Profile, Settings, SettingsError
from tests.app.harness import JWT_KEY, production

SETTINGS = dict(Settings.documented())
REQUIRED = {name: setting for name, setting in SETTINGS.items() if setting.required_in}
MALFORMED = [(name, bad) for name, setting in SETTINGS.items() for bad in setting.malformed]
PLACEHOLDERS = [(name, bad) for name, setting in SETTINGS.items() for bad in setting.placeholders]


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environment)
    return caught.value.faults


def test_fr029_a_whole_environment_is_accepted() -> None:
    settings = Settings.from_environment(production())
    assert settings.app_env is Profile.PRODUCTION
    assert settings.is_server
    assert settings.database_url.get_secret_value().startswith("postgresql+psycopg2://app:")


@pytest.mark.parametrize(("name", "profile"), [(n, p) for n, s in REQUIRED.items() for p in sorted(s.required_in)])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_fr029_missing(name: str, profile: Profile, how: str) -> None:
    changes = {"APP_ENV": profile.value, name: None if how == "absent" else ""}
    found = faults(production(**changes))
    assert len(found) == 1
    assert found[0].startswith(f"{name} is required in")


@pytest.mark.parametrize(("name", "bad"), MALFORMED)
def test_fr029_malformed(name: str, bad: str) -> None:
    found = faults(production(**{name: bad}))
    assert [fault.split()[0] for fault in found] == [name]
    assert "set" in found[0] or ";" in found[0]


@pytest.mark.parametrize(("name", "bad"), PLACEHOLDERS)
@pytest.mark.parametrize("profile", ["staging", "production"])
def test_fr029_placeholder(name: str, bad: str, profile: str) -> None:
    found = faults(production(APP_ENV=profile, **{name: bad}))
    assert [fault.split()[0] for fault in found] == [name]


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_fr029_every_required_setting_brings_its_cases(name: str) -> None:
    assert SETTINGS[name].malformed
    if SETTINGS[name].secret:
        assert SETTINGS[name].placeholders


def test_fr029_all_faults_in_one_message() -> None:
    found = faults({"APP_ENV": "production", "PORT": "http", "LOG_LEVEL": "loud", "DB_CONNECTIONS": "0"})
    assert {fault.split()[0] for fault in found} == set(REQUIRED) - {"APP_ENV"} | {"PORT", "LOG_LEVEL", "DB_CONNECTIONS"}


def test_fr029_no_default_profile() -> None:
    found = faults(production(APP_ENV=None))
    assert found[0].startswith("APP_ENV is required")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_fr029_examples_are_valid(name: str) -> None:
    Settings.from_environment(production(**{name: SETTINGS[name].example}))


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - set(REQUIRED) | {"DATABASE_URL", "JWT_KEYS", "ALLOWED_HOSTS"}))
def test_fr029_defaults_are_valid_in_development(name: str) -> None:
    environment = production(APP_ENV="development", **{name: None})
    Settings.from_environment(environment)


def test_fr030_each_profile_is_accepted_and_development_needs_least() -> None:
    assert Settings.from_environment({"APP_ENV": "development"}).database_url.get_secret_value().startswith("sqlite")
    for profile in SERVERS:
        assert Settings.from_environment(production(APP_ENV=profile.value)).app_env is profile
    assert SETTINGS["APP_ENV"].required_in == EVERYWHERE


def test_us1_4_production_refuses_development_defaults() -> None:
    for name, setting in REQUIRED.items():
        if setting.default is not None:
            assert faults(production(**{name: setting.default}))[0].startswith(name)


def test_fr028_value_or_file(tmp_path: Path) -> None:
    secret = tmp_path / "jwt"
    secret.write_text(JWT_KEY + "\n")
    settings = Settings.from_environment(production(JWT_KEYS=None, JWT_KEYS_FILE=str(secret)))
    assert settings.jwt_keys.secrets["k1"] == JWT_KEY.partition(":")[2]


def test_fr028_both_value_and_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jwt").write_text(JWT_KEY)
    assert "both set" in faults(production(JWT_KEYS_FILE=str(tmp_path / "jwt")))[0]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_fr028_a_file_that_gives_nothing_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "jwt"
    if content is not None:
        path.write_bytes(content)
    found = faults(production(JWT_KEYS=None, JWT_KEYS_FILE=str(path)))
    assert found[0].startswith("JWT_KEYS ")
    assert "JWT_KEYS_FILE" in found[0]


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.secret])
def test_sec001_messages_and_reprs_never_show_secrets(name: str) -> None:
    setting = SETTINGS[name]
    for bad in (*setting.malformed, *setting.placeholders):
        # A word such as "short" is part of ordinary sentences; what is looked for is the value as given.
        message = str(SettingsError(faults(production(**{name: bad}))))
        assert bad not in message
        for part in bad.replace("@", ":").split(":"):
            assert len(part) < 12 or part not in message
    shown = repr(Settings.from_environment(production()))
    assert JWT_KEY.partition(":")[2] not in shown
    assert "3f9c1e7ab5d2486f90" not in shown


def test_fr031_several_keys_verify_and_the_first_signs() -> None:
    settings = Settings.from_environment(production(JWT_KEYS=f"new:{'8c1d9e0f2a3b4c5d6e7f' * 1}8091a2b3c4d5e6f7, {JWT_KEY}"))
    assert settings.jwt_keys.signing_kid == "new"
    assert set(settings.jwt_keys.secrets) == {"new", "k1"}


@pytest.mark.parametrize("value", ["3f9c1e7ab5d2486f90aa17", "J8s_0-pQ2mG7cN1xYv0tR5sLhUe0i0kZ3wQ9"])
def test_fr029_generated_secrets_are_no_placeholders(value: str) -> None:
    assert placeholder_reason(value, minimum=12) is None


@pytest.mark.parametrize("profile", list(Profile))
def test_sec002_a_database_url_keeps_its_tls_parameters(profile: Profile) -> None:
    query = "sslmode=verify-full&sslrootcert=/run/tls/ca.crt&sslcrl=/run/tls/my%20crl.pem"
    plain = production()["DATABASE_URL"]
    settings = Settings.from_environment(production(APP_ENV=profile.value, DATABASE_URL=f"{plain}?{query}"))
    url = make_url(settings.database_url.get_secret_value())
    assert url.query == {"sslmode": "verify-full", "sslrootcert": "/run/tls/ca.crt", "sslcrl": "/run/tls/my crl.pem"}
    engine = Database(settings).engine
    _, named = engine.dialect.create_connect_args(engine.url)
    assert {**named, **url.query} == dict(named)  # libpq gets them
