"""Ids: UUIDv7 for requests (the time can be read from the id), and ids of new rows."""

import re
import secrets
import time
import unicodedata
import uuid

_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7() -> str:
    """RFC 9562 section 5.7: 48 bits of Unix time in milliseconds, then version, variant and 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def is_uuid7(text: str) -> bool:
    return _V7.fullmatch(text) is not None


def organization_id(name: str) -> str:
    """A readable id that nobody can guess or collide with: the name in ASCII and 8 random characters."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:40].strip("-")
    return f"{slug or 'org'}-{secrets.token_hex(4)}"


def row_id(kind: str) -> str:
    """An id such as `person_018f...`: new rows sort by the time they were made."""
    return f"{kind}_{uuid7().replace('-', '')}"
