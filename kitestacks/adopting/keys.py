"""Keys: which secrets an installation made by hand already has, and how each is given without being shown."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from components.secrets import GIVEN
from components.settings import service_class
from kitestacks.adopting.plan import When, finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.secrets import Secret
    from kitestacks.adopting.declared import Declared
    from kitestacks.adopting.found import FoundContainer
    from kitestacks.adopting.plan import Finding, Pair


def missing_secrets(declared: Declared, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """The secrets that would be made anew although the data was made with others.

    One that encrypts data must be given. The others are worth giving: a new one logs people out, or has to be set in
    the database first.
    """
    for name in dict.fromkeys(pair.new.service for pair in pairs):
        service = service_class(name)
        olds = [pair.old for pair in pairs if pair.new.service == name]
        for key, variables in service.adopts.items():
            secret = service.secrets[key]
            stack = declared.fleet.foundation if secret.shared else declared.fleet.here
            if f"{stack} {name}.{key}" not in declared.given:
                yield from _missing(declared, stack, f"{name}.{key}", secret, variables, olds)


def _missing(
    declared: Declared, stack: str, key: str, secret: Secret, variables: Sequence[str], olds: Sequence[FoundContainer]
) -> Iterator[Finding]:
    setting = f"pulumi config set --secret {GIVEN}:{key} -s {stack}"
    path = f"{GIVEN}:{key}"
    reading = next(
        (
            reading
            for old in olds
            for variable in variables
            if (reading := _reading(old, variable, declared.fleet.own.host.docker))
        ),
        "",
    )
    if reading:
        what = "data is encrypted with the old one" if secret.fixed else "a new one would be made"
        when = When.BEFORE if secret.fixed else When.LATER
        yield finding(when, path, f"must be given, not made: {what} ({secret.purpose})", f"{reading} | {setting}")
    elif secret.fixed:
        yield finding(
            When.BEFORE,
            path,
            f"must be given, not made, and stands in no variable of {', '.join(old.name for old in olds)} "
            f"({' or '.join(variables)}): {secret.purpose}",
            f"find it in the program's own configuration file, then <what prints it> | {setting}",
        )


def _reading(old: FoundContainer, variable: str, endpoint: str) -> str:
    """The command that prints a secret into a pipe; empty where the container does not have it."""
    docker = f"docker -H {endpoint}" if endpoint.startswith("ssh://") else "docker"
    if variable in old.variables:
        every = "'{{range .Config.Env}}{{println .}}{{end}}'"
        return f"{docker} inspect --format {every} {old.name} | sed -n 's/^{variable}=//p'"
    file = old.variables.get(f"{variable}_FILE") or old.variables.get(f"FILE__{variable}")
    return f"{docker} exec {old.name} cat {shlex.quote(file)}" if file else ""
