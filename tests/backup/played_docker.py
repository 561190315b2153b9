"""docker's command, as far as the runner calls it: a container is an environment in which its database is found.

Live containers are the files `<name>.json`, scratch ones the folders below `rooms`. What a scratch container mounts is
found by its programs at the place of its folder; a scratch database is empty each time that it is made.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from itertools import pairwise
from pathlib import Path

HOME = Path(sys.argv[0]).resolve().parents[1]
ROOMS = HOME / "rooms"
MARK = "kitestacks.drill"


def main(word: str, *rest: str) -> int:
    with (HOME / "docker.log").open("a") as log:
        log.write(" ".join([word, *rest]) + "\n")
    return int(globals()[f"do_{word}"](*rest) or 0)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


def environment_of(name: str) -> dict[str, str] | None:
    file = HOME / f"{name}.env"
    if (ROOMS / name).is_dir():
        file = HOME / f"scratch-of-{name.rpartition('-drill-')[2]}.env"
    return dict(line.split("=", 1) for line in file.read_text().split()) if file.exists() else None


def do_exec(_: str, name: str, program: str, *arguments: str) -> int:
    environment = environment_of(name)
    if environment is None:
        return fail(f"No such container: {name}")
    instead = HOME / "instead" / program
    command = [str(instead) if instead.exists() else program, *arguments]
    places, secrets = {}, HOME / f"{name}.secrets"
    if (ROOMS / name).is_dir():
        places = json.loads((ROOMS / name / "places.json").read_text())
        secrets = ROOMS / name / "files" / "run" / "secrets"
    for inside, outside in places.items():
        command = [outside + word.removeprefix(inside) if word.startswith(f"{inside}/") else word for word in command]
    command = [word.replace("/run/secrets", str(secrets)) for word in command]
    sys.stdout.flush()
    return subprocess.run(command, env=environment, check=False).returncode


def do_inspect(*words: str) -> int:
    if words[0] == "--format":
        say((ROOMS / words[2] / "status").read_text())
        return 0
    say((HOME / f"{words[0]}.json").read_text())
    return 0


def do_ps(*words: str) -> None:
    wanted = dict(word.removeprefix("label=").split("=", 1) for word in words if word.startswith("label="))
    if MARK in wanted:
        found = [each.name for each in ROOMS.iterdir() if (each / "mark").read_text() == f"{MARK}={wanted[MARK]}"]
    else:
        labels = {
            file.stem: json.loads(file.read_text())[0]["Config"]["Labels"]
            for file in HOME.glob("*.json")
            if file.stem in live()
        }
        found = [name for name, each in labels.items() if wanted.items() <= each.items()]
    say("\n".join(found))


def live() -> list[str]:
    return (HOME / "live").read_text().split()


def do_create(*words: str) -> int:
    flags = [(flag, value) for flag, value in pairwise(words) if flag.startswith("--")]
    name, mark = dict(flags)["--name"], dict(flags)["--label"]
    if (ROOMS / name).exists():
        return fail(f"the container name {name} is already in use")
    mounts = [
        dict(part.split("=") for part in value.split(",") if "=" in part) for flag, value in flags if flag == "--mount"
    ]
    if missing := [each["source"] for each in mounts if not Path(each["source"]).is_dir()]:
        return fail(f"bind source path does not exist: {missing}")
    # There as a whole or not at all, as a real one: a run may be killed at any time.
    making = HOME / f"making-{os.getpid()}"
    (making / "files").mkdir(parents=True)
    (making / "mark").write_text(mark)
    (making / "status").write_text("running")
    (making / "places.json").write_text(json.dumps({each["target"]: each["source"] for each in mounts}))
    making.rename(ROOMS / name)
    return empty(name.rpartition("-drill-")[2])


def empty(database: str) -> int:
    """As on an empty folder."""
    environment = environment_of(f"scratch-of-{database}")
    if environment is None or not (HOME / f"{database}.engine").exists():
        return 0
    again = [f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}"]
    if (HOME / f"{database}.engine").read_text() == "postgres":
        again[0] += " WITH (FORCE)"
        command = [
            "psql",
            "-X",
            "-q",
            "-U",
            database,
            "-d",
            "postgres",
            *(part for each in again for part in ("-c", each)),
        ]
    else:
        password = (HOME / f"{database}.secrets" / "root-password").read_text()
        command, environment = ["mariadb", "-u", "root", "-e", ";".join(again)], environment | {"MYSQL_PWD": password}
    return subprocess.run(command, env=environment, check=False, stderr=subprocess.DEVNULL).returncode


def do_cp(source: str, target: str) -> int:
    if source == "-":
        name, _, place = target.partition(":")
        with tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read())) as archive:
            archive.extractall(ROOMS / name / "files" / place.lstrip("/"), filter="data")
        return 0
    name, _, path = source.partition(":")
    file = HOME / f"{name}.secrets" / Path(path).name
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        archive.add(file, arcname=file.name)
    return 0


def do_rm(*words: str) -> None:
    for name in words:
        shutil.rmtree(ROOMS / name, ignore_errors=True)


def do_network(word: str, *rest: str) -> int:
    file = HOME / "networks"
    there = file.read_text().split() if file.exists() else []
    name = rest[-1]
    if word == "ls":
        say("\n".join(there))
    elif word == "create":
        if name in there:
            return fail(f"network with name {name} already exists")
        file.write_text("\n".join([*there, name]))
    else:
        file.write_text("\n".join(each for each in there if each not in rest))
    return 0


def do_image(_: str, *rest: str) -> int:
    gone = HOME / "no-image"
    return fail(f"No such image: {rest[-1]}") if gone.exists() and gone.read_text() in rest[-1] else 0


def do_pull(*words: str) -> int:
    return fail(f"pull access denied for {words[-1]}")


def do_logs(*_: str) -> None:
    say("its log goes on\n")


def do_start(*_: str) -> None:
    """Nothing runs but databases."""


do_stop = do_rmi = do_start


def do_version(*_: str) -> None:
    say("28")


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(*sys.argv[1:]))
