"""The page's texts: complete, really translated, and dates as they are written in each language."""

import datetime as dt
import re
import string

import pytest

from app.locales import LANGUAGES
from app.web.dates import date, span, zone_of
from app.web.texts import NAMES, counted, texts
from tests.app.harness import ROOT

# Written the same in both languages.
SAME = {
    ("es", "first_of_month"),
    ("zh-CN", "first_of_month"),
    ("zh-TW", "first_of_month"),
    *((tag, "moment") for tag in ("es", "pt", "fr")),
}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_text_is_there_and_translated(language: str) -> None:
    assert texts(language).keys() == texts("en").keys()
    for key, english in texts("en").items():
        own = texts(language)[key]
        assert own.strip()
        assert fields(own) == fields(english), key
        assert own.count("|") == english.count("|"), key
        if (language, key) not in SAME:
            assert own != english, key


def test_the_two_chinese_scripts_are_two() -> None:
    same = [key for key, own in texts("zh-CN").items() if own == texts("zh-TW")[key]]
    # Short words without a character that the two write differently, dates among them.
    assert len(same) < len(texts("zh-CN")) / 3


def test_templates_use_only_texts_that_exist_and_all_of_them() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "app" / "web").rglob("*") if path.suffix in {".html", ".py"})
    used = set(re.findall(r"""\bt(?:ext)?\(\s*['"](\w+)['"]""", sources)) | set(re.findall(r'words\["(\w+)"\]', sources))
    used |= {"title_not_found", "title_unavailable", "title_error", "title_refused", "done_signed_up", "done_cancelled"}
    used |= {"signed_up_one", "signed_up_other"}
    assert {key for key in used if not key.endswith("_")} == set(texts("en"))


def test_languages_are_offered_by_their_own_names() -> None:
    assert tuple(NAMES) == LANGUAGES


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "Thursday, 1 August 2030"),
        ("es", "jueves, 1 de agosto de 2030"),
        ("pt", "quinta-feira, 1º de agosto de 2030"),
        ("fr", "jeudi 1er août 2030"),
        ("zh-CN", "2030年8月1日 星期四"),
        ("zh-TW", "2030年8月1日 星期四"),
    ],
)
def test_dates(language: str, written: str) -> None:
    assert date(dt.date(2030, 8, 1), language) == written


def test_an_event_over_midnight_names_both_days() -> None:
    start = dt.datetime(2030, 8, 1, 22, tzinfo=dt.UTC)
    end = start + dt.timedelta(hours=4)
    assert span(start, end, "fr") == "jeudi 1er août 2030, 22:00 \N{EN DASH} vendredi 2 août 2030, 02:00"


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "America", "\x00"])
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert zone_of(name) is dt.UTC


def test_one_and_many() -> None:
    assert counted("signed_up", 1, "es") == "Se ha apuntado 1 persona"
    assert counted("signed_up", 2, "es") == "Se han apuntado 2 personas"
