"""`python -m webapp.deploy.native`: the services of docker-compose.yml on one machine without containers.

Commands, environments, secrets and their order are read from that file; only what a container brings is put in place
of it: hosts become ports of 127.0.0.1, volumes folders, images the programs that are installed here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from webapp.deploy import pretended_storage
from webapp.deploy.secrets import make_secrets
from webapp.supervise import broker
from webapp.supervise.console import Console
from webapp.supervise.program import Program
from webapp.supervise.roster import answers
from webapp.supervise.site import live

HOUSE = Path(__file__).resolve().parents[2]
# Of this process's environment; all else comes from the file.
OWN = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "OMP_WAIT_POLICY")
POSTGRES_BINARIES = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Place:
    """Where the services live: a folder for all that they keep, and the first of the ports that they take."""

    folder: Path
    port: int
    services: dict[str, dict[str, Any]] = field(default_factory=lambda: services())

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def port_of(self, name: str) -> int:
        return self.port + ["web", "web2", "broker", "database", "storage"].index(name)

    @property
    def store(self) -> str:
        """Where S3 is: another store that was named, or our own; empty where there is none."""
        named = os.environ.get("HEADLIGHT_S3_ENDPOINT", "")
        own = f"http://127.0.0.1:{self.port_of('storage')}" if pretended_storage.is_installed() else ""
        return named or own

    def environment(self, service: str) -> dict[str, str]:
        """What the file gives it, as this machine has it, and nothing of what other services are given."""
        given = self.services[service].get("environment", {})
        told = {name: self._here(str(value)) for name, value in given.items()}
        if not self.store:
            told = {name: value for name, value in told.items() if "_S3_" not in name and not name.startswith("AWS_")}
        elif "HEADLIGHT_S3_ENDPOINT" in told:
            told["HEADLIGHT_S3_ENDPOINT"] = self.store
        kept = {name: os.environ[name] for name in OWN if name in os.environ}
        return {**kept, "PYTHONUNBUFFERED": "1", **told}

    def _here(self, value: str) -> str:
        value = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: os.environ.get(found[1], found[2]), value)
        for there, here in (("/run/secrets", str(self.secrets)), ("/data", str(self.data))):
            if value.startswith(there):
                return here + value.removeprefix(there)
        return value


def services() -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())["services"]
    return told


def programs(place: Place) -> list[Program]:
    """In the order in which they are to start. Two of the web, as in the file; the proxy before them is left out."""
    web = place.services["web"]["command"]
    shown = f"Headlight is at http://127.0.0.1:{place.port} on PostgreSQL and a Valkey with a file (Ctrl-C ends it)."
    return [
        *_storage(place),
        _database(place),
        _broker(place),
        *(
            Program(
                name=name,
                command=_python(_with_options(web, host="127.0.0.1", port=str(place.port_of(name)))),
                environment=place.environment("web"),
                ready=_answering(place.port_of(name)),
                keeps_trying=_keeps_trying(place, "web"),
                remedy="Its last lines above say why.",
                welcome=shown if name == "web" else "",
                grace_s=4.0,
            )
            for name in ("web", "web2")
        ),
        *(
            Program(
                name=name,
                command=_named(name, _python(place.services[name]["command"])),
                environment={
                    **place.environment(name),
                    "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
                },
                needed=False,
                keeps_trying=_keeps_trying(place, name),
                stop_rank=1,
                grace_s=4.0,
                remedy="Its last lines above say why.",
            )
            for name in ("recorder", "librarian", "worker-interactive", "worker-train")
        ),
    ]


def _storage(place: Place) -> list[Program]:
    """Stands in for the store of the file; none where another one was named, or nothing is installed that could."""
    port = place.port_of("storage")
    if not place.store.endswith(f"127.0.0.1:{port}"):
        return []
    bucket = place.environment("prepare")["HEADLIGHT_S3_BUCKET"]
    command = _python(["python", "-m", "webapp.deploy.pretended_storage", str(port), bucket])
    return [
        Program(
            name="storage",
            command=command,
            environment={name: os.environ[name] for name in OWN if name in os.environ},
            ready=lambda: _listens(port),
            keeps_trying=_keeps_trying(place, "storage"),
            stop_rank=3,
            grace_s=2.0,
            remedy="Its last lines above say why.",
        )
    ]


def prepare(place: Place) -> None:
    """The database and what is in it before the first program asks. Raises: CalledProcessError."""
    password = (place.secrets / "database_password").read_text()
    server = ["-h", "127.0.0.1", "-p", str(place.port_of("database")), "-U", "headlight"]
    there = subprocess.run(
        [
            str(postgres("psql")),
            *server,
            "-d",
            "postgres",
            "-tAc",
            "select 1 from pg_database where datname = 'headlight'",
        ],
        env={**os.environ, "PGPASSWORD": password},
        check=True,
        capture_output=True,
    )
    if not there.stdout.strip():
        created = [str(postgres("createdb")), *server, "headlight"]
        subprocess.run(created, env={**os.environ, "PGPASSWORD": password}, check=True)
    for command in place.services["prepare"]["command"][-1].split(" && "):
        subprocess.run(_python(command.split()), cwd=HOUSE, env=place.environment("prepare"), check=True)


def make_database(place: Place) -> None:
    """A cluster of its own, with the password of the secrets. Raises: FileNotFoundError, CalledProcessError."""
    folder = place.folder / "database"
    if folder.exists():
        return
    folder.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w") as password:
        password.write((place.secrets / "database_password").read_text())
        password.flush()
        if os.geteuid() == 0:
            # PostgreSQL does not run as root, and its user has to reach its folder.
            for path in (folder, Path(password.name)):
                shutil.chown(path, "postgres", "postgres")
            place.folder.chmod(0o711)
        command = [str(postgres("initdb")), "-D", str(folder), "-U", "headlight", f"--pwfile={password.name}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **_as_postgres())


def postgres(program: str) -> Path:
    """Raises: FileNotFoundError with what brings it."""
    found = shutil.which(program)
    newest = sorted(POSTGRES_BINARIES.glob(f"*/bin/{program}"), key=lambda path: int(path.parents[1].name))
    if not newest and not found:
        raise FileNotFoundError("PostgreSQL is not installed here: apt-get install postgresql brings it.")
    return newest[-1] if newest else Path(found or "")


def _database(place: Place) -> Program:
    port = place.port_of("database")
    command = [str(postgres("postgres")), "-D", str(place.folder / "database"), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]

    async def _prepared() -> bool:
        asked = await asyncio.create_subprocess_exec(
            *(str(postgres("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port))
        )
        if await asked.wait() != 0:
            return False
        await asyncio.to_thread(prepare, place)
        return True

    return Program(
        name="database",
        command=command,
        ready=_prepared,
        keeps_trying=_keeps_trying(place, "database"),
        stop_rank=3,
        grace_s=5.0,
        remedy="Its last lines above say why.",
    )


def _broker(place: Place) -> Program:
    """The same options as in its container; the password is in its environment's file, not in the list of processes."""
    folder, port = place.folder / "broker", place.port_of("broker")
    folder.mkdir(mode=0o700, exist_ok=True)
    line = " ".join(place.services["broker"]["command"][-1].split())
    options = re.search(r"--dir /data (.*)", line)
    assert options, "the broker's command in docker-compose.yml has another form"
    settings = [*_pairs(options[1]), ("requirepass", (place.secrets / "broker_password").read_text())]
    settings += [("dir", str(folder)), ("bind", "127.0.0.1"), ("port", str(port))]
    file = folder / "valkey.conf"
    file.write_text("".join(f"{name} {value}\n" for name, value in settings))
    file.chmod(0o600)
    return Program(
        name="broker",
        command=[str(broker.binary()), str(file)],
        ready=lambda: _listens(port),
        unsaid="Memory overcommit",
        keeps_trying=_keeps_trying(place, "broker"),
        stop_rank=2,
        grace_s=2.0,
        remedy="Its last lines above say why.",
    )


