"""What pages take from forms and addresses."""


def storable(text: str) -> str:
    """PostgreSQL's text holds no NUL, so nothing is called that."""
    return text.replace("\x00", "")
