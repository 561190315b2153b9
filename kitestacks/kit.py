"""`kit`: one encrypted file from which alone an empty machine brings the project's state back, and then the data.

The file is an archive, encrypted with a password by age's own format (https://age-encryption.org/v1), so that `age
--decrypt` opens it too, without this project.
"""

from __future__ import annotations

import getpass
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage

from components.backup_plan import SERVER_PORT, SERVICE, keeper_of
from components.fleet_files import fleet_of_files
from kitestacks.backup_host import recovery_password
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from kitestacks.paths import ROOT
from kitestacks.stack_state import pulumi

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from components.fleet import Fleet

_SHORTEST = 12
_STATE = ".kitestacks/kit"
_PASSPHRASE = f"{_STATE}/passphrase"
_BACKEND = ".kitestacks/state"
_READ_ME = """This is the recovery kit of KiteStacks, made {when}.

It holds the program, the stack files, each stack's state with all secrets (encrypted; the passphrase lies beside them
in {state}/passphrase), the passwords of the backups ({state}/backups.json) and the runbook.

On an empty machine, with Python, git and Docker, in this folder:

    python3 -m kitestacks toolchain
    source activate
    export PULUMI_BACKEND_URL=file://$PWD/{backend} PULUMI_CONFIG_PASSPHRASE_FILE=$PWD/{state}/passphrase
    pulumi preview -s <host>

RUNBOOK.md goes on under: a machine burned. Without this project, restic alone opens a backup:

    restic -r <repository of {state}/backups.json> snapshots
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    words = parser.add_subparsers(dest="what", required=True)
    make = words.add_parser("make", help="make the kit anew; do it after each change of a secret")
    make.add_argument("file", help="where to, for example kit.age")
    make.add_argument("--folder", default=str(ROOT), help="where the stack files lie, if not here")
    opened = words.add_parser("open", help="bring the project and its state back into an empty folder")
    opened.add_argument("file", help="the kit")
    opened.add_argument("--into", required=True, help="an empty folder")
    for each in (make, opened):
        each.add_argument("--password-file", help="a file with the kit's password; it is asked for otherwise")


def run(args: argparse.Namespace) -> int:
    """Makes a kit, or opens one.

    Raises:
        CommandError: the password is wrong or too short, or the engine refuses.
    """
    console = Console()
    return _make(args, console) if args.what == "make" else _open(args, console)


def _make(args: argparse.Namespace, console: Console) -> int:
    folder, file = Path(args.folder), Path(args.file)
    password = _password(args.password_file, twice=True)
    if len(password) < _SHORTEST:
        raise CommandError(f"the password has fewer than {_SHORTEST} characters", "four words or more", Exit.POLICY)
    fleet = fleet_of_files(folder)
    with console.step("collect the kit") as step:
        contents = dict(_program(folder))
        for host in sorted(fleet.stacks):
            step.note(f"state of {host}")
            contents[f"{_STATE}/{host}.json"] = pulumi("-C", str(folder), "stack", "export", "-s", host).encode()
        contents[_PASSPHRASE] = _passphrase().encode()
        contents[f"{_STATE}/backups.json"] = json.dumps(_backups(fleet, folder), indent=2).encode()
        contents[f"{_STATE}/images.json"] = json.dumps(_images(fleet), indent=2).encode()
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        contents["KIT.md"] = _READ_ME.format(when=when, state=_STATE, backend=_BACKEND).encode()
    with console.step("encrypt it"):
        fresh = file.with_name(f".{file.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(pyrage.passphrase.encrypt(_packed(contents), password))
        fresh.replace(file)
    console.line(f"{file}: {file.stat().st_size / 2**20:.1f} MiB, {len(contents)} files, {len(fleet.stacks)} stacks")
    console.line("keep it in two places outside the house, and its password in neither")
    return Exit.OK


def _open(args: argparse.Namespace, console: Console) -> int:
    file, into = Path(args.file), Path(args.into).resolve()
    if into.exists() and any(into.iterdir()):
        raise CommandError(f"{into} is not empty", "name a new folder: nothing is ever overwritten", Exit.CONFIGURATION)
    if not file.exists():
        raise CommandError(f"there is no {file}", "where else is the kit kept?", Exit.CONFIGURATION)
    password = _password(args.password_file, twice=False)
    with console.step("decrypt the kit"):
        try:
            packed = pyrage.passphrase.decrypt(file.read_bytes(), password)
        except pyrage.DecryptError:
            raise CommandError(
                f"{file} does not open: the password is wrong, or the file is damaged",
                "the same command again; is there another copy of the kit?",
                Exit.AUTHENTICATION,
            ) from None
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = os.umask(0o077)
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as archive:
            archive.extractall(into, filter="data")
        (into / _BACKEND).mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(old)
    for state in sorted((into / _STATE).glob("*.json")):
        if (into / f"Pulumi.{state.stem}.yaml").exists():
            with console.step(f"bring back the state of {state.stem}"):
                _import(into, state)
    console.line(f"{into / 'KIT.md'} says what comes next")
    return Exit.OK


def _import(into: Path, state: Path) -> None:
    """Into a backend of files below the folder: whatever held the state before may be gone."""
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{into / _BACKEND}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(into / _PASSPHRASE),
    }
    stack = state.stem
    for words in (("select", "--create", stack), ("import", "-s", stack, "--file", str(state))):
        command = ["pulumi", "--non-interactive", "-C", str(into), "stack", *words]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            way_out = f"cd {into}; python3 -m kitestacks toolchain; source activate; then kit open into another folder"
            raise CommandError("pulumi is not on PATH", way_out, Exit.CONFIGURATION) from None
        if done.returncode:
            raise CommandError(f"{stack}: {done.stderr.strip()}", "KITESTACKS_DEBUG=1 shows more", Exit.RESOURCE)


def _program(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The project as it is kept under version control, and the stack files as they are now."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise CommandError(f"{ROOT} is no git checkout", "make the kit from a clone of the project", Exit.CONFIGURATION)
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        if file.is_file() and not file.name.startswith("Pulumi."):
            yield name, file.read_bytes()
    for file in sorted([*folder.glob("Pulumi*.yaml"), *folder.glob("restores.json")]):
        yield file.name, file.read_bytes()


def _packed(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            if content.startswith(b"#!"):
                entry.mode = 0o700
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _passphrase() -> str:
    """What encrypts the state: without it no secret in it is of any use."""
    if file := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        return Path(file).expanduser().read_text()
    if "PULUMI_CONFIG_PASSPHRASE" in os.environ:
        return os.environ["PULUMI_CONFIG_PASSPHRASE"]
    raise CommandError(
        "the passphrase of the state is not known here",
        "export PULUMI_CONFIG_PASSPHRASE_FILE=~/.kitestacks-passphrase",
        Exit.AUTHENTICATION,
    )


def _backups(fleet: Fleet, folder: Path) -> dict[str, Any]:
    """Where each host's backup is, and what opens it; readable without Pulumi."""
    found = {}
    for host in fleet.hosts_of(SERVICE):
        keeper = keeper_of(fleet, host, fleet.stacks[host].service_settings[SERVICE].to) or ""
        place = fleet.stacks[keeper].host
        found[host] = {
            "kept on": keeper,
            "repository": f"rest:http://{host}@{place.tailscale_address}:{SERVER_PORT}/{host}/",
            "repository on that host": f"{place.data}/backup-server/{host}",
            "recovery password": recovery_password(folder, host),
        }
    return found


def _images(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Every pinned image, by host and service: the data is theirs."""
    found: dict[str, dict[str, str]] = {}
    for host, service, settings in fleet.blocks():
        found.setdefault(host, {})[service] = settings.image
    return found


def _password(file: str | None, *, twice: bool) -> str:
    if file:
        return Path(file).read_text().strip()
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked for the password", "--password-file", Exit.CONFIGURATION)
    password = getpass.getpass("password of the kit: ")
    if twice and getpass.getpass("once more: ") != password:
        raise CommandError("the two are not the same", "the same command again", Exit.CONFIGURATION)
    return password
