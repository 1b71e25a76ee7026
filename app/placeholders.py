"""Tells secrets somebody made up to get going from secrets somebody generated."""

import re

# Long enough that a generated secret practically never contains one by chance.
_WORDS = (
    "changeme",
    "changethis",
    "change-me",
    "change_me",
    "replaceme",
    "replace-me",
    "replace_me",
    "placeholder",
    "password",
    "secret",
    "example",
    "insert-",
    "your-",
    "your_",
    "development",
    "postgres",
    "signupflow",
    "admin123",
    "letmein",
    "qwerty",
)
_BRACKETED = re.compile(r"^\s*(<.*>|\$\{.*\}|\{\{.*\}\}|\[.*\])\s*$", re.DOTALL)
_FEWEST_DIFFERENT = 6  # 32 random hexadecimal characters have about 14 different ones


def placeholder_reason(value: str, minimum: int, words: tuple[str, ...] = _WORDS) -> str | None:
    """Why `value` is no real secret of at least `minimum` characters, as the end of "it ..."; None when it may be one."""
    lowered = value.lower()
    checks = (
        (bool(_BRACKETED.match(value)), "is a placeholder in brackets"),
        (any(word in lowered for word in words), "holds a placeholder word"),
        (bool(re.fullmatch(r"[x*.\-_]+", lowered)), "is only filler"),
        (len(value) < minimum, f"is shorter than {minimum} characters"),
        (minimum > 1 and len(set(value)) < _FEWEST_DIFFERENT, "repeats a few characters"),
        (minimum > 1 and _repeats(value), "repeats one pattern"),
    )
    return next((reason for found, reason in checks if found), None)


def _repeats(value: str) -> bool:
    # A string is a repetition (possibly cut off) of its first n characters when it equals itself moved by n.
    return any(value.startswith(value[n:]) for n in range(1, len(value) // 2 + 1))
