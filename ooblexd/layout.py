"""Where the numbers of everything stand on the board.

The supervisor gives the pages out, and tells control (`commands.LayoutChanged`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class StreamLayout:
    """Where a stream's numbers stand.

    Attributes:
        name: Of the stream.
        plan: As JSON.
        stream_page: The supervisor's words.
        demand_page: Control's words.
        ingest_page: Counters of the ingest stage.
        inference_page: Of the inference stage.
        output_page: Of the output stage.
        workers: The names of the workers that carry the stream.
        pushes_page: How its pushes are, by output.
    """

    name: str
    plan: str
    stream_page: int
    demand_page: int
    ingest_page: int
    inference_page: int
    output_page: int
    workers: tuple[str, ...]
    pushes_page: int = 0


@dataclass(frozen=True, slots=True)
class WorkerLayout:
    """The page of a worker."""

    name: str
    page: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything on the board that control reads."""

    supervisor_page: int
    streams: tuple[StreamLayout, ...]
    workers: tuple[WorkerLayout, ...]


def format_layout(layout: Layout) -> str:
    """Return ``layout`` as JSON."""
    return json.dumps(asdict(layout), separators=(",", ":"))


def parse_layout(text: str) -> Layout:
    """Return what `format_layout` wrote."""
    fields = json.loads(text)
    streams = tuple(
        StreamLayout(**{**stream, "workers": tuple(stream["workers"])})
        for stream in fields["streams"]
    )
    workers = tuple(WorkerLayout(**worker) for worker in fields["workers"])
    return Layout(fields["supervisor_page"], streams, workers)
