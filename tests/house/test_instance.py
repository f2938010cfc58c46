"""What one instance takes of the machine, and what it says when it cannot have it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from webapp.supervise import broker
from webapp.supervise.instance import InstanceLock, Refused, listen, open_data_folder


def test_data_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    open_data_folder(tmp_path / "new" / "data")
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


def test_full_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"The disk is nearly full: 12 MB are free for .*, 200 MB are needed\. Make room"):
        open_data_folder(tmp_path, free=lambda folder: 12 * 2**20)


def test_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"/file/data cannot be made: Not a directory\. Choose another with --data DIR\."):
        open_data_folder(tmp_path / "file" / "data")


def test_second_instance_is_told_where_the_first_is(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path)
    lock.announce("http://127.0.0.1:8000")
    said = rf"already running at http://127\.0\.0\.1:8000 \(pid {os.getpid()}\), data folder {tmp_path}\."
    with pytest.raises(Refused, match=said):
        InstanceLock(tmp_path)
    lock.release()
    InstanceLock(tmp_path).release()


def test_port_in_use_is_told_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Refused, match=rf"Port {port} is in use by \S+ \(pid {os.getpid()}\)\. End that program"):
            listen(port)


def test_default_port_in_use_takes_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr("webapp.supervise.instance.DEFAULT_PORT", taken)
        with listen(None) as listener:
            host, port = listener.getsockname()
    assert host == "127.0.0.1" and taken < port < taken + 100


def test_port_is_free_right_after_an_instance_ended() -> None:
    """A connection in TIME_WAIT must not keep the next start from its port."""
    with listen(None) as listener:
        port = listener.getsockname()[1]
        visitor = socket.create_connection(("127.0.0.1", port))
        served, _ = listener.accept()
        served.close()
        visitor.close()
    listen(port).close()


def test_second_packet_of_an_answer_does_not_wait_for_the_first() -> None:
    """40 ms an answer, where the web process takes the socket as it comes."""
    with listen(None) as listener, socket.create_connection(listener.getsockname()):
        served, _ = listener.accept()
        with served:
            assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_brokers_socket_lies_in_a_private_folder(tmp_path: Path) -> None:
    path = broker.socket_path(tmp_path)
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_long_data_path_gets_a_short_private_socket(tmp_path: Path) -> None:
    """A Unix socket's path has at most 107 bytes."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    path = broker.socket_path(deep)
    assert len(str(path).encode()) <= 107
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.rmdir()


def test_data_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    """It was a trace from the settings, which are read before any command can speak."""
    (tmp_path / "file").write_text("")
    told = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "HEADLIGHT_DATA": str(tmp_path / "file" / "data")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 1
    assert "cannot be used" in told.stderr and "--data DIR" in told.stderr and "Traceback" not in told.stderr
