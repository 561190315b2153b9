"""Databases: PostgreSQL and MariaDB containers, and the step that keeps a database's password true.

The images read a password on an empty data folder alone. So the container is given it as a private file for that first
start, and a step sets it in the running database whenever it was made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.host import ContainerArgs, File, Mount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi
    from pulumi_docker import Container

    from components.service import Service

POSTGRES_PORT = 5432
MARIADB_PORT = 3306
POSTGRES_OWNER = "999:999"
"""The user of the Debian images (`docker-library/docs:postgres/content.md`); the Alpine ones have another."""
MARIADB_OWNER = "999:999"
_PASSWORD = "/run/secrets/password"  # noqa: S105 - a path
_ROOT_PASSWORD = "/run/secrets/root-password"  # noqa: S105
STOP_GRACE = 120
"""Seconds that a database gets to write everything down before it is killed."""


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """What differs from one database to the next.

    Attributes:
        image: The pinned image.
        memory: Limit.
        database: Name of the database and of its one user.
        folder: Its data folder below the host's data root.
        password: The user's password.
        root_password: The administrator's, which MariaDB needs and PostgreSQL does not; never made anew.
        networks: Where it is found, by its container's name.
        options: Further arguments of the server.
        entrypoint: What starts PostgreSQL instead of the image's own entry point.
        env: Further environment, for that.
        health: Its own health check; empty: whether the server takes connections.
        mounts: Further folders of the host.
        follows: It is a copy that gets its data, the password among it, from another: nothing is to be set in it.
        files: Further files.
        hosts: Names that stand for addresses of other hosts.
        ports: Ports inside to ports on the host's Tailscale address.
    """

    image: str
    memory: str
    database: str
    folder: str
    password: pulumi.Input[str]
    root_password: pulumi.Input[str] = ""
    networks: Sequence[str] = ()
    options: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health: Sequence[str] = ()
    mounts: Sequence[Mount] = ()
    follows: bool = False
    files: Mapping[str, File] | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[int, int] | None = None


def mariadb_admin(*arguments: str) -> tuple[str, ...]:
    """A command of MariaDB's client inside its container, as its administrator: the password never leaves it."""
    client = f'MYSQL_PWD=$(cat {_ROOT_PASSWORD}) exec mariadb --protocol=SOCKET --user=root --batch "$@"'
    return ("sh", "-c", client, "sh", *arguments)


def postgres(service: Service, name: str, args: DatabaseArgs) -> list[pulumi.Resource]:
    """A PostgreSQL server with one database; returns the container and the step after which its password is true.

    A copy that follows another has no such step.

    From version 18 on the image keeps its data in a folder of the version below the mount
    (`docker-library/docs:postgres/content.md`).
    """
    container = service.container(
        name,
        ContainerArgs(
            image=args.image,
            command=["postgres", *args.options],
            entrypoint=args.entrypoint,
            env={
                **args.env,
                "POSTGRES_DB": args.database,
                "POSTGRES_USER": args.database,
                "POSTGRES_PASSWORD_FILE": _PASSWORD,
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256",
            },
            files={_PASSWORD: File(content=args.password, private=True), **(args.files or {})},
            mounts=[Mount(source=service.data(args.folder), target=_postgres_mount(args.image)), *args.mounts],
            health=args.health or ["pg_isready", "-q", "-h", "127.0.0.1", "-U", args.database, "-d", args.database],
            memory=args.memory,
            user=POSTGRES_OWNER,
            networks=args.networks,
            hosts=args.hosts,
            ports=args.ports or {},
            shared_memory=128,
            stop_grace=STOP_GRACE,
        ),
    )
    return [container] if args.follows else [container, _password_step(service, name, "postgres", args, container)]


def mariadb(service: Service, name: str, args: DatabaseArgs) -> list[pulumi.Resource]:
    """A MariaDB server with one database; returns the container and the step after which its password is true.

    The image makes a user of its own for the health check, which may do nothing else.
    """
    container = service.container(
        name,
        ContainerArgs(
            image=args.image,
            command=[
                "mariadbd",
                "--character-set-server=utf8mb4",
                "--collation-server=utf8mb4_unicode_ci",
                *args.options,
            ],
            env={
                "MARIADB_DATABASE": args.database,
                "MARIADB_USER": args.database,
                "MARIADB_PASSWORD_FILE": _PASSWORD,
                "MARIADB_ROOT_PASSWORD_FILE": _ROOT_PASSWORD,
                "MARIADB_ROOT_HOST": "localhost",
                "MARIADB_AUTO_UPGRADE": "1",
            },
            files={
                _PASSWORD: File(content=args.password, private=True),
                _ROOT_PASSWORD: File(content=args.root_password, private=True),
                **(args.files or {}),
            },
            mounts=[Mount(source=service.data(args.folder), target="/var/lib/mysql"), *args.mounts],
            health=args.health or ["healthcheck.sh", "--connect", "--innodb_initialized"],
            memory=args.memory,
            user=MARIADB_OWNER,
            networks=args.networks,
            ports=args.ports or {},
            stop_grace=STOP_GRACE,
        ),
    )
    return [container, _password_step(service, name, "mariadb", args, container)]


def _postgres_mount(image: str) -> str:
    folder = postgres_data(image)
    return folder if folder.endswith("/data") else "/var/lib/postgresql"


def postgres_data(image: str) -> str:
    """Where an image's PostgreSQL keeps its data, by the major version of its tag."""
    major = image.partition("@")[0].rpartition(":")[2].partition(".")[0].partition("-")[0]
    old = major.isdigit() and int(major) < _FIRST_WITH_VERSION_FOLDER
    return "/var/lib/postgresql/data" if old else f"/var/lib/postgresql/{major}/docker"


_FIRST_WITH_VERSION_FOLDER = 18


def _password_step(
    service: Service, name: str, engine: str, args: DatabaseArgs, container: Container
) -> pulumi.Resource:
    part = name.removeprefix(service.name).removeprefix("-")
    return service.step(
        "-".join(filter(None, (part, "password"))),
        program="password_step",
        facts={"engine": engine, "container": service.physical(name), "user": args.database, "database": args.database},
        secrets={"password": args.password, "root-password": args.root_password},
        after=[container],
    )
