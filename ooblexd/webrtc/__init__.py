"""Step 4c: pictures to those who watch by WebRTC; and from those who publish by it.

Each picture is encoded once, whoever watches (`encoders.video`); the peers of a stream
live in its output worker, its publishers in its ingest worker, in one event loop of a
thread of its own:

1. `thread` — the way in and out of that thread
2. `exchange` — what passes through it
3. `negotiation` — offer, answer, candidates, end: as in every session
4. `gathering` — by which addresses the other end reaches us
5. `peers` — all who watch a stream, and what they want together
6. `peer` — one of them
7. `track` — what it is sent, decided at the last moment
8. `channel` — what it is told of each picture
9. `estimates` — how many bits a second, and who gets fewer pictures
10. `endings` — why others could not watch
11. `publishers` — all who publish to a stream, of whom one does
12. `publisher` — one of them
13. `reception` — its pictures, out of aiortc as soon as they are whole
14. `adapters` — what aiortc does otherwise than other implementations can bear
"""
