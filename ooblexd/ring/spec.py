"""The byte layout of a ring, and the argument that its order holds.

Layout
======
A segment is a control page (whole pages of the machine) and behind it the slots, each
from the start of a page. Words are 64 bits, little-endian, and have one writing process
each; every process that writes has cache lines of its own.

===================  ===================  ==========================================
offset               written by           holds
===================  ===================  ==========================================
0 .. 55              the supervisor       magic, version, slots, slot_bytes,
                     (once)               readers, history, first sequence
64                   the writer           ``latest``: sequence << 8 | slot
128 + 128 p          reader p             the slot it names + 1, 0 for none
192 + 128 p          reader p             1 while it waits
128 + 128 readers    the writer           by slot, the sequence it holds, or 0
+ 8 s                                     (rings with history only)
===================  ===================  ==========================================

A reader's two words are also written by the supervisor, and the writer's by a new
writer, but only after ``waitpid`` has returned the process that wrote them before.

Theory of operation
===================
Three things must never happen: a reader sees a frame that is not wholly written; a slot
is overwritten while it is lent; a reader sleeps while there is a frame it has not seen.
The labels are those in the comments of ``writer.py``, ``reader.py``, ``control.py``.

**A frame is whole.** The payload is written before PUBLISH 2, a release store of
``latest``. Whoever reads that value and orders its own later reads behind it (an
acquire load as TAKE 1, or OBSERVE 1 with the fence OBSERVE 3) sees all of the payload.

**A lent slot stays as it is, newest.** Two accesses on each side, store then load, with
a full fence between them (Dekker's pattern; nothing weaker orders a store before a
later load, on x86 neither)::

    writer                             reader
    PUBLISH 2  store latest            OBSERVE 2  store its word: this slot
    PUBLISH 3  full fence              OBSERVE 3  full fence
    CLAIM 1    load all words          OBSERVE 4  load latest again

One of the two fences is first in the order of all full fences. If it is the reader's,
CLAIM 1 sees the word and leaves the slot alone. If it is the writer's, OBSERVE 4 sees
the new ``latest`` and the reader starts again. OBSERVE 4 compares the whole word: the
same slot may meanwhile hold a later frame. The writer never takes the newest slot, so a
slot is taken only after a publication that OBSERVE 4 would see. Readers name at most
``readers`` slots, one is the newest: ``readers + 2`` suffice, and nobody waits.

**A lent slot stays as it is, in order.** ``next`` names slots that are not the newest,
so ``latest`` cannot tell that one was taken. Here the writer claims first::

    CLAIM 2  store the slot's sequence: 0     TAKE 3  store its word: this slot
    CLAIM 3  full fence                       TAKE 4  full fence
    CLAIM 1  load all words                   TAKE 5  load the slot's sequence again

The same argument holds for the slot's sequence, which is never used twice. Scanning
first and claiming later is wrong without any reordering. The writer claims the
``readers + 1`` oldest slots at once: ``readers`` words name at most that many less
one, so one round always finds a free slot. Claiming one slot at a time and giving it
back when it was named lets a writer and a reader dodge one another for ever, step by
step, as the explorer showed. The ``history`` frames before the newest are never
claimed: of ``readers + 2 + history`` slots, one is the newest and the claimed are the
oldest others. A claimed slot that was not used is used later; its frame is gone.

TAKE 1 and TAKE 2 must acquire: a reader that finds no sequence at all has been
overtaken, and by PUBLISH 2 before CLAIM 2 it then finds another ``latest`` at TAKE 6.
Where TAKE 6 finds the same, the page is damaged (that is an error, not a loop).

**Giving back.** RELEASE 1 is a release store, and so are OBSERVE 2 and TAKE 3, which
give the former slot back by naming another: all reads of the payload are over before
the writer can see the slot free. CLAIM 1 is an acquire load, so that it overwrites
only then. (ARM orders it by the branch in between as well; C11 does not, so it stays.)

**Nobody sleeps over a frame.** ::

    PUBLISH 2  store latest                   WAIT 1  store: it waits
    PUBLISH 3  full fence                     WAIT 2  full fence
    PUBLISH 4  load the flag                  WAIT 3  load latest

Either the writer sees the flag and writes the eventfd, or the reader sees the frame and
does not sleep. WAIT 4 and WAIT 5 only spare the writer a system call: a wake-up too
many is harmless, since the reader always looks again.

**Death.** A writer may die between any two steps. Before PUBLISH 2 its frame does not
exist: its slot is neither newest nor named. RESUME 3 takes back the number that
PUBLISH 1 may have given it, so that ``next`` does not find two frames of one number.
After PUBLISH 2 the frame exists and the next one follows it. RESUME 4 stands for the
PUBLISH 3 that the dead writer may have missed. A dead reader's words stay, and keep
its slot from being used, until the supervisor clears them (CLEAR 1, CLEAR 2), which it
may do once ``waitpid`` has returned: before, a live reader's slot would be overwritten.
The same goes for opening a second writer: both would give the same number.

**Moving.** New memory begins with the number of the last frame of the old, which no
slot of the new holds. A reader that moves therefore looks only at what is greater than
``first``, also where it had not seen the last frames of the old memory.

Why the machine does what is written here
=========================================
*CPython* executes one call of ``load``, ``store`` or ``fence`` after the other; no
compiler sees two of them, nor a payload access and one of them, at once. What remains
is the processor. *x86-64* (Sewell et al., x86-TSO, 2010): every load acquires and every
store releases; only a store followed by a load of another word may be exchanged, which
the full fence (``mfence`` or a locked instruction) forbids. *ARMv8* (Arm ARM, B2.3;
Pulte et al., 2018): an acquire load is ``ldar``: nothing after it moves before it; a
release store is ``stlr``: nothing before it moves behind it; the fence is ``dmb ish``,
which orders everything before it against everything after it, and ARMv8 is
multi-copy atomic. Plain accesses of the payload may move between, and only between.

What is not needed
==================
There is one kind of load and one kind of store. These would do without their order, and
the explorer agrees; a second kind would save nothing that could be measured:
PUBLISH 1 and CLAIM 2 (PUBLISH 2 and CLAIM 3 follow), OBSERVE 1, OBSERVE 4, TAKE 5 and
WAIT 3 (full fences beside them), WAIT 1, WAIT 4, WAIT 5, PUBLISH 4, TAKE 6, RESUME 1
to 3 and ATTACH (``fork`` orders them; or only a later look depends on them).

``tests/ring/explorer.py`` runs the code of this package through every schedule of small
scenarios on a memory without reordering, on x86-TSO and on one as weak as C11 allows;
``tests/ring/test_ordering.py`` removes each order that is called needed here.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

MAGIC = int.from_bytes(b"OOBRING\0", "little")
VERSION = 1

# Words of the control page that never change, as offsets in bytes.
MAGIC_AT = 0
VERSION_AT = 8
SLOTS_AT = 16
SLOT_BYTES_AT = 24
READERS_AT = 32
HISTORY_AT = 40
FIRST_AT = 48
# Words that do. Each writing process has cache lines of its own.
LATEST_AT = 64
_READERS_FROM = 128
_READER_STRIDE = 128
_WAITING_BEHIND = 64

_SLOT_BITS = 8
_SLOT_MASK = (1 << _SLOT_BITS) - 1
_MOST_SLOTS = 1 << _SLOT_BITS


@dataclass(frozen=True)
class RingSpec:
    """The size of a ring, all that two processes must agree on to share one.

    Attributes:
        slots: Places for frames, 3 to 256.
        slot_bytes: What one slot holds, the frame's own header included; the ring
            knows nothing of what is in it.
        readers: Places for readers; each has a word, a waiting flag and an eventfd.
        history: How many frames before the newest ``RingReader.next`` can always
            reach; 0 for a ring of which only the newest counts.

    Raises:
        ValueError: The numbers make no ring.
    """

    slots: int
    slot_bytes: int
    readers: int
    history: int = 0

    def __post_init__(self) -> None:
        if self.readers < 1 or self.history < 0 or self.slot_bytes < 1:
            raise ValueError(f"not a ring: {self}")
        fewest = self.readers + 2 + self.history
        if not fewest <= self.slots <= _MOST_SLOTS:
            raise ValueError(f"{self.slots} slots, must be {fewest} to {_MOST_SLOTS}")

    @classmethod
    def newest_only(cls, *, slot_bytes: int, readers: int) -> RingSpec:
        """Return the smallest ring for ``RingReader.newest``."""
        return cls(readers + 2, slot_bytes, readers)

    @classmethod
    def with_history(cls, *, slot_bytes: int, readers: int, history: int) -> RingSpec:
        """Return the smallest ring for ``RingReader.next`` with that much history."""
        return cls(readers + 2 + history, slot_bytes, readers, history)

    @property
    def control_bytes(self) -> int:
        """The control page, whole pages of this machine."""
        return _whole_pages(self.sequence_at(self.slots))

    @property
    def slot_stride_bytes(self) -> int:
        """From the start of one slot to the next, whole pages of this machine."""
        return _whole_pages(self.slot_bytes)

    @property
    def total_bytes(self) -> int:
        """The whole segment: the control page and behind it the slots."""
        return self.control_bytes + self.slots * self.slot_stride_bytes

    def sequence_at(self, slot: int) -> int:
        """Return the offset of the word that says which frame ``slot`` holds."""
        return _READERS_FROM + self.readers * _READER_STRIDE + slot * 8


def held_at(place: int) -> int:
    """Return the offset of the word in which reader ``place`` names its slot."""
    return _READERS_FROM + place * _READER_STRIDE


def waiting_at(place: int) -> int:
    """Return the offset of the word in which reader ``place`` says that it waits."""
    return held_at(place) + _WAITING_BEHIND


def pack_latest(sequence: int, slot: int) -> int:
    """Return the word that says: ``sequence`` is the newest, it is in ``slot``."""
    return sequence << _SLOT_BITS | slot


def sequence_of(latest: int) -> int:
    """Return the sequence in a word of ``pack_latest``."""
    return latest >> _SLOT_BITS


def slot_of(latest: int) -> int:
    """Return the slot in a word of ``pack_latest``."""
    return latest & _SLOT_MASK


def _whole_pages(n_bytes: int) -> int:
    return -(-n_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