def _keeps_trying(place: Place, service: str) -> bool:
    return bool(place.services[service]["restart"] == "unless-stopped")


def _pairs(options: str) -> list[tuple[str, str]]:
    return [(name, value.strip()) for name, value in re.findall(r"--([\w-]+) ([^-]\S*)", options)]


def _with_options(command: list[str], **options: str) -> list[str]:
    words = list(command)
    for name, value in options.items():
        words[words.index(f"--{name}") + 1] = value
    return words


def _python(command: list[str]) -> list[str]:
    """With the Python that runs here: its modules stand for the programs of an image."""
    first, *rest = command
    return [sys.executable, *rest] if first == "python" else [sys.executable, "-m", first, *rest]


def _named(name: str, command: list[str]) -> list[str]:
    """Two workers of one machine would else share the machine's name."""
    return [*command, "--hostname", f"{name}@%h"] if "celery" in command else command


def _answering(port: int) -> Callable[[], Awaitable[bool]]:
    return lambda: answers(port, "/healthz")


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _as_postgres() -> dict[str, Any]:
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m webapp.deploy.native", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data-native"), help="folder of all that the services keep")
    parser.add_argument("--port", type=int, default=8100, help="the first of five ports on 127.0.0.1")
    arguments = parser.parse_args()
    place = Place(arguments.data.expanduser().resolve(), arguments.port)
    for folder in (place.folder, place.data):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    addresses = (f"127.0.0.1:{place.port_of(name)}" for name in ("broker", "database"))
    make_secrets(place.secrets, *addresses)
    try:
        make_database(place)
    except FileNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 1
    if not place.store:
        print("The files of models lie on the disk alone: no HEADLIGHT_S3_ENDPOINT is set, and moto is not installed.")
    os.chdir(HOUSE)
    kept = programs(place)
    console = Console(sys.stdout, [program.name for program in kept])
    code = asyncio.run(live(kept, console))
    console.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
