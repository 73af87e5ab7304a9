"""A command that starts others, in every hiding place that there is."""

from __future__ import annotations

from pathlib import Path

MEMBERS = 5


def family(folder: Path) -> str:
    """Return a command with children in every kind of hiding place.

    A shell, a child of it, one in a session of its own, an orphan that has forked
    twice and ignores SIGTERM, and a process that ignores it and holds the output.
    """
    script = folder / "family"
    script.write_text(
        "#!/bin/bash\n"
        f"note() {{ echo $BASHPID > {folder}/$1.pid; }}\n"
        "note shell\n"
        "(note child; exec sleep 600) &\n"
        f"setsid bash -c 'echo $$ > {folder}/session.pid; exec sleep 600' &\n"
        "( (trap '' TERM HUP; note orphan; while true; do sleep 1; done) & ) \n"
        "(trap '' TERM; note stubborn; while true; do sleep 1; done) &\n"
        "head -c 96 /dev/zero\n"
        "wait\n"
    )
    script.chmod(0o755)
    return str(script)


def pids_in(folder: Path) -> list[int]:
    texts = [path.read_text().strip() for path in folder.glob("*.pid")]
    return [int(text) for text in texts if text]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
