"""backup-server: keeps the backups of the other hosts. Who sends them can add, and neither change nor take away."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from components.backup import Backup
from components.backup_plan import SERVER_PORT
from components.backup_plan import SERVICE as SENDER
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.model import StateClass
from components.secrets import Secret
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

OWNER = "65532:65532"
"""Nobody's user; the repositories are its alone."""
_PASSWORDS = "/run/secrets/htpasswd"


class BackupServer(Service):
    """restic's own server, append-only, with a repository per host that nobody else may open.

    Creates: the data folder, and the container `backup-server`, which answers on the host's Tailscale address where
    another host saves to it.
    Leaves out: what opens a repository; that is the host's own `backup` given, where it proves what is kept here. Old
    snapshots are taken away from outside (`python3 -m kitestacks backup prune`), since nobody who can send may delete.

    The traffic is plain HTTP: WireGuard encrypts between hosts, restic whatever is sent.
    """

    state = StateClass.MULTI_WRITER
    backup = Backup(disposable="what it keeps are the other hosts' backups, which they make anew")
    secrets = {"password": Secret(purpose="lets a host send its backup", shared=True)}
    folders = (DataFolder(path="backup-server", owner=OWNER),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        senders = [host for host in args.fleet.hosts_of(SENDER) if host != args.host.name]
        users = self.secret("password").apply(
            lambda password: "".join(htpasswd_line(host, password) for host in senders)
        )
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env={
                    "DATA_DIRECTORY": "/data",
                    "PASSWORD_FILE": _PASSWORDS,
                    "OPTIONS": "--append-only --private-repos",
                },
                files={_PASSWORDS: File(content=users, private=True)},
                mounts=[Mount(source=self.data("backup-server"), target="/data")],
                health=["nc", "-z", "127.0.0.1", str(SERVER_PORT)],
                memory=args.settings.memory,
                user=OWNER,
                networks=(name,),
                ports={port: port for port in args.fleet.ports_for_others(name)},
            ),
        )
        return {"container": container.name}


def htpasswd_line(user: str, password: str) -> str:
    """A line of rest-server's password file, the same each time: bcrypt would salt it anew with each plan.

    The password is random and long, so that its plain hash tells nothing (`restic/rest-server:README.md`).
    """
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    return f"{user}:{{SHA}}{digest}\n"


SERVICE = BackupServer
