"""Where a key stands is found whatever TOML allows around it."""

from __future__ import annotations

import tomlkit
from hypothesis import example, given
from hypothesis import strategies as st
from tomlkit.exceptions import TOMLKitError

from ooblexd.config.statements import line_of, scan

TEXT = '''\
# [not.a.table]
a.b = "x # [no]" # comment = 1
"q.r"."s" = """
[neither.is.this]
c = \\""" 2
"""
list = [ # first
  "one", [1, 2], # ]
  { two = "]", three = [3] },
]

[t . "u"]
d = 'it''s' # "
[[v]]
e = 1.5
[[v]]
e = 2020-01-01
[v.w]
f = {}
'''.replace("'it''s'", "'its'")


def lines(*path: str) -> int | None:
    return line_of(TEXT, scan(TEXT), path)


def test_every_key_is_found_in_its_line() -> None:
    assert lines("a", "b") == 2
    assert lines("q.r", "s") == 3
    assert lines("list") == 7
    assert lines("list", "0") == 8
    assert lines("list", "1") == 8
    assert lines("list", "2", "two") == 9
    assert lines("t", "u", "d") == 13
    assert lines("v", "0", "e") == 15
    assert lines("v", "1", "e") == 17
    assert lines("v", "1", "w", "f") == 19


def test_key_that_is_absent_has_the_line_of_its_table() -> None:
    assert lines("t", "u", "missing") == 12
    assert lines("nowhere") is None


def test_key_that_only_tables_below_it_have_is_where_the_first_begins() -> None:
    assert lines("a") == 2


def test_nothing_else_is_taken_for_a_statement() -> None:
    assert len(scan(TEXT)) == 11


def test_value_lies_between_its_ends() -> None:
    for statement in scan(TEXT):
        if not statement.is_header:
            value = TEXT[statement.value_start : statement.end]
            assert tomlkit.parse(f"x = {value}\n")


@given(st.text(alphabet="a.=[]{}\"'\\#,\n \r1\u2028", max_size=30))
@example("=")
@example("= 1")
@example("[")
@example('"""')
def test_any_text_is_scanned_without_an_error(text: str) -> None:
    statements = scan(text)

    line_of(text, statements, ("a", "1"))
    try:
        keys = tomlkit.parse(text).unwrap()
    except (TOMLKitError, ValueError):
        return
    assert {statement.path[0] for statement in statements} == set(keys)
