"""The lint of words: what it reads of the package, and what of a test."""

from __future__ import annotations

import pytest
from tools.words import lines_of, openings

TEST = '''"""A docstring."""

# a comment
name = "data"


def test_a_name(value: str) -> None:
    """Another docstring,
    of two lines."""
    assert value == "data"  # why
'''


def test_names_docstrings_and_comments_of_a_test_are_read_and_its_data_is_not() -> None:
    read = dict(lines_of("tests/test_x.py", TEST))
    assert read == {
        1: "A docstring.",
        3: "# a comment",
        7: "test_a_name",
        8: "Another docstring,",
        9: "    of two lines.",
        10: "# why",
    }
    assert len(list(lines_of("src/x.py", TEST))) == len(TEST.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        'def f() -> None:\n    """It ends."""\n',
        'x = Field(description="What it may do.")\n',
        'x = Field(description="Only this.")\n',
        'x = Field(description="More.")\n',
    ],
)
def test_a_text_that_begins_without_its_subject_is_found(text: str) -> None:
    assert len(list(openings("src/stagedoor/x.py", text))) == 1


@pytest.mark.parametrize(
    "text", ['def f() -> None:\n    """End the session."""\n', 'x = Field(description="The scopes of the key.")\n']
)
def test_a_text_that_names_its_subject_is_left_alone(text: str) -> None:
    assert list(openings("src/stagedoor/x.py", text)) == []
