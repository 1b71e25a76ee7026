"""The six languages. Message files lie beside this module and travel in the image."""

import json
from functools import cache
from importlib import resources

LANGUAGES = ("en", "es", "pt", "zh-CN", "zh-TW", "fr")
FALLBACK = "en"
_BY_LOWER = {language.lower(): language for language in LANGUAGES}


@cache
def messages(language: str) -> dict[str, str]:
    """Message texts by key, in one of LANGUAGES."""
    text = resources.files(__package__).joinpath(f"{language}.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def translate(key: str, language: str) -> str:
    return messages(effective(language))[key]


def effective(language: str) -> str:
    """The language shown to somebody whose stored language is `language`; unknown ones are shown English."""
    lowered = language.strip().replace("_", "-").lower()
    if lowered in _BY_LOWER:
        return _BY_LOWER[lowered]
    if lowered.startswith("zh"):
        return "zh-TW" if any(tag in lowered for tag in ("hant", "-hk", "-mo")) else "zh-CN"
    return _BY_LOWER.get(lowered.partition("-")[0], FALLBACK)


def from_header(accept_language: str) -> str:
    """The first language of an Accept-Language header that we speak, by its order of preference; English otherwise."""
    wishes = []
    for position, entry in enumerate(accept_language.split(",")[:10]):
        tag, _, parameters = entry.partition(";")
        try:
            quality = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            continue
        wishes.append((-quality, position, tag.strip()))
    for _, _, tag in sorted(wishes):
        if effective(tag) != FALLBACK or tag.lower().startswith(FALLBACK):
            return effective(tag)
    return FALLBACK
