"""ooblexd: a camera goes in, protected pictures come out, less than a frame later.

Follow one frame. A camera's packet arrives in the ingest worker, is decoded straight
into a slot of the *raw* ring, and the inference worker is woken. That one copies the
newest picture into memory of its own, gives the slot back, lets the chain of effects
work, and copies what has passed into the *processed* ring. The output worker encodes it
once, while somebody looks, into the *encoded* ring, and control hands the same bytes to
every viewer. A reader always takes the newest frame, so whoever is slow skips, and
nothing ever queues. ::

    supervisor ── makes and owns every ring and page, forks and replaces the workers
     ├─ ingest:<stream>    source, or publishers by WebRTC ─▶ raw ring
     ├─ inference:<n>      raw ring ─▶ effects ─▶ processed ring
     ├─ output:<stream>    processed ring ─▶ JPEG ─▶ encoded ring
     │                                    └▶ H.264 ─▶ video ring
     │                                             ├▶ viewers by WebRTC
     │                                             └▶ pushes: RTMP, RTSP, WHIP, commands
     └─ control            encoded, video rings ─▶ viewers; API, health, metrics, page;
                           uploads of clients ─▶ uploaded ring ─▶ ingest;
                           publishers, as soon as they have said what ─▶ ingest

Two promises shape it. *Freshness*: each hand-off costs at most one period of the stage
before. *Fail closed*: raw pixels are mapped by ingest and inference alone, each frame
carries the configuration revision that it has passed, and what does not satisfy the
required one is never shown.

Reading order:

1. `frame`, `pixels`, `detection`, `audio`, `aac` — what travels; `clock` — when
2. `sources`, `sources.demo`, `sources.arrivals`, `sources.decoding`, `sources.url` —
   where it enters; `sources.hls`, `sources.readahead`, `sources.playout` — where it
   comes in bursts; then any other source; `sources.sound`, `sources.sound_ahead`,
   `sources.flv_sound`, `sources.left_out`, `sources.media_clock`
3. `stages`, `stages.context`, `stages.ingest`, `stages.pump`, `stages.inbox`,
   `stages.publishing`, `stages.geometry`, `stages.attachment` — into the raw ring;
   `stages.audio_ring` — and sound into a ring of its own; `stages.video_return` — and
   back to who publishes
4. `ring`, `ring.spec`, `ring.writer`, `ring.reader` — between processes
5. `stages.inference`, `stages.succession`, `stages.chain`, `stages.calls`,
   `stages.idle`, `stages.demand`, `effects`, `engines` — through the effects, while
   somebody looks
6. `stages.output`, `stages.showing`, `stages.pace`, `stages.surroundings`,
   `stages.standins`, `stages.jpeg`, `stages.encoded_ring`, `encoders`,
   `encoders.jpeg`, `renditions` — what may be shown, encoded once; then `stages.video`,
   `encoders.video`, `stages.video_ring`, `webrtc`, `webrtc.thread`,
   `webrtc.exchange`, `webrtc.negotiation`, `webrtc.peers`, `webrtc.peer`,
   `webrtc.track`, `webrtc.sending`, `webrtc.channel`, `webrtc.estimates`,
   `webrtc.gathering`,
   `webrtc.adapters` — and by WebRTC; the other way round `webrtc.publishers`,
   `webrtc.publisher`, `webrtc.reception`; then `stages.pushing`, `pushes`,
   `pushes.url`, `pushes.push`, `pushes.backlog`, `pushes.sound`, `pushes.reconnect`,
   `pushes.words`, `pushes.process`, `pushes.sender`, `pushes.whip`,
   `pushes.whip_session` — and on to elsewhere
7. `supervisor`, `supervisor.states`, `supervisor.restart`, `supervisor.worker`,
   `supervisor.workers`, `supervisor.stream`, `supervisor.streams`,
   `supervisor.changes`, `supervisor.listener`, `supervisor.control_socket`,
   `supervisor.signals`, `supervisor.reading`, `supervisor.reload`,
   `supervisor.standing`, `supervisor.report`, `supervisor.notify`,
   `supervisor.supervisor`, `stages.worker` — who keeps 3, 5 and 6 alive
8. `publishing`, `publishing.chunks`, `publishing.rtmp`, `publishing.rtsp`,
   `control.reception`, `supervisor.doors`, `sources.published`, `sources.patience` —
   how others publish
9. `commands`, `signalling`, `layout`, `ice`, `board`, `heartbeat`, `counters`, `log`,
   `reminders`, `redaction`, `status` — what they say and leave for one another to read
10. `control`, `control.video_feed`, `control.audio_feed`, `audio_line`, `muxer`,
   `control.hls`, `control.hls.timeline`, `control.hls.packager`, `control.hls.sound`,
   `control.outlet`, `control.pull`, `control.pull_sound`, `control.ts_tables`, `rtp`,
   `control.rtsp_playing`, `control.rtsp_conversation`, `control.rtsp_viewer`,
   `control.rtsp_sound` — how one asks for it, in which container; `control.sound` —
   whether it is heard
11. `config`, `plan` — how one writes it down; `errors` — how it fails
12. `checks` — what can be wrong with a box
13. `cli` — how one starts it

Words: a *stream* is the named path from one source to all its viewers; a *ring* is
shared memory whose *slots* carry frames from one worker to another; the *board* is the
shared memory of counters and heartbeats, a *page* its part with one writer; a *plan* is
the validated configuration as plain values, a *revision* its number; a *verdict* is
what the chain made of a frame; *covers* and *slates* are what is shown instead.
"""

from ooblexd._version import __version__

__all__ = ["__version__"]
