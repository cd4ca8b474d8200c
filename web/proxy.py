"""A reverse proxy that ends TLS in front of us: only it may come from another machine, and only it is believed."""

from __future__ import annotations

import ipaddress
import logging

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from evidence.errors import BadInput

log = logging.getLogger("exhibit.web")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_REFUSAL = b"This server is reached through its proxy.\n"


def networks_of(trusted_proxy: str) -> list[Network]:
    """`10.0.0.7`, `10.0.0.0/24`, or several with commas. Raises: BadInput."""
    try:
        return [ipaddress.ip_network(part.strip()) for part in trusted_proxy.split(",") if part.strip()]
    except ValueError as exc:
        raise BadInput(
            f"setting trusted_proxy: {exc}", hint="Write the proxy's address, or its network: 10.0.0.7 or 10.0.0.0/24."
        ) from exc


class BehindProxy:
    """Refuses other machines than the proxy: they would send passwords past its TLS. This machine may come too."""

    def __init__(self, app: ASGIApp, trusted_proxy: str) -> None:
        self._networks = networks_of(trusted_proxy)
        self._app = ProxyHeadersMiddleware(app, [str(network) for network in self._networks])  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._may_come(scope.get("client")):
            await self._app(scope, receive, send)  # type: ignore[arg-type]
            return
        log.warning("refused a request that did not come through the proxy")
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(_REFUSAL)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})

    def _may_come(self, client: tuple[str, int] | None) -> bool:
        if client is None:
            return False
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return mapped.is_loopback or any(mapped in network for network in self._networks)
