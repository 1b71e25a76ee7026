"""What a terminal showed, as an SVG: the text as it was, with its colours, in a font that every machine has."""

from __future__ import annotations

import html
import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text


def _colours(hexadecimal: str) -> list[tuple[int, int, int]]:
    return [(value >> 16, value >> 8 & 255, value & 255) for value in (int(word, 16) for word in hexadecimal.split())]


THEME = TerminalTheme(
    (24, 26, 31),
    (222, 224, 229),
    _colours("3c4048 eb6d6d 7ec87d e5c067 6ea8f0 c686dd 5fbec8 dee0e5"),
    _colours("787e8a f08282 96dc96 f0d282 8cbefa d7a0eb 7dd2dc ffffff"),
)
# Rich's own frame without its web font: a picture in a README loads nothing.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>TITLE</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(text: str, title: str, columns: int) -> str:
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Text.from_ansi(text), soft_wrap=False, overflow="fold", crop=False)
    made = console.export_svg(
        title=title, theme=THEME, code_format=FORMAT.replace("TITLE", html.escape(title)), unique_id="terminal"
    )
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


def write(path: Path, text: str, title: str, columns: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(svg(text, title, columns))
