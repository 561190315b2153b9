"""Syncthing, without its web pages: the tests carry files with it between two hosts.

It is the newest version that can be had as a Go module. Version 2, which the stack files pin, names its module as
version 1 did, so that no version of it can be asked for.
"""

from __future__ import annotations

from toolchain import versions
from toolchain.built import BuiltProgram

_MODULE, _VERSION = versions.SYNCTHING_MODULE
SYNCTHING = BuiltProgram(
    name="syncthing",
    module=_MODULE,
    version=_VERSION,
    package="cmd/syncthing",
    symbol="/lib/build.Version",
    tags="noassets",
    expect="about 2 min on two cores",
    variable="KITESTACKS_SYNCTHING_VERSION",
)
