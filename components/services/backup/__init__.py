"""backup: saves this host's services to another host, at night, and proves each month that what it keeps comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from components.backup import Backup
from components.backup_plan import METRICS_FOLDER, SERVER, SERVER_PORT, keeper_of, plan_of, proves
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.model import Model, ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service
from components.types import Duration, HostName

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

_RUNNER = Path(__file__).resolve().parents[2] / "backup_runner"
_LIBRARY = "/usr/local/lib/kitestacks"
_CRONTAB = "/etc/backup/crontab"
_PLAN = "/etc/backup/plan.json"
_SECRETS = "/run/secrets"
_SOCKET = "/var/run/docker.sock"
_RUN = "python3 -m components.backup_runner --wait"
_CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
"""It reads every service's folder, and writes it back with its owners."""

CronTime = Annotated[str, StringConstraints(pattern=r"^(\S+ ){4}\S+$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class CopySettings(Model):
    """A second copy of the repository in an object store."""

    repository: str = Field(
        pattern=r"^s3:https://\S+$", description="As restic names it: s3:https://<endpoint>/<bucket>."
    )
    id: SecretName = Field(default="backup-copy-id", description="Name of the owner's secret with the key's id.")
    key: SecretName = Field(default="backup-copy-key", description="Name of the owner's secret with the key.")


class BackupSettings(ServiceSettings):
    """backup's block in a stack file."""

    to: HostName | None = Field(
        default=None, description="The host that keeps the backup, where more than one other has a backup-server."
    )
    save_at: CronTime = Field(default="15 2 * * *", description="When all is saved, as in a crontab; UTC.")
    check_at: CronTime = Field(default="15 4 * * 0", description="When the repository is checked; UTC.")
    drill_at: CronTime = Field(default="15 5 1 * *", description="When every restore is proven; UTC.")
    limit: Duration = Field(default="6h0m0s", description="How long one call of restic may take.")
    prove_others: bool = Field(
        default=True,
        description="Prove here, at `drill-at`, that the backups which this host keeps come back. So it can read them; "
        "with false it can't, and each host proves its own.",
    )
    copy_to: CopySettings | None = Field(default=None, description="A second copy in an object store.")

    @property
    def owner_secrets(self) -> dict[str, str]:
        """The object store's key."""
        return {"copy-to.id": self.copy_to.id, "copy-to.key": self.copy_to.key} if self.copy_to else {}


class BackupService(Service):
    """restic with its schedule, and the program that says what is saved (`components/backup_runner`).

    Creates: the data folder, and the container `backup`, which is given what each service of the host declares, and
    makes its repository on another host's `backup-server` when it first saves. Once a month it proves what it keeps for
    others, in scratch containers.
    Leaves out: building the image (docs/backup.md); old snapshots, which it may not delete.

    It has the Docker socket, since every database is dumped by its own program inside its own container: whoever is
    root here is root on the host, as with Portainer. Nothing listens in it.
    """

    Settings = BackupSettings
    state = StateClass.MULTI_WRITER
    backup = Backup(disposable="dumps that are saved already, and a cache")
    secrets = {
        "password": Secret(purpose="opens the backup to the host that makes it", fixed=True),
        "recovery-password": Secret(purpose="opens the backup to its owner", fixed=True, typed=True),
        "proving-password": Secret(purpose="opens the backup to the host that proves it", fixed=True, shared=True),
    }
    folders = (DataFolder(path="backup", mode="0700"), DataFolder(path=METRICS_FOLDER, mode="0755"))

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:  # noqa: ARG003 - the same in every fleet
        return (Need(service=SERVER, port=SERVER_PORT, reason="saves to another host", on_each=True),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        settings, endpoint = args.settings, args.host.settings.docker
        socket = endpoint.removeprefix("unix://") if endpoint.startswith("unix://") else _SOCKET
        plan = plan_of(args.fleet, args.host, settings, secrets=_SECRETS)
        container = self.container(
            name,
            ContainerArgs(
                image=settings.image,
                command=[_CRONTAB],
                env={"PYTHONPATH": _LIBRARY, "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"},
                files={
                    _CRONTAB: File(content=_crontab(settings)),
                    _PLAN: File(content=json.dumps(plan, indent=2) + "\n"),
                    **_program(),
                    **self._words(),
                },
                mounts=[
                    Mount(source=args.host.settings.data, target="/data"),
                    Mount(source=socket, target=_SOCKET),
                ],
                health=["python3", "-m", "components.backup_runner", "health"],
                memory=settings.memory,
                user="0",
                capabilities=_CAPABILITIES,
                networks=(name,),
                tmpfs={"/tmp": "rw,noexec,nosuid,size=16m"},  # noqa: S108 - in the container
                stop_grace=60,
            ),
        )
        return {"container": container.name, "repository": plan["repository"]}

    def _words(self) -> dict[str, File]:
        """The private files by which restic gets in."""
        copy_to, fleet, host = self.args.settings.copy_to, self.args.fleet, self.args.host.name
        words: dict[str, pulumi.Output[str]] = {
            "repository-password": self.secret("password"),
            "recovery-password": self.secret("recovery-password"),
            "upload-password": self.args.vault.value(SERVER, "password"),
        }
        keeper = keeper_of(fleet, host, self.args.settings.to) or ""
        if proves(fleet, host) or proves(fleet, keeper):
            words["proving-password"] = self.secret("proving-password")
        if copy_to:
            words |= {
                "copy-id": self.args.vault.given(copy_to.id),
                "copy-key": self.args.vault.given(copy_to.key),
            }
        return {f"{_SECRETS}/{file}": File(content=word, private=True) for file, word in words.items()}


def _program() -> dict[str, File]:
    """The runner's own files: a changed one replaces the container, and the image stays as it is."""
    return {
        f"{_LIBRARY}/components/backup_runner/{file.name}": File(content=file.read_text())
        for file in sorted(_RUNNER.glob("*.py"))
    }


def _crontab(settings: Any) -> str:  # noqa: ANN401 - args.settings is any service's
    """Three lines; the scheduler says in its log how each ended."""
    return f"{settings.save_at} {_RUN} save\n{settings.check_at} {_RUN} check\n{settings.drill_at} {_RUN} drill\n"


SERVICE = BackupService
