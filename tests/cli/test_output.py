"""What tenants named reaches the operator's terminal as text."""

from __future__ import annotations

import pytest

from stagedoor.cli.output import print_table, visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b]0;pwned\x07\x1b[2J", r"\x1b]0;pwned\x07\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202eevil", r"\u202eevil"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("Zoë 👩‍🚀 日本", "Zoë 👩‍🚀 日本"),
    ],
)
def test_what_a_terminal_obeys_is_shown(name: str, shown: str) -> None:
    assert visible(name) == shown


@pytest.mark.parametrize("name", ["[/evil]", "[bold]x[/bold]", "[link=https://evil.example]x[/link]", "\x1b[31mred"])
def test_a_cell_is_no_markup(capsys: pytest.CaptureFixture[str], name: str) -> None:
    print_table([{"name": name, "scopes": ["a", name]}], ("name", "scopes"))
    printed = capsys.readouterr().out
    assert visible(name) in printed
    assert "\x1b" not in printed
