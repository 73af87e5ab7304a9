"""Step 2: frames between processes, in shared memory, without a copy or a lock."""

from ooblexd.ring.control import RingControl, clear_reader
from ooblexd.ring.memory import (
    Segment,
    create_segment,
    map_control,
    open_reader,
    open_writer,
)
from ooblexd.ring.reader import Lent, RingReader
from ooblexd.ring.spec import RingSpec
from ooblexd.ring.writer import Loan, RingWriter

__all__ = [
    "Lent",
    "Loan",
    "RingControl",
    "RingReader",
    "RingSpec",
    "RingWriter",
    "Segment",
    "clear_reader",
    "create_segment",
    "map_control",
    "open_reader",
    "open_writer",
]
