"""Programs that are built from one Go module each when they are wanted, and kept, as Caddy and restic."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit
from toolchain import files, gobuild

if TYPE_CHECKING:
    from pathlib import Path

    from kitestacks.console import Console


@dataclass(frozen=True, kw_only=True)
class BuiltProgram:
    """One program.

    Attributes:
        name: The file's name, and the piece's on the record.
        module: Its Go module.
        version: The pinned version.
        package: The program's package below the module; empty: the module's own.
        symbol: What follows the module in the name of the linker symbol that takes the version, if one does.
        tags: Go build tags.
        expect: How long it takes on two cores, in words.
        variable: Names another version; nothing else does.
    """

    name: str
    module: str
    version: str
    package: str
    symbol: str = ""
    tags: str = ""
    expect: str
    variable: str

    @property
    def file(self) -> Path:
        """Where it lies."""
        return files.BIN / self.name

    def find(self) -> Path | None:
        """The program that is there and whole. No network, no work."""
        recorded = files.load().get(self.name)
        return self.file if recorded is not None and files.fault(recorded) is None else None

    def ensure(self, console: Console) -> Path:
        """The program, built unless the one that is there is whole and of the wanted version.

        Raises:
            CommandError: Go is missing, or the build failed.
        """
        version = os.environ.get(self.variable, self.version)
        recorded = files.load().get(self.name)
        if recorded is not None and recorded["version"] == version:
            fault = files.fault(recorded)
            if fault is None:
                return self.file
            console.line(f"{self.name}: {fault}: building it again")
        try:
            gobuild.build(
                gobuild.module_folder(self.name, {self.module: version}),
                "/".join(filter(None, (self.module, self.package))),
                self.file,
                console,
                title=f"build {self.name} {version} from Go modules",
                expect=self.expect,
                flags=(
                    *(("-tags", self.tags) if self.tags else ()),
                    *gobuild.linker(f"-X {self.module}{self.symbol}={version}" if self.symbol else ""),
                ),
            )
        except files.UnavailableError as reason:
            raise CommandError(f"{self.name}: {reason}", "python3 -m kitestacks doctor", Exit.CONFIGURATION) from None
        files.save(self.name, files.entry(self.file, version=version, source="Go modules"))
        return self.file
