"""The `host.setup` section: how a fresh host is reached, and what it is given; without it it is prepared by hand."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from components.model import Model

_ED25519_BLOB = 51
"""Bytes of such a key: two lengths, the name of its kind, and 32 bytes of its own."""
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_SECRET = re.compile(r"[a-z][a-z0-9-]*")
_SOURCE = re.compile(r"(https://|file:///)[A-Za-z0-9._~/:-]*[A-Za-z0-9]")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_VERSION = re.compile(r"\d+(\.\d+){2}")


def _host_key(value: str) -> str:
    """Of one kind only: the client asks for the pinned key's kind, and of RSA it would ask for what sshd refuses."""
    kind, _, rest = value.partition(" ")
    try:
        blob = base64.b64decode(rest.partition(" ")[0], validate=True)
    except binascii.Error:
        blob = b""
    if kind != "ssh-ed25519" or len(blob) != _ED25519_BLOB:
        msg = (
            f"must be the host's public key, `ssh-ed25519 AAAA...`, got {value!r} "
            "(on the host: cat /etc/ssh/ssh_host_ed25519_key.pub)"
        )
        raise ValueError(msg)
    return " ".join(value.split()[:2])


def _checked(pattern: re.Pattern[str], rule: str, example: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            msg = f"{rule}, got {value!r} (for example {example})"
            raise ValueError(msg)
        return value

    return AfterValidator(check)


SshHost = Annotated[str, _checked(_ADDRESS, "must be an address or a host name", "203.0.113.7")]
HostKey = Annotated[str, AfterValidator(_host_key)]
UserName = Annotated[str, _checked(_USER, "must be a user of the host", "root")]
SecretName = Annotated[str, _checked(_SECRET, "must be the name of a secret, not the secret", "kscloud1-ssh")]
ReleaseVersion = Annotated[str, _checked(_VERSION, "must be a whole version", "28.5.1")]
Fingerprint = Annotated[
    str,
    _checked(_FINGERPRINT, "must be 40 hexadecimal digits in upper case", "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"),
]
PackageUrl = Annotated[
    str,
    _checked(_SOURCE, "must be https://... or file:///..., without a slash at the end", "https://mirror.lan/docker"),
]


class PackageSource(Model):
    """Where a program's packages come from, and the one key that signs them."""

    url: PackageUrl = Field(description="Holds one folder for each system, `debian` and `ubuntu`.")
    fingerprint: Fingerprint = Field(description="Of the key with which the packages are signed.")


DOCKER_PACKAGES = PackageSource(
    url="https://download.docker.com/linux", fingerprint="9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
)
TAILSCALE_PACKAGES = PackageSource(
    url="https://pkgs.tailscale.com/stable", fingerprint="2596A99EAAB33821893C0A79458CA832957F5868"
)


class HostSetupSettings(Model):
    """Prepares a Debian or Ubuntu host over SSH: Docker, Tailscale, the firewall. Takes effect at each `up`."""

    ssh_host: SshHost = Field(
        description="Where SSH reaches it: a public address at first, its Tailscale address once it has joined."
    )
    ssh_port: int = Field(default=22, ge=1, le=65535, description="The port on which its sshd listens.")
    ssh_user: UserName = Field(default="root", description="root, or a user who may use sudo without a password.")
    ssh_public: bool = Field(default=False, description="Said out loud: SSH stays open on the public address as well.")
    host_key: HostKey = Field(description="The host's own public key; another one is refused.")
    private_key: SecretName | None = Field(
        default=None,
        description="Names the secret (`secret:<name>`) that holds the SSH key; without it the SSH agent is asked.",
    )
    auth_key: SecretName | None = Field(
        default=None,
        description="Names the secret that holds a Tailscale key of your own; without it the foundation's is taken.",
    )
    docker_version: ReleaseVersion = Field(description="The version of Docker, for example 28.5.1; it stays.")
    tailscale_version: ReleaseVersion = Field(description="The version of Tailscale, for example 1.102.3; it stays.")
    docker_packages: PackageSource = Field(default=DOCKER_PACKAGES, description="Docker's packages, or a mirror.")
    tailscale_packages: PackageSource = Field(
        default=TAILSCALE_PACKAGES, description="Tailscale's packages, or a mirror."
    )

    @property
    def owner_secrets(self) -> dict[str, str]:
        """The secrets that only the owner can bring along: the setting that names one, and its name."""
        named = {"private-key": self.private_key, "auth-key": self.auth_key}
        return {setting: name for setting, name in named.items() if name is not None}
