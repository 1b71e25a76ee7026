"""What an app container is configured with: its variables and its secrets."""

from __future__ import annotations

from deploys.postgres.roles import database_url
from signupflow.errors import OperatorError
from signupflow.release import scratch
from signupflow.secretfile import Secrets
from signupflow.settings import Environment


def uses_database(env: Environment) -> bool:
    return bool(env.app_database_variable)


def secret_variables(env: Environment, secrets: Secrets, role: str) -> dict[str, str]:
    """Variable to secret value: the database URL of a role, and for the app role the app's own secrets."""
    values = {}
    if uses_database(env):
        values[env.app_database_variable] = database_url(env.postgres_database, role, secrets)
    if role.startswith("app"):
        values |= {variable: secrets[name] for variable, name in env.app_secrets.items()}
    return dict(sorted(values.items()))


# A file beside the migrator's URL: the same role on the scratch database on which a migration is tried.
REHEARSAL_URL = "REHEARSAL_DATABASE_URL"


def migrator_values(env: Environment, secrets: Secrets) -> dict[str, str]:
    """The migrator's secret files: the database's URL, and the scratch database's for an image that can prove itself there."""
    values = secret_values(env, secrets, role="migrator")
    if env.app_smoke_command and env.app_secrets_as == "files":
        name = f"{env.postgres_database}{scratch.SUFFIX}"
        values[REHEARSAL_URL] = database_url(env.postgres_database, "migrator", secrets, name)
    return values


def secret_values(env: Environment, secrets: Secrets, role: str) -> dict[str, str]:
    """File name to content, as `operations.secrets.directory` takes it, in the form the image understands."""
    variables = secret_variables(env, secrets, role)
    if env.app_secrets_as == "files":
        return variables
    for variable, value in variables.items():
        if any(character in value for character in "\n'\\"):
            raise OperatorError(
                f"the value of {variable} has a line break, quote or backslash; app_secrets_as = 'environment' takes none"
            )
    # Single quotes: Compose then reads the value as it stands.
    lines = [f"{variable}='{value}'" for variable, value in variables.items()]
    return {"app.env": "\n".join(lines)}
