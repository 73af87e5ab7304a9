"""What an overlay may be told to write: nothing that reaches into the process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.effects.overlay_text import (
    DIRECTIVES,
    check_text,
    check_time_format,
    filled,
    format_time,
)

NEW_YEAR_US = 1_767_225_599_500_000  # half a second before 2026, UTC


def test_fields_are_filled_and_braces_can_be_written() -> None:
    text = check_text("{{{name}}} {time}\n{fps}")

    assert filled(text, {"name": "door", "time": "now", "fps": "25"}) == (
        "{door} now\n25"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{nam}", "{nam}: no such field, allowed are {time}, {name}, {fps}"),
        ("{name.__class__}", "no such field"),
        ("{name[0]}", "no such field"),
        ("{name!r}", "{name!…}: no such field"),
        ("{name:>99999999}", "{name:…}: no such field"),
        ("{}", "no such field"),
        ("{0}", "no such field"),
        ("a { b", "a brace stands alone"),
        ("a } b", "a brace stands alone"),
        ("a\x00b", "'\\x00' cannot be drawn"),
        ("a\x1b[2Jb", "'\\x1b' cannot be drawn"),
        ("a\u202eb", "'\\u202e' cannot be drawn"),
        ("1\n2\n3\n4\n5", "5 lines, at most 4"),
    ],
)
def test_a_text_that_cannot_be_written_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_text(text)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("%Q", "%Q: not allowed; there are %a %A"),
        ("%999999999Y", "%9: not allowed"),
        ("%-d", "%-: not allowed"),
        ("%Ey", "%E: not allowed"),
        ("100%", "%: not allowed"),
        ("%n", "%n: not allowed"),
        ("%H\x00", "cannot be drawn"),
    ],
)
def test_a_format_that_abuses_strftime_is_refused(form: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_time_format(form)

    assert words in str(caught.value)


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_every_directive_gives_a_few_printable_characters(directive: str) -> None:
    form = check_time_format(f"%{directive}")

    written = format_time(NEW_YEAR_US, form, "utc")

    assert 0 < len(written) <= 16
    assert written.isprintable()


@given(st.text(max_size=20))
def test_any_format_is_refused_or_harmless(form: str) -> None:
    try:
        check_time_format(form)
    except ValueError:
        return
    assert len(format_time(NEW_YEAR_US, form, "utc")) <= 16 * max(len(form), 1)


@given(st.text("{}:!.[]namefpstim09 ", max_size=20))
def test_any_text_is_refused_or_filled(text: str) -> None:
    try:
        check_text(text)
    except ValueError:
        return
    filled(text, {"name": "door", "time": "now", "fps": "25"})


def test_time_is_of_the_zone_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import time  # noqa: PLC0415 # its zone is what the test is about

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert format_time(NEW_YEAR_US, "%F %T.%f %Z", "utc") == (
            "2025-12-31 23:59:59.500000 UTC"
        )
        assert format_time(NEW_YEAR_US, "%F %H:%M %z", "local") == (
            "2026-01-01 08:59 +0900"
        )
    finally:
        monkeypatch.undo()
        time.tzset()
