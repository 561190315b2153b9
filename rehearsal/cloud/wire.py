"""Property values as the engine sends them: the one place that knows how secrets and unknown values are written.

Providers work on plain values. A secret is unwrapped on the way in and wrapped again on the way out; a value that is
not known yet (a preview) is the string `UNKNOWN`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value
from pulumi.runtime import rpc
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNKNOWN = rpc.UNKNOWN

Props = dict[str, Any]
"""A resource's properties by their names on the wire (camelCase), as plain values."""


def _is_secret(struct: Struct) -> bool:
    fields = struct.fields
    return _special_sig_key in fields and fields[_special_sig_key].string_value == _special_secret_sig


def _plain(value: Value) -> Any:  # noqa: ANN401 - a JSON value
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        struct = value.struct_value
        return _plain(struct.fields["value"]) if _is_secret(struct) else plain(struct)
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return value.string_value if kind == "string_value" else None


def plain(struct: Struct) -> Props:
    """Unwrap everything; a property that is null counts as not given."""
    return {key: _plain(value) for key, value in struct.fields.items() if value.WhichOneof("kind") != "null_value"}


def _holds_secret(value: Value) -> bool:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _is_secret(value.struct_value) or any(map(_holds_secret, value.struct_value.fields.values()))
    return kind == "list_value" and any(map(_holds_secret, value.list_value.values))


def secret_keys(struct: Struct) -> set[str]:
    """Name the properties that hold a secret at any depth."""
    return {key for key, value in struct.fields.items() if _holds_secret(value)}


def is_unknown(value: object) -> bool:
    """Say whether a value, or a part of it, is not known yet."""
    if isinstance(value, dict):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return value == UNKNOWN


def _value(content: object) -> Value:
    if content is None:
        return Value(null_value=0)  # type: ignore[arg-type]  # the enum has this one member
    if isinstance(content, bool):
        return Value(bool_value=content)
    if isinstance(content, (int, float)):
        return Value(number_value=content)
    if isinstance(content, str):
        return Value(string_value=content)
    if isinstance(content, dict):
        return Value(struct_value=Struct(fields={key: _value(item) for key, item in content.items()}))
    if isinstance(content, list):
        return Value(list_value=ListValue(values=map(_value, content)))
    message = f"a property cannot hold a {type(content).__name__}"
    raise TypeError(message)


def _secret(value: Value) -> Value:
    return Value(struct_value=Struct(fields={_special_sig_key: _value(_special_secret_sig), "value": value}))


def encode(values: Mapping[str, object], *, like: Iterable[Struct] = (), secret: Iterable[str] = ()) -> Struct:
    """Write properties for the engine.

    Args:
        values: what to write.
        like: what the engine sent, best first. A property with the same value is written as it was sent, so that a
            secret deep inside it stays where it was; one that held a secret stays secret when its value changes.
        secret: the properties that are secret whatever the engine sent.
    """
    likes = list(like)
    secrets = set(secret).union(*map(secret_keys, likes))
    fields = {}
    for key, content in values.items():
        sent = next((s.fields[key] for s in likes if key in s.fields and _plain(s.fields[key]) == content), None)
        value = _value(content) if sent is None else sent
        fields[key] = _secret(value) if key in secrets and not _holds_secret(value) else value
    return Struct(fields=fields)
