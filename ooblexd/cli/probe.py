"""``ooblexd probe``: what a source is, or exactly why it cannot be read."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

from ooblexd.cli.command import command
from ooblexd.cli.exit_code import ExitCode
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.errors import ConfigError
from ooblexd.redaction import mask_url
from ooblexd.sources.report import SourceReport

if TYPE_CHECKING:
    import argparse

    from ooblexd.cli.command import Commands
    from ooblexd.sources.report import AudioReport

DEADLINE_S = 15.0
_OPEN_TIMEOUT_S = 10.0
_SAID_AGAIN_S = 0.5
_STANDARD_INPUT = "-"


def add_command(commands: Commands) -> None:
    """Add ``probe``."""
    parser = command(
        commands,
        "probe",
        _probe,
        "say what a source is, or exactly why it cannot be read",
        "ooblexd probe rtsp://user:password@192.0.2.20/stream1",
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="as in the configuration; - reads it from standard input, so that no "
        "password shows in the list of processes",
    )
    parser.add_argument(
        "--transport", choices=("auto", "tcp", "udp"), default="auto", help="for RTSP"
    )
    parser.add_argument(
        "--input",
        metavar="FORMAT:WIDTHxHEIGHT",
        default="auto",
        help="what a command writes, such as i420:1280x720",
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def _probe(chosen: argparse.Namespace) -> ExitCode:
    url = chosen.url
    if url == _STANDARD_INPUT:
        url = sys.stdin.readline().strip()
    answers: list[SourceReport | BaseException] = []

    def ask() -> None:
        try:
            answers.append(_report_of(url, chosen.transport, chosen.input))
        except BaseException as error:  # noqa: BLE001 # raised by the thread that waits
            answers.append(error)

    asking = threading.Thread(target=ask, name="probe", daemon=True)
    asking.start()
    try:
        _wait(asking, mask_url(url))
    except KeyboardInterrupt:
        _leave(ExitCode.FAILED)
    if not answers:
        reason = f"no answer within {DEADLINE_S:g} s"
        _leave(_show(SourceReport(mask_url(url), ok=False, reason=reason), chosen.json))
    [answer] = answers
    if isinstance(answer, ConfigError):
        sys.stderr.write(f"{answer.problems[0]}\n")
        return ExitCode.USAGE
    if isinstance(answer, BaseException):
        raise answer
    return _show(answer, is_json=chosen.json)


def _report_of(url: str, transport: str, given: str) -> SourceReport:
    from ooblexd.config.patch import parse_stream  # noqa: PLC0415 # heavy
    from ooblexd.config.plans import plan_of_stream  # noqa: PLC0415 # likewise
    from ooblexd.sources import InputOptions, SourceOptions  # noqa: PLC0415 # likewise
    from ooblexd.sources.probe import probe  # noqa: PLC0415 # loads PyAV

    table = {"source": url, "transport": transport, "input": _input_table(given)}
    try:
        plan = plan_of_stream("probe", parse_stream("probe", table))
    except ConfigError as error:
        told = [problem.removeprefix("streams.probe.") for problem in error.problems]
        raise ConfigError(told) from None  # the chain would show values
    options = SourceOptions(
        transport=plan.transport,
        open_timeout_s=_OPEN_TIMEOUT_S,
        input=InputOptions(**asdict(plan.input)),
    )
    return probe(plan.source, options)


def _input_table(given: str) -> dict[str, object]:
    """Return ``i420:1280x720`` as the configuration has it."""
    kind, colon, size = given.partition(":")
    if not colon:
        return {"format": kind}
    width, _, height = size.partition("x")
    return {"format": kind, "width": width, "height": height}


def _wait(asking: threading.Thread, shown: str) -> None:
    """Wait for the answer, with a sign of life where a person looks."""
    start_ns = monotonic_ns()
    is_watched = sys.stderr.isatty()
    while asking.is_alive():
        waited_s = (monotonic_ns() - start_ns) / NS_PER_S
        if waited_s > DEADLINE_S:
            break
        if is_watched and waited_s > 1:
            sys.stderr.write(f"\r{shown}: looking at it, {waited_s:.0f} s\x1b[K")
            sys.stderr.flush()
        asking.join(_SAID_AGAIN_S)
    if is_watched:
        sys.stderr.write("\r\x1b[K")


def _leave(code: ExitCode) -> None:
    """End with a thread in the middle of a call that nobody can interrupt."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _show(report: SourceReport, is_json: bool) -> ExitCode:  # noqa: FBT001 # as asked
    if is_json:
        sys.stdout.write(f"{json.dumps(asdict(report))}\n")
    elif report.ok:
        sys.stdout.write("\n".join(_lines(report)) + "\n")
    else:
        sys.stderr.write(f"{report.source}: {report.reason}\n")
    return ExitCode.DONE if report.ok else ExitCode.FAILED


def _lines(report: SourceReport) -> list[str]:
    video = report.video
    assert video is not None, "a source that is ok has one"
    fps = f"{video.fps:g} fps"
    if video.announced_fps and abs(video.announced_fps - video.fps) > 1:
        fps += f" ({video.announced_fps:g} announced)"
    codec = f"{video.codec} {video.profile}".rstrip()
    size = f"{video.width}x{video.height}"
    interval_s = video.keyframe_interval_s
    keyframes = f"every {interval_s:g} s" if interval_s else "-"
    audio = "; ".join(map(_audio, report.audio))
    return [
        report.source,
        f"  video      {codec}, {size}, {fps}, {video.pixel_format}",
        f"  keyframes  {keyframes}",
        f"  B-frames   {'yes' if video.has_b_frames else 'no'}",
        f"  audio      {audio or 'none'}",
        f"  transport  {report.transport}",
        *(f"  warning    {warning}" for warning in report.warnings),
    ]


def _audio(track: AudioReport) -> str:
    rate = f", {track.sample_rate_hz} Hz" if track.sample_rate_hz else ""
    channels = f", {track.channels} channel(s)" if track.channels else ""
    return f"{track.codec}{rate}{channels}"
