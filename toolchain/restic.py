"""restic, its rest-server and the scheduler of backups: tests and rehearsals save with them and bring back."""

from __future__ import annotations

from toolchain import versions
from toolchain.built import BuiltProgram

_MODULE, _VERSION = versions.RESTIC_MODULE
RESTIC = BuiltProgram(
    name="restic",
    module=_MODULE,
    version=_VERSION,
    package="cmd/restic",
    expect="about 2 min on two cores",
    variable="KITESTACKS_RESTIC_VERSION",
)
_SERVER_MODULE, _SERVER_VERSION = versions.REST_SERVER_MODULE
REST_SERVER = BuiltProgram(
    name="rest-server",
    module=_SERVER_MODULE,
    version=_SERVER_VERSION,
    package="cmd/rest-server",
    expect="under 1 min on two cores",
    variable="KITESTACKS_REST_SERVER_VERSION",
)
_SCHEDULER_MODULE, _SCHEDULER_VERSION = versions.SUPERCRONIC_MODULE
SUPERCRONIC = BuiltProgram(
    name="supercronic",
    module=_SCHEDULER_MODULE,
    version=_SCHEDULER_VERSION,
    package="",
    expect="under 1 min on two cores",
    variable="KITESTACKS_SUPERCRONIC_VERSION",
)
