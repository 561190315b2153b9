"""Simulated Random: values are made at creation and then live in Pulumi's state alone, as with the real provider.

Left out: ``RandomPassword.bcryptHash``, and the types RandomInteger, RandomPet and RandomShuffle.
"""
# ruff: noqa: ARG002  (named after the provider; a resource's methods share one signature)

from __future__ import annotations

import base64
import secrets
import string
import uuid
from typing import TYPE_CHECKING, ClassVar

from .resource import Fault, Provider, Refusal, Resource, shape
from .wire import Props, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .store import Store

_CLASSES = {
    "lower": string.ascii_lowercase,
    "numeric": string.digits,
    "special": "!@#$%&*()-_=+[]{}<>:?",  # the real provider's own choice
    "upper": string.ascii_uppercase,
}


class _Random(Resource):
    """What all have in common: any change makes a new value, and there is nothing outside to read or to remove."""

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        if not state:
            raise Refusal(f"{self.type_name}: importing is not simulated")
        return state

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Have nothing to remove."""


class RandomString(_Random):
    """Characters drawn from classes, with a least number of each."""

    type_name = "random:index/randomString:RandomString"
    inputs = shape(
        "length keepers lower minLower minNumeric minSpecial minUpper number numeric overrideSpecial special upper"
    )
    required = ("length",)
    computed: ClassVar[Sequence[str]] = ("result",)
    replaces = frozenset(inputs)

    def check(self, inputs: Props) -> Iterator[Fault]:
        """Yield a length that cannot hold what is asked of it."""
        if is_unknown(inputs) or "length" not in inputs:
            return
        least = sum(inputs.get(f"min{name.capitalize()}", 0) for name in _CLASSES)
        if inputs["length"] < max(1, least):
            yield Fault("length", f"must be at least {max(1, least)}, the sum of the least numbers asked for")
        if not _pool(inputs):
            yield Fault("length", "there is no character left to choose from")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Draw the characters; the value is its own id, as with the real provider."""
        drawn = self._draw(inputs)
        return drawn, {"result": drawn}

    @staticmethod
    def _draw(inputs: Props) -> str:
        # As with the real provider, a class that is switched off still serves its own least number.
        drawn = [
            secrets.choice(characters)
            for name, characters in _characters(inputs).items()
            for _ in range(inputs.get(f"min{name.capitalize()}", 0))
        ]
        drawn += [secrets.choice(_pool(inputs)) for _ in range(inputs["length"] - len(drawn))]
        secrets.SystemRandom().shuffle(drawn)
        return "".join(drawn)


def _characters(inputs: Props) -> dict[str, str]:
    return {**_CLASSES, "special": inputs.get("overrideSpecial") or _CLASSES["special"]}


def _pool(inputs: Props) -> str:
    wanted = {**inputs, "numeric": inputs.get("numeric", inputs.get("number", True))}
    return "".join(characters for name, characters in _characters(inputs).items() if wanted.get(name, True))


class RandomPassword(RandomString):
    """A `RandomString` that is secret and whose id tells nothing."""

    type_name = "random:index/randomPassword:RandomPassword"
    secrets = ("result",)

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Draw the characters."""
        return "none", {"result": self._draw(inputs)}


class RandomId(_Random):
    """Bytes that are not secret, in four spellings."""

    type_name = "random:index/randomId:RandomId"
    inputs = shape("byteLength keepers prefix")
    required = ("byteLength",)
    computed = ("b64Std", "b64Url", "dec", "hex")
    replaces = frozenset(inputs)

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Draw the bytes."""
        drawn, prefix = secrets.token_bytes(inputs["byteLength"]), inputs.get("prefix", "")
        url = base64.urlsafe_b64encode(drawn).decode().rstrip("=")
        return url, {
            "b64Std": prefix + base64.b64encode(drawn).decode(),
            "b64Url": prefix + url,
            "dec": f"{prefix}{int.from_bytes(drawn, 'big')}",
            "hex": prefix + drawn.hex(),
        }


class RandomUuid(_Random):
    """A random UUID that is not secret."""

    type_name = "random:index/randomUuid:RandomUuid"
    inputs = shape("keepers")
    computed = ("result",)
    replaces = frozenset(inputs)

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Draw it."""
        drawn = str(uuid.uuid4())
        return drawn, {"result": drawn}


class RandomBytes(_Random):
    """Secret bytes."""

    type_name = "random:index/randomBytes:RandomBytes"
    inputs = shape("length keepers")
    required = ("length",)
    computed = ("base64", "hex")
    secrets = ("base64", "hex")
    replaces = frozenset(inputs)

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Draw them."""
        drawn = secrets.token_bytes(inputs["length"])
        return "none", {"base64": base64.b64encode(drawn).decode(), "hex": drawn.hex()}


RANDOM = Provider(
    name="random",
    resources=(RandomString(), RandomPassword(), RandomId(), RandomUuid(), RandomBytes()),
)
