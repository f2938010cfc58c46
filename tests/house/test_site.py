"""A whole supervisor in a process of its own: however it ends, nothing stays behind."""

from __future__ import annotations

import os
import signal

from tests.house.processes import gone_within

SLEEP = "import os, time; print('pid', os.getpid()); time.sleep(60)"
DEAF = f"import signal; signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN); {SLEEP}"
CHATTER = "while True: print('hello'); time.sleep(.05)"
PARENT = (
    "import os, subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print('grandchild', child.pid); print('pid', os.getpid()); time.sleep(60)"
)


def test_ctrl_c_ends_even_deaf_programs_within_five_seconds(small_site) -> None:
    site = small_site(
        [
            {"name": "web", "script": DEAF, "grace_s": 1.5},
            {"name": "worker1", "script": DEAF, "grace_s": 1.5, "stop_rank": 1},
            {"name": "broker", "script": DEAF, "grace_s": 0.5, "stop_rank": 2},
        ]
    )
    pids = [site.pid_after("pid") for _ in range(3)]
    assert site.end(signal.SIGINT) < 5
    assert site.process.returncode == 0
    assert gone_within(pids, 0.2)


def test_second_ctrl_c_ends_at_once(small_site) -> None:
    site = small_site([{"name": "worker1", "script": DEAF, "grace_s": 30}])
    pid = site.pid_after("pid")
    site.process.send_signal(signal.SIGINT)
    site.read_until("Ending every process")
    assert site.end(signal.SIGINT) < 2
    assert gone_within([pid], 0.2)


def test_terminating_takes_what_a_program_started_along(small_site) -> None:
    site = small_site([{"name": "worker1", "script": PARENT}])
    pids = [site.pid_after("grandchild"), site.pid_after("pid")]
    site.end(signal.SIGTERM)
    assert site.process.returncode == 0
    assert gone_within(pids, 1)


def test_killed_supervisor_leaves_no_program(small_site) -> None:
    site = small_site([{"name": "web", "script": SLEEP}, {"name": "worker1", "script": DEAF}])
    pids = [site.pid_after("pid"), site.pid_after("pid")]
    site.process.kill()
    assert gone_within(pids, 5)


def test_killed_program_comes_back(small_site) -> None:
    site = small_site([{"name": "worker1", "script": SLEEP}])
    first = site.pid_after("pid")
    os.kill(first, signal.SIGKILL)
    site.read_until("worker1 ended (killed by SIGKILL)")
    assert site.pid_after("pid") != first


def test_failing_web_ends_the_site_with_exit_code_1(small_site) -> None:
    site = small_site(
        [{"name": "broker", "script": SLEEP}, {"name": "web", "script": "raise SystemExit('no settings')"}]
    )
    broker = site.pid_after("pid")
    site.read_until("Nothing works without it")
    assert site.process.wait(5) == 1
    assert gone_within([broker], 0.2)


def test_reader_that_stopped_reading_does_not_stop_the_end(small_site) -> None:
    """A terminal on hold blocks whoever writes to it; the children must still be ended."""
    flood = "import os\nprint('pid', os.getpid())\nwhile True: print('x' * 1000)"
    site = small_site([{"name": "web", "script": flood}])
    pid = site.pid_after("pid")
    assert not gone_within([pid], 0.5)
    site.process.send_signal(signal.SIGTERM)
    assert gone_within([pid], 5)
    assert gone_within([site.process.pid], 5)


def test_reader_that_left_does_not_end_the_site(small_site) -> None:
    """`./run | head -1` goes on serving."""
    site = small_site([{"name": "web", "script": "import os, time\nprint('pid', os.getpid())\n" + CHATTER}])
    pid = site.pid_after("pid")
    site.process.stdout.close()
    assert not gone_within([pid, site.process.pid], 1)
