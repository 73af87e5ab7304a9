"""An edit touches the bytes it means, whichever way the file is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.config.edit import Edit, edited, format_value

if TYPE_CHECKING:
    from ooblexd.config.problems import KeyPath

CHAIN = ["none", {"effect": "blur_faces", "strength": 1}]

WAYS = {
    "tables": """\
# mine

# the door
[streams.door] # (1)
source = "demo:" # (2)
# max_fps = 5

# the hall
[streams.hall]
source = "demo:"

# the log
[log]
level = "info"
""",
    "tables, indented, no blank lines": """\
[streams.door]
    source = "demo:"
[streams.hall]
    source = "demo:"
# the log
[log]
level = "info"
""",
    "inline": 'log = { level = "info" }\nstreams = { door = { source = "demo:" },'
    ' hall = { source = "demo:" } } # all\n',
    "inline each": '[streams]\ndoor = { source = "demo:" } # d\n'
    'hall = { source = "demo:" } # h\n[log]\nlevel = "info"\n',
    "dotted": '# all\n[streams]\ndoor.source = "demo:" # d\nhall.source = "demo:" # h\n'
    '[log]\nlevel = "info"',
    "dotted from the root": 'log.level = "info"\nstreams.door.source = "demo:"\n'
    'streams.hall.source = "demo:"\n',
    "apart": '[streams.door]\nsource = "demo:"\n[log]\nlevel = "info"\n'
    '[streams.hall]\nsource = "demo:"\n',
    "arrays of tables": '[streams.door]\nsource = "demo:"\n\n'
    '[[streams.door.effects]]\neffect = "none"\n# c\n[[streams.door.effects]]\n'
    'effect = "none"\n\n[streams.hall]\nsource = "demo:"\n[log]\nlevel = "info"\n',
    "quoted": '["streams".\'door\']\n"source" = "demo:"\n[streams."hall"]\n'
    'source = "demo:"\n[log]\nlevel = "info"\n',
}

DOOR, HALL, DESK = ("streams", "door"), ("streams", "hall"), ("streams", "desk")
EDITS = [
    Edit({(*DOOR, "jpeg_quality"): 70}),
    Edit({(*DOOR, "source"): 'file:/a \\ "b".mp4', (*DOOR, "effects"): CHAIN}),
    Edit({(*DOOR, "effects"): []}),
    Edit({(*DOOR, "max_fps"): 12.5, (*DOOR, "enabled"): False}),
    Edit({(*HALL, "transport"): "tcp"}),
    Edit({(*DESK, "source"): "demo:", (*DESK, "effects"): CHAIN}),
    Edit(removals=(DOOR,)),
    Edit(removals=(HALL,)),
    Edit(removals=(DOOR, HALL)),
    Edit({("http", "port"): 8801, ("log", "level"): "debug"}),
    Edit({("http", "port"): 1, (*HALL, "max_fps"): 5, (*DESK, "source"): "demo:"},
         removals=(DOOR,)),
]  # fmt: skip


def edit_of(text: str, edit: Edit) -> str:
    after = edited(text, edit)
    assert after is not None
    return after


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_edit_works_in_every_way_to_write_a_file(
    way: str, edit: Edit, newline: str
) -> None:
    text = WAYS[way].replace("\n", newline)

    after = edit_of(text, edit)

    expected = edit.applied_to(tomlkit.parse(text).unwrap())
    assert {"streams": {}, **tomlkit.parse(after).unwrap()} == expected
    assert after.count("\n") == after.count(newline)


def test_new_key_stands_with_its_table_and_no_comment_moves() -> None:
    after = edit_of(WAYS["tables"], Edit({(*DOOR, "jpeg_quality"): 70}))

    expected = 'source = "demo:" # (2)\n'
    assert after == WAYS["tables"].replace(expected, f"{expected}jpeg_quality = 70\n")


def test_changed_value_keeps_the_comment_behind_it() -> None:
    after = edit_of(WAYS["tables"], Edit({(*DOOR, "source"): "file:/a"}))

    assert after == WAYS["tables"].replace('"demo:" # (2)', '"file:/a" # (2)')


def test_new_stream_stands_at_the_end() -> None:
    after = edit_of(WAYS["tables"], Edit({(*DESK, "source"): "demo:"}))

    assert after == WAYS["tables"] + '\n[streams.desk]\nsource = "demo:"\n'


def test_removed_stream_takes_its_comments_and_no_others() -> None:
    text = WAYS["tables"]

    after = edit_of(text, Edit(removals=(DOOR,)))

    assert after == "# mine\n\n" + text[text.index("# the hall") :]


def test_comment_that_touches_the_next_table_stays() -> None:
    after = edit_of(WAYS["tables, indented, no blank lines"], Edit(removals=(HALL,)))

    assert after.endswith(
        '[streams.door]\n    source = "demo:"\n# the log\n[log]\nlevel = "info"\n'
    )


def test_comment_that_begins_the_file_stays() -> None:
    after = edit_of(
        '# mine\n[streams.a]\nsource = "x"\n', Edit(removals=(("streams", "a"),))
    )

    assert after == "# mine\n"


def test_what_cannot_be_done_safely_is_not_done() -> None:
    escaped = (
        '[streams."\\U00000061"]\nsource = "x"\n'  # an "a" that only TOML can read
    )

    assert edited(escaped, Edit({("streams", "a", "source"): "y"})) is None


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(0, 9) | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.text(max_size=3), below, max_size=2)
    ),
    max_leaves=6,
)


@given(VALUES)
def test_value_written_is_the_value_read(value: Any) -> None:
    assert tomlkit.parse(f"x = {format_value(value)}\n").unwrap() == {"x": value}


@given(
    st.lists(st.sampled_from(EDITS), max_size=6),
    st.sampled_from([text for way, text in WAYS.items() if way.startswith("tables")]),
)
def test_comments_outside_of_removed_streams_outlive_any_edits(
    edits: list[Edit], text: str
) -> None:
    tables: set[KeyPath] = {DOOR, HALL}
    for edit in edits:
        touched: set[KeyPath] = {
            path[:2] for path in edit.values if path[0] == "streams"
        }
        if not (touched - {DESK} | set(edit.removals)) <= tables:
            continue
        text = edit_of(text, edit)
        tables = tables - set(edit.removals) | touched

    lines = text.splitlines()
    assert lines[lines.index("[log]") - 1] == "# the log"
    assert ("# the door" in lines) <= (DOOR in tables)
