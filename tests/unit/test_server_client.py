"""What the commands make of a server that is none: a gateway's page is no crash, and not the end of a drop folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli.client import Server
from evidence.errors import Unavailable


class _Gateway(BaseHTTPRequestHandler):
    def _welcome(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        page = b"<html>Please sign in to the network</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    do_GET = do_POST = do_HEAD = do_PATCH = _welcome  # noqa: N815 - the names that the library looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "ask",
    [
        lambda server: server.get("/me"),
        lambda server: server.create_upload(5, {"filename": "a.mp4"}),
        lambda server: server.offset("/uploads/1"),
        lambda server: server.append("/uploads/1", 0, b"bytes"),
    ],
    ids=["get", "create", "offset", "append"],
)
def test_another_server_at_the_address_is_said(gateway: str, ask: Callable[[Server], object]) -> None:
    with Server(gateway, "token") as server, pytest.raises(Unavailable, match="is not exhibit"):
        ask(server)
