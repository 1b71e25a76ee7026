"""Roles of people. `admin` is the one with a meaning here; all others are the organisation's own words."""

from app.models import Person

ADMIN = "admin"


def roles_of(person: Person) -> list[str]:
    """Roles as a list of strings, whatever an old row holds."""
    return [role for role in person.roles if isinstance(role, str)] if isinstance(person.roles, list) else []


def is_admin(person: Person) -> bool:
    return ADMIN in roles_of(person)
