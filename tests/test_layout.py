"""Where everything stands on the board, as the supervisor tells it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.layout import (
    Layout,
    StreamLayout,
    WorkerLayout,
    format_layout,
    parse_layout,
)

INDICES = st.integers(0, 511)
LAYOUTS = st.builds(
    Layout,
    supervisor_page=INDICES,
    streams=st.lists(
        st.builds(StreamLayout, workers=st.lists(st.text()).map(tuple)), max_size=3
    ).map(tuple),
    workers=st.lists(st.builds(WorkerLayout), max_size=3).map(tuple),
)


@given(LAYOUTS)
def test_a_layout_is_read_as_it_was_written(layout: Layout) -> None:
    assert parse_layout(format_layout(layout)) == layout
