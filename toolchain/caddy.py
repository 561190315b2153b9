"""Caddy as one static program, for the image that the rehearsal builds around it where no image can be pulled."""

from __future__ import annotations

from toolchain import versions
from toolchain.built import BuiltProgram

_MODULE, _VERSION = versions.CADDY_MODULE
CADDY = BuiltProgram(
    name="caddy",
    module=_MODULE,
    version=_VERSION,
    package="cmd/caddy",
    symbol=".CustomVersion",
    expect="about 2 min on two cores",
    variable="KITESTACKS_CADDY_VERSION",
)
find, ensure = CADDY.find, CADDY.ensure
