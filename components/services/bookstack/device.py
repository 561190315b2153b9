"""Device: what a host's Syncthing is known by, made from one secret that all hosts share.

A device is its certificate, and its ID is made from that (`syncthing/docs:dev/device-ids.rst`). Nothing in it depends
on chance or on the day: the same secret gives each host the same certificate for ever, and each knows the others' IDs.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

_PURPOSE = "kitestacks syncthing device "
_KEY_BYTES = 32
_NAME = "syncthing"
"""The common name that the other side demands (`syncthing/syncthing:lib/config/deviceconfiguration.go`)."""
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CHECKED = 13
"""Characters of an ID that one check character guards."""
_SHOWN = 7
"""Characters of an ID between two dashes."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One host's Syncthing.

    Attributes:
        certificate: In PEM; it is shown to whoever connects.
        key: Its private key, in PEM.
        id: What the other side's settings name it by.
    """

    certificate: str
    key: str
    id: str

    @classmethod
    def of(cls, host: str, seed: str) -> Device:
        """A host's device, from the shared secret."""
        # Fifty milliseconds, which no other command and no step of another service shall wait for.
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415
        from cryptography.x509.oid import NameOID  # noqa: PLC0415

        derived = HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=f"{_PURPOSE}{host}".encode())
        key = Ed25519PrivateKey.from_private_bytes(derived.derive(seed.encode()))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), serial_number=1)
            .not_valid_before(_FROM)
            .not_valid_after(_UNTIL)
            .sign(key, algorithm=None)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(
            certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
            key=private.decode(),
            id=_id(certificate.fingerprint(hashes.SHA256())),
        )


def _id(fingerprint: bytes) -> str:
    """The fingerprint in base32, with a check character after each part, in groups."""
    plain = base64.b32encode(fingerprint).decode().rstrip("=")
    parts = (plain[at : at + _CHECKED] for at in range(0, len(plain), _CHECKED))
    checked = "".join(part + _check_character(part) for part in parts)
    return "-".join(checked[at : at + _SHOWN] for at in range(0, len(checked), _SHOWN))


def _check_character(part: str) -> str:
    """Luhn's sum, modulo 32, weights from the left, as Syncthing counts it (`lib/protocol/luhn.go`)."""
    total = 0
    for place, character in enumerate(part):
        product = _ALPHABET.index(character) * (1 + place % 2)
        total += product // len(_ALPHABET) + product % len(_ALPHABET)
    return _ALPHABET[-total % len(_ALPHABET)]
