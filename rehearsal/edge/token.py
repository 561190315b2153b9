"""Token: what a connector shows, the same for dialled and for simulated ones."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from rehearsal.edge.cloud import Cloud


class TokenError(Exception):
    """A token that opens no tunnel; the message never holds it."""


class Token(BaseModel):
    """Cloudflare's tunnel token: base64 of a small JSON document."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    account_id: str = Field(alias="a")
    tunnel_id: str = Field(alias="t")
    secret: str = Field(alias="s", repr=False)

    @classmethod
    def read(cls, text: str) -> Token:
        """The token's parts.

        Raises:
            TokenError: it is no token.
        """
        try:
            return cls.model_validate_json(base64.b64decode(text.strip(), validate=True))
        except (binascii.Error, ValueError, ValidationError):
            raise TokenError("not a tunnel token: it must be base64 of a JSON document with a, t and s") from None

    def check(self, cloud: Cloud) -> None:
        """Holds the token against the cloud.

        Raises:
            TokenError: the cloud knows no such tunnel, or another secret.
        """
        tunnel = cloud.cloudflare.tunnels.get(self.tunnel_id)
        if tunnel is None:
            raise TokenError(f"there is no tunnel {self.tunnel_id}; was it deleted?")
        if tunnel.account_id != self.account_id:
            raise TokenError(f"the tunnel {tunnel.name} belongs to another account")
        if not hmac.compare_digest(tunnel.secret.encode(), self.secret.encode()):
            raise TokenError(f"the secret is not that of the tunnel {tunnel.name}")
