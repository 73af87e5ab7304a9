from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from ooblexd.checks import Finding, Level, ok
from ooblexd.checks.parallel import Task, run_tasks
from tests.support.processes import eventually


def fine(name: str) -> list[Finding]:
    return [ok(name, "works")]


def broken() -> list[Finding]:
    raise ZeroDivisionError("of rtsp://admin:geheim@camera/")


def killed() -> list[Finding]:
    os.kill(os.getpid(), signal.SIGILL)
    return []


def hanging(note: Path | None = None) -> list[Finding]:
    with subprocess.Popen(["sleep", "60"]) as started:
        if note is not None:
            note.write_text(str(started.pid))
    return []


def only(task: Task) -> Finding:
    ((finding,),) = run_tasks([task])
    return finding


def test_findings_come_in_the_order_of_the_tasks() -> None:
    names = [f"check {number}" for number in range(20)]

    answers = run_tasks([Task(name, partial(fine, name)) for name in names])

    assert [answer[0].name for answer in answers] == names


def test_a_check_that_breaks_is_a_failure_that_names_it_and_no_password() -> None:
    finding = only(Task("disk", broken))

    assert (finding.name, finding.level) == ("disk", Level.FAIL)
    assert "the check itself broke: ZeroDivisionError" in finding.text
    assert "geheim" not in finding.text
    assert finding.remedy


def test_a_check_that_crashes_names_the_signal_and_its_remedy() -> None:
    finding = only(Task("onnx-cpu", killed, remedy="another version"))

    assert finding.level is Level.FAIL
    assert "killed by SIGILL" in finding.text
    assert finding.remedy == "another version"


def test_a_check_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    finding = only(Task("camera", partial(hanging, note), 1.0))

    assert finding.text == "no answer within 1 s"
    started = Path("/proc") / note.read_text()
    eventually(lambda: not started.exists() or _is_zombie(started))


def _is_zombie(process: Path) -> bool:
    return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_others_do_not_wait_for_one_that_hangs() -> None:
    tasks = [Task("fine", partial(fine, "fine")), Task("camera", hanging, 60.0)]

    answers = run_tasks(tasks)

    assert next(answers)[0].name == "fine"
    answers.close()  # ends the other


def test_what_a_library_prints_does_not_reach_the_terminal() -> None:
    code = """
import os
from ooblexd.checks.parallel import Task, run_tasks
def loud():
    os.write(1, b"noise"); os.write(2, b"noise")
    return []
list(run_tasks([Task("loud", loud)]))
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert answer.stdout + answer.stderr == ""


def limits() -> list[Finding]:
    return [ok("core", str(resource.getrlimit(resource.RLIMIT_CORE)))]


def test_a_crash_leaves_no_picture_in_a_core_file() -> None:
    assert only(Task("core", limits)).text == "(0, 0)"


def test_no_process_and_no_descriptor_is_left() -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 # names are enough

    list(run_tasks([Task("fine", partial(fine, "fine")), Task("broken", broken)]))

    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 # likewise
