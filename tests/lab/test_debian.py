from pathlib import Path

from lab.debian import Mirror, choose, deb822_uris, machine_mirror, one_line_uris

DEB822 = """\
Types: deb
# A comment inside an entry.
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://other.example/debian
Suites: sid

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
"""


def test_deb822_skips_disabled_and_source_entries() -> None:
    assert deb822_uris(DEB822) == ["http://mirror.example/debian", "http://mirror.example/debian-security"]


def test_deb822_reads_several_uris_over_continued_lines() -> None:
    assert deb822_uris("Types: deb\nURIs: http://a.example/debian\n http://b.example/debian\n") == [
        "http://a.example/debian",
        "http://b.example/debian",
    ]


def test_one_line_skips_options_comments_and_sources() -> None:
    text = """
# deb http://commented.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://a.example/debian trixie main
deb [ arch=amd64 ] http://b.example/debian trixie main # why
deb-src http://c.example/debian trixie main
deb http://d.example/debian trixie main
"""
    assert one_line_uris(text) == ["http://a.example/debian", "http://b.example/debian", "http://d.example/debian"]


def test_only_an_archive_that_serves_debian_is_chosen() -> None:
    assert choose(["https://vendor.example/apt", "http://a.example/ubuntu", "cdrom:/debian"]) is None
    assert choose(["https://vendor.example/apt", "http://a.example/mirror/debian/"]) == Mirror(
        "http://a.example/mirror/debian", None
    )


def test_mirror_lines_name_updates_and_security() -> None:
    assert Mirror("http://a.example/debian", "http://a.example/debian-security").lines("trixie") == [
        "deb http://a.example/debian trixie main",
        "deb http://a.example/debian trixie-updates main",
        "deb http://a.example/debian-security trixie-security main",
    ]


def test_machine_mirror_reads_both_formats_and_ignores_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a.list.disabled").write_text("deb http://disabled.example/debian trixie main\n")
    assert machine_mirror(tmp_path) is None
    (folder / "debian.sources").write_text(DEB822)
    assert machine_mirror(tmp_path) == Mirror("http://mirror.example/debian", "http://mirror.example/debian-security")
    (tmp_path / "sources.list").write_text("deb http://first.example/debian bookworm main\n")
    found = machine_mirror(tmp_path)
    assert found is not None
    assert found.archive == "http://first.example/debian"
