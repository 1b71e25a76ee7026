"""Who may do what in the database, as one script that can run again and again.

An owner that cannot log in owns every object; the migrator acts as the owner; the app roles, which
take turns when the password rotates, read and write rows and change no structure.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from signupflow import rotation
from signupflow.render import template
from signupflow.scram import verifier
from signupflow.secretfile import Secrets
from signupflow.shared.places import POSTGRES, POSTGRES_PORT

SCRIPT = Path(__file__).parent / "templates" / "roles.sql.j2"

# Where a client's container finds the certificate to trust; it is public, so a plain file beside compose.yaml.
TRUST, CERTIFICATE = "/etc/signupflow", "postgres.pem"


def passwords(secrets: Secrets) -> dict[str, str]:
    """Login role's suffix to its password; empty for the app role that may not log in, because it is the other one's turn."""
    current, other = rotation.app_roles(secrets)
    return {
        "migrator": secrets[rotation.MIGRATOR_PASSWORD],
        current: secrets[rotation.APP_PASSWORD],
        other: secrets.get(rotation.BEFORE, ""),
    }


def roles_sql(database: str, secrets: Secrets) -> str:
    """The script, with fresh SCRAM verifiers in the place of passwords."""
    verifiers = {suffix: password and verifier(password) for suffix, password in passwords(secrets).items()}
    return template(SCRIPT, db=database, verifiers=verifiers, digests=role_digests(database, secrets))


def role_digests(database: str, secrets: Secrets) -> dict[str, str]:
    """Role to a keyed digest of its password and of the script itself."""
    return {
        f"{database}_{suffix}": secrets.digest(f"{suffix}\n{password}\n{SCRIPT.read_text()}")
        for suffix, password in passwords(secrets).items()
    }


def database_url(database: str, suffix: str, secrets: Secrets, name: str = "") -> str:
    """URL for one login role: TLS with the server's certificate verified, the same on every host of every topology.

    `name` is another database of the same server than the role's own.
    """
    password = quote(passwords(secrets)[suffix], safe="")
    verify = f"sslmode=verify-full&sslrootcert={TRUST}/{CERTIFICATE}"
    return f"postgresql://{database}_{suffix}:{password}@{POSTGRES}:{POSTGRES_PORT}/{name or database}?{verify}"
