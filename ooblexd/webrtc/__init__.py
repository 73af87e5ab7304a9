"""Step 4c: pictures to those who watch by WebRTC, and to nobody else.

Each picture is encoded once, whoever watches (`encoders.video`); the peers of a stream
live in its output worker, in one event loop of a thread of its own:

1. `thread` — the way in and out of that thread
2. `exchange` — what passes through it
3. `peers` — all who watch a stream, and what they want together
4. `peer` — one of them: offer, answer, candidates, end
5. `track` — what it is sent, decided at the last moment
6. `adapters` — what aiortc does otherwise than other implementations can bear
"""
