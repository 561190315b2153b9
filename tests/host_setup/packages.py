"""A signed repository of stand-in packages, in the layout of Docker's and of Tailscale's own."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

FAKES = Path(__file__).with_name("fakes")
_UNIT = "[Service]\nType=oneshot\nExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n"
_DOCKERD = """#!/bin/sh
# Notes what a daemon meets that is to publish ports on the private address.
exec >>/var/log/dockerd
if ip -4 -o address show | grep -qF " $(cat /srv/given/address)/"; then echo address; else echo nothing; fi
"""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package to be built.

    Attributes:
        name: As apt knows it.
        version: In full.
        files: Contents by path; those below a `bin` folder are programs.
        depends: As in a control file.
        configure: Shell lines of its postinst.
    """

    name: str
    version: str
    files: dict[str, str]
    depends: str = ""
    configure: str = ""


def docker_packages(version: str) -> list[Package]:
    full = f"5:{version}-1~debian.12~bookworm"
    unit = {"/lib/systemd/system/docker.service": _UNIT.format(command="/usr/bin/dockerd")}
    configure = "groupadd -f docker\nhang-here docker\nsystemctl daemon-reload"
    return [
        Package(name="containerd.io", version="1.7.28-1", files={}),
        Package(name="docker-ce-cli", version=full, files={"/usr/bin/docker": "#!/bin/sh\n"}),
        Package(
            name="docker-ce",
            version=full,
            files={"/usr/bin/dockerd": _DOCKERD, **unit},
            depends="docker-ce-cli, containerd.io",
            configure=configure,
        ),
    ]


def tailscale_packages(version: str) -> list[Package]:
    unit = {"/lib/systemd/system/tailscaled.service": _UNIT.format(command="/usr/bin/tailscale daemon")}
    program = {"/usr/bin/tailscale": (FAKES / "tailscale").read_text()}
    return [Package(name="tailscale", version=version, files={**program, **unit}, configure="hang-here tailscale")]


class Signer:
    """A key that signs packages; its keyring is a folder of its own."""

    def __init__(self) -> None:
        # Not below pytest's folder: the path of the agent's socket has to be short.
        self._home = tempfile.mkdtemp(prefix="kitestacks-gpg-")
        self._gpg("--quick-generate-key", "packages for tests", "ed25519", "sign", "never")
        listed = self._gpg("--list-keys", "--with-colons").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def public_key(self, *, armored: bool) -> bytes:
        return self._gpg("--export", *(["--armor"] if armored else []))

    def sign(self, text: bytes) -> bytes:
        return self._gpg("--clearsign", given=text)

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self._home, "--kill", "all"], check=True)
        # The agent takes its own sockets away when it ends, at its own time.
        shutil.rmtree(self._home, ignore_errors=True)

    def _gpg(self, *words: str, given: bytes | None = None) -> bytes:
        command = ["gpg", "--homedir", self._home, "--batch", "--quiet", "--passphrase", "", "--no-tty", *words]
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def write_repository(folder: Path, component: str, packages: list[Package], signer: Signer) -> None:
    """One suite, `bookworm`, with one component, signed."""
    index = b"".join(_build(folder, package) for package in packages)
    suite = folder / "dists" / "bookworm"
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    place = Path(component) / f"binary-{architecture}" / "Packages.gz"
    (suite / place).parent.mkdir(parents=True)
    sums = [(place, gzip.compress(index)), (place.with_suffix(""), index)]
    (suite / place).write_bytes(sums[0][1])
    lines = [
        "Suite: bookworm",
        "Codename: bookworm",
        f"Components: {component}",
        f"Architectures: {architecture}",
        "Date: Thu, 01 Jan 2026 00:00:00 UTC",
        "SHA256:",
        *(f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}" for path, content in sums),
        "",
    ]
    (suite / "InRelease").write_bytes(signer.sign("\n".join(lines).encode()))


def _build(folder: Path, package: Package) -> bytes:
    """Builds a package into the pool and returns its paragraph of the index."""
    control = f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\nMaintainer: tests\n"
    control += (f"Depends: {package.depends}\n" if package.depends else "") + "Description: a stand-in\n"
    pool = folder / "pool" / f"{package.name}_{package.version.replace(':', '%3a')}.deb"
    pool.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        script = f"#!/bin/sh\nset -e\n{package.configure}\n"
        files = {"/DEBIAN/control": control, "/DEBIAN/postinst": script, **package.files}
        for path, content in files.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            target.chmod(0o755 if target.parent.name == "bin" or target.name == "postinst" else 0o644)
        root.chmod(0o755)
        build = ["dpkg-deb", "--build", "--root-owner-group", "-Zgzip", str(root), str(pool)]
        subprocess.run(build, capture_output=True, check=True)
    built = pool.read_bytes()
    place = f"Filename: pool/{pool.name}\nSize: {len(built)}\nSHA256: {hashlib.sha256(built).hexdigest()}\n\n"
    return (control + place).encode()
