"""The page's texts in the six languages. `|` separates the names of weekdays (from Monday) and months."""

import json
from functools import cache
from importlib import resources

# Each language as it calls itself, in the order of app.locales.LANGUAGES.
NAMES = {"en": "English", "es": "Español", "pt": "Português", "zh-CN": "简体中文", "zh-TW": "繁體中文", "fr": "Français"}


@cache
def texts(language: str) -> dict[str, str]:
    """Texts by key, in one of app.locales.LANGUAGES."""
    loaded: dict[str, str] = json.loads(resources.files(__package__).joinpath(f"{language}.json").read_text(encoding="utf-8"))
    return loaded


def text(key: str, language: str, **values: object) -> str:
    """One text with its `{names}` filled in. Fails for a key or a name that is not there."""
    return texts(language)[key].format_map(values)


def counted(key: str, count: int, language: str) -> str:
    """One of `key_one` and `key_other`: the six languages tell no more than two forms apart for whole numbers from 1 on."""
    return text(f"{key}_{'one' if count == 1 else 'other'}", language, count=count)
