from __future__ import annotations

from ooblexd.board import Board
from ooblexd.commands import ConfigureStream
from ooblexd.plan import PushPlan, StreamPlan, parse_stream_plan
from ooblexd.supervisor.stream import CONTROL, Stream

SOURCE = "rtsp://user:camerasecret@192.0.2.20/s1"
PUSH = PushPlan("rtmp://example.net/live/pushsecret")


def test_each_worker_is_told_the_secrets_that_it_works_with_and_no_others() -> None:
    plan = StreamPlan("door", SOURCE, push=(PUSH,), enabled=False)
    stream = Stream(plan, "inference:0", Board())
    told = {}
    for worker in ("ingest:door", "inference:0", "output:door", CONTROL):
        message, _ = stream.configure_for(worker, 0)
        assert isinstance(message, ConfigureStream)
        told[worker] = message.plan

    assert [name for name, text in told.items() if "camerasecret" in text] == [
        "ingest:door"
    ]
    assert [name for name, text in told.items() if "pushsecret" in text] == [
        "output:door"
    ]
    assert parse_stream_plan(told["output:door"]).push == (PUSH,)
    stream.close()
