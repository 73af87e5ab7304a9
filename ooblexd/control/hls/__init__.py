"""Low-latency HLS: a stream as files of a second, and parts of them of 0.2 s.

``packager`` takes pictures out of the video ring, has them muxed and sorts them into
the ``timeline``; ``playlist`` writes down what is there; ``endpoint`` answers requests,
those for what is not there yet once it is; ``audience`` knows who asks. All of it is in
memory, bounded, begins with the first request and ends some seconds after the last.

HLS keeps pictures for seconds, and players keep them for as long, by design: how old a
picture may be (``max_age_ms``) does not hold here. What it must have passed does:
right before anything is sent it is asked whether each picture in it satisfies what is
required at that moment, and what does not is taken out for good.

Source: draft-ietf-hls-rfc8216bis (tags, blocking reload, hints), ISO/IEC 23000-19
(CMAF).
"""
