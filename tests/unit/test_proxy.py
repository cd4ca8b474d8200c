"""Behind a reverse proxy: who may come, and whom we believe about the caller."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evidence.errors import BadInput
from web.proxy import BehindProxy, networks_of


def ask(trusted: str, peer: str | None, forwarded: str = "") -> tuple[int, str]:
    """The status, and the caller's address as the application sees it."""
    seen: list[str] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": "http", "client": (peer, 1) if peer else None, "headers": headers, "scheme": "http"}
    asyncio.run(BehindProxy(app, trusted)(scope, receive, send))
    return sent[0]["status"], seen[0] if seen else ""


@pytest.mark.parametrize(
    ("trusted", "peer", "status"),
    [
        ("10.0.0.7", "10.0.0.7", 200),
        ("10.0.0.7", "10.0.0.8", 403),
        ("10.0.0.0/24", "10.0.0.8", 200),
        ("10.0.0.7, fd00::/8", "fd00::1", 200),
        ("10.0.0.7", "::ffff:10.0.0.7", 200),
        ("10.0.0.7", "::ffff:10.0.0.9", 403),
        ("10.0.0.7", "127.0.0.1", 200),
        ("10.0.0.7", "::1", 200),
        ("10.0.0.7", "not an address", 403),
        ("10.0.0.7", None, 403),
    ],
)
def test_only_the_proxy_and_this_machine_may_come(trusted: str, peer: str | None, status: int) -> None:
    assert ask(trusted, peer)[0] == status


def test_only_the_proxy_is_believed_about_the_caller() -> None:
    assert ask("10.0.0.7", "10.0.0.7", "203.0.113.5") == (200, "203.0.113.5")
    assert ask("10.0.0.7", "127.0.0.1", "203.0.113.5") == (200, "127.0.0.1")


@pytest.mark.parametrize("wrong", ["the-proxy", "10.0.0.0/33", "10.0.0.7/24", "*"])
def test_a_proxy_that_is_no_address_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(BadInput, match="trusted_proxy"):
        networks_of(wrong)
