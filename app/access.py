"""Whether a token's person still has access. The token's signature and end are app.security's part."""

from sqlalchemy.orm import Session

from app.models import Person
from app.security import Identity


def admitted(session: Session, identity: Identity) -> Person | None:
    """The person, unless they left, or all sessions of theirs were ended since the token was issued."""
    person = session.get(Person, identity.person_id)
    if person is None or person.status != "active" or person.refresh_token_version != identity.version:
        return None
    return person
