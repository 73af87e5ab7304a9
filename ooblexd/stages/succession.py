"""Which chain of a stream works, which follows it, and what is told of them.

A stricter plan takes over at once, and its stream is covered until it is warm; any
other one warms up beside the chain that works, so that no frame is missed. A plan whose
chain cannot be built is tried again, for ever.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.counters import SourceState, StageCounters, StageWord
from ooblexd.effects import EffectContext
from ooblexd.errors import OoblexdError
from ooblexd.frame import FrameHeader, Verdict
from ooblexd.plan import parse_stream_plan
from ooblexd.reminders import Reminders
from ooblexd.stages.chain import Chain, build_chain

if TYPE_CHECKING:
    from ooblexd.commands import ConfigureStream
    from ooblexd.engines import Engines
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan
    from ooblexd.stages.calls import Calls

_BUILD_AGAIN_NS = 5 * NS_PER_S
_WARM_WITHIN_NS = 10 * NS_PER_S

logger = logging.getLogger(__name__)


class Succession:
    """The chains of one stream: the one that works, and the one that is to follow.

    Args:
        engines: Of the worker.
        counters: Of the stream; where the state is told.
        calls: Watches the effects.

    Attributes:
        current: The chain that works; None where there is none yet.
        is_refused: The stream has no memory for its frames, and says so: no chain may
            call it running.
    """

    def __init__(self, engines: Engines, counters: StageCounters, calls: Calls) -> None:
        self.current: Chain | None = None
        self.is_refused = False
        self._engines = engines
        self._counters = counters
        self._calls = calls
        self._reminders = Reminders()
        self._configured: ConfigureStream | None = None
        self._wish: ConfigureStream | None = None
        self._successor: Chain | None = None
        self._warm_by_ns = 0
        self._build_after_ns = 0
        self._told = (False, "")  # whether the chain shows its frames, and its failure

    @property
    def has_successor(self) -> bool:
        """Whether a chain warms up, and wants to see the frames too."""
        return self._successor is not None

    @property
    def final(self) -> Chain | None:
        """The chain that is to work in the end."""
        return self._successor or self.current

    def configure(self, message: ConfigureStream) -> None:
        """Take a plan; its chain is built by `prepare`."""
        self._configured = self._wish = message
        self._build_after_ns = 0

    def is_meant(self, scene: int) -> bool:
        """Say whether the newest plan speaks of this view of the source.

        For a moment after a change frames of the former view are still on their way, or
        frames of the new one are before its plan: zones would cover the wrong places.
        """
        return self._configured is not None and self._configured.scene == scene

    def begin_anew(self) -> None:
        """Have the chain built anew: what it has tracked is of another scene."""
        self._drop_successor()
        self._wish = self._configured
        self._drop_current()

    def prepare(self) -> None:
        """Build the chain of the newest plan, where it differs."""
        wish = self._wish
        if wish is None or monotonic_ns() < self._build_after_ns:
            return
        effects = parse_stream_plan(wish.plan).effects
        for chain in (self._successor, self.current):
            if chain is not None and chain.plans == effects:
                self._wish = None
                self._keep(chain, wish.revision)
                return
        built = self._build(wish, effects)
        if built is None:
            return
        self._wish = None
        self._drop_successor()
        if self.current is None or self.current.revision < wish.required_revision:
            self._take_over(built)
        else:
            self._successor = built
            self._warm_by_ns = monotonic_ns() + _WARM_WITHIN_NS

    def warm_up(self, planes: Planes, header: FrameHeader) -> None:
        """Let the successor see the frame too; it takes over once it is warm.

        One whose effects keep failing takes over as well: it is what the owner wants,
        and what is shown then is what ``on_failure`` says.

        Args:
            planes: The raw frame, which is changed.
            header: Of it.
        """
        successor = self._successor
        assert successor is not None
        is_warm = successor.run(planes, header) is Verdict.LIVE
        if is_warm or monotonic_ns() >= self._warm_by_ns:
            self._successor = None
            self._take_over(successor)

    def note(self, chain: Chain, verdict: Verdict) -> None:
        """Tell how it stands with the chain that has just worked."""
        self._counters.set(StageWord.REVISION, chain.revision)
        told = (verdict is Verdict.LIVE, chain.failure)
        if told != self._told:
            self._told = told
            self._tell_failure(chain, is_live=verdict is Verdict.LIVE)

    def close(self) -> None:
        """Close both chains."""
        self._drop_successor()
        self._drop_current()

    def _build(
        self, wish: ConfigureStream, effects: tuple[EffectPlan, ...]
    ) -> Chain | None:
        """Return the chain; None where it cannot be built, which is told."""
        context = EffectContext(self._engines, wish.stream)
        try:
            return build_chain(effects, context, wish.revision, self._calls)
        except OoblexdError as error:
            if self._reminders.due(str(error), monotonic_ns()):
                logger.error(
                    "[stream %s] the effects cannot start: %s", wish.stream, error
                )
            self._counters.report(SourceState.DOWN, f"effects cannot start: {error}")
        self._build_after_ns = monotonic_ns() + _BUILD_AGAIN_NS
        if self.current is not None and self.current.revision < wish.required_revision:
            self._drop_current()
        return None

    def _keep(self, chain: Chain, revision: int) -> None:
        """Go on with a chain that is there already."""
        chain.revision = revision
        if self.current is None:  # what it was to follow has gone meanwhile
            self._successor = None
            self._take_over(chain)
            return
        if chain is not self.current:
            return
        self._drop_successor()
        if not (chain.failing_since_ns or self.is_refused):
            self._counters.report(SourceState.RUNNING)

    def _take_over(self, chain: Chain) -> None:
        self._drop_current()
        self.current = chain
        self._told = (True, "")
        self._counters.set(StageWord.FAILING_SINCE_NS, 0)
        if not self.is_refused:
            self._counters.report(SourceState.RUNNING)

    def _drop_current(self) -> None:
        if self.current is not None:
            self.current.close()
            self.current = None

    def _drop_successor(self) -> None:
        if self._successor is not None:
            self._successor.close()
            self._successor = None

    def _tell_failure(self, chain: Chain, *, is_live: bool) -> None:
        counters = self._counters
        is_passed = is_live and chain.has_passed
        since_ns = 0 if is_live and not is_passed else chain.failing_since_ns
        counters.set(StageWord.FAILING_SINCE_NS, since_ns)
        if not is_live:
            state = SourceState.DOWN if chain.failure else SourceState.RUNNING
            counters.report(state, chain.failure)
        elif is_passed or not chain.failure:
            counters.report(SourceState.RUNNING, chain.failure)
        else:
            words = f"covered now and then: {chain.failure}"
            counters.report(SourceState.RUNNING, words)
