"""Takes from this process what reading a stranger's files does not need: memory, time, network, the rest of the disk.

What is given up cannot be had again. Rlimits hold on every Unix; Landlock and seccomp on Linux, where the kernel has
them; elsewhere an audit hook keeps Python from opening sockets.

Source: landlock(7) and its linux/landlock.h; seccomp(2) and linux/seccomp.h, linux/filter.h; the numbers of system
calls, the kernel's syscall tables.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import site
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """`memory_bytes` come on top of what the process holds when it is confined."""

    memory_bytes: int = 1 << 30
    cpu_s: int = 120
    file_bytes: int = 1 << 40
    files: int = 512


def confine(
    limits: Limits, *, reads: Sequence[Path] = (), writes: Sequence[Path] = (), with_network: bool = False
) -> list[str]:
    """From now on these limits hold, and nothing outside Python, `reads` and `writes` can be opened.

    Returns which of the walls stand: "limits", "disk", "calls"; the last not with the network.
    """
    walls = ["limits"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.files, limits.files))
    limit_memory(limits.memory_bytes)
    if not with_network:
        sys.addaudithook(_no_sockets)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            walls += ["disk"] if _wall_off_disk(libc, reads, writes) else []
            walls += ["calls"] if not with_network and _wall_off_calls(libc) else []
    return walls


def end_with_parent() -> None:
    """So that whoever begins an inspection again finds the folder for itself. On Linux; elsewhere its clock ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit_memory(more_bytes: int) -> None:
    """At most so much address space above what is mapped now. Python's code and torch's libraries count as well, so
    this is set again, where they are loaded later.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = _mapped_bytes() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def _mapped_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # No Linux; then the limit is that of the whole process.
        return 2 << 30


def _no_sockets(event: str, _: tuple[Any, ...]) -> None:
    if event in ("socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo"):
        raise PermissionError("this process has no network")


# --- Landlock: which files -------------------------------------------------------------------------------------------

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
# Bits of `access_fs` that the first version of Landlock knows: all of them, and those that only read.
_ALL, _READ = (1 << 13) - 1, 1 | 1 << 2 | 1 << 3
_ON_A_FILE = 1 | 1 << 1 | 1 << 2
# From the second version on: linking and renaming between folders. Not named, it would be forbidden everywhere.
_REFER = 1 << 13


def _wall_off_disk(libc: Any, reads: Sequence[Path], writes: Sequence[Path]) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    everything = _ALL | (_REFER if version >= 2 else 0)
    handled = struct.pack("Q", everything)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.c_char_p(handled), len(handled), 0)
    if ruleset < 0:
        return False
    for path in {*_of_python(), *reads}:
        _allow(libc, ruleset, path, _READ)
    for path in writes:
        _allow(libc, ruleset, path, everything)
    done = libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return done


def _of_python() -> set[Path]:
    """What Python, torch and the dynamic linker read: code and the system's libraries, and no data folder."""
    house = Path(__file__).resolve().parents[1]
    code = {house, house.with_name("kernels")}
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages()}
    system = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/proc", "/sys", "/dev/null", "/dev/urandom")
    return {path for path in code | {Path(os.path.realpath(p)) for p in (*prefixes, *system)} if path.exists()}


def _allow(libc: Any, ruleset: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access if path.is_dir() else access & _ON_A_FILE, descriptor)
        if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0) != 0:
            raise OSError(ctypes.get_errno(), f"{path} cannot be opened to the inspection")
    finally:
        os.close(descriptor)


# --- seccomp: which calls to the kernel ------------------------------------------------------------------------------

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOWED, _REFUSED, _KILLED = 0x7FFF0000, 0x00050000 | 1, 0x80000000
# socket, socketpair, connect, bind, listen, sendto, execve, execveat, ptrace, process_vm_readv and _writev, kill, bpf,
# mount, unshare, setns, keyctl, io_uring_setup (which opens sockets past this filter).
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 42, 49, 50, 44, 59, 322, 101, 310, 311, 62, 321, 165, 272, 308, 250, 425)),
    "aarch64": (0xC00000B7, (198, 199, 203, 200, 201, 206, 221, 281, 117, 270, 271, 129, 280, 40, 97, 268, 219, 425)),
}


def _wall_off_calls(libc: Any) -> bool:
    """Refuses calls that make connections, start programs or reach into other processes."""
    if platform.machine() not in _CALLS:
        return False
    architecture, refused = _CALLS[platform.machine()]
    program = [
        _instruction(_LOAD, 4),  # the architecture, so that numbers mean what they say
        _instruction(_EQUAL, architecture, 1, 0),
        _instruction(_RETURN, _KILLED),
        _instruction(_LOAD, 0),  # the call's number
        *(_instruction(_EQUAL, number, len(refused) - place, 0) for place, number in enumerate(refused)),
        _instruction(_RETURN, _ALLOWED),
        _instruction(_RETURN, _REFUSED),
    ]
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0) == 0)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
