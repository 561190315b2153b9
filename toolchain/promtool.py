"""promtool, Prometheus's own checker, in the version that the stack files pin: the tests give it what is rendered.

Service discovery, which nothing here uses, is left out (`remove_all_sd`): with it the build takes three times as long.
"""

from __future__ import annotations

from toolchain import versions
from toolchain.built import BuiltProgram

_MODULE, _VERSION = versions.PROMETHEUS_MODULE
PROMTOOL = BuiltProgram(
    name="promtool",
    module=_MODULE,
    version=_VERSION,
    package="cmd/promtool",
    tags="remove_all_sd",
    expect="about 2 min on two cores",
    variable="KITESTACKS_PROMTOOL_VERSION",
)
find, ensure = PROMTOOL.find, PROMTOOL.ensure
