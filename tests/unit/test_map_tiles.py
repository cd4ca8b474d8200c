"""Where a map's tiles come from, and what a browser may therefore ask."""

from __future__ import annotations

import pytest

from config.settings import load
from evidence.errors import BadInput
from web.headers import content_security_policy


def allowed(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (directive.split() for directive in policy.split("; "))}


def test_as_shipped_no_other_host_is_asked() -> None:
    assert load(environ={}).map_tiles == ""
    sources = {source for some in allowed(content_security_policy()).values() for source in some}
    assert sources == {"'none'", "'self'", "data:"}


@pytest.mark.parametrize("tiles", ["/tiles/{z}/{x}/{y}.png", "/{z}/{y}/{x}?style=road"])
def test_tiles_of_our_own_change_nothing(tiles: str) -> None:
    assert content_security_policy(load({"map_tiles": tiles}, {}).map_tiles) == content_security_policy()


def test_only_the_host_of_the_tiles_is_added_and_only_for_pictures() -> None:
    tiles = load({"map_tiles": "https://tiles.example.org:8443/os/{z}/{x}/{y}.png?key=1;script-src"}, {}).map_tiles
    plain, with_tiles = allowed(content_security_policy()), allowed(content_security_policy(tiles))
    changed = {name: set(some) - set(plain[name]) for name, some in with_tiles.items() if some != plain[name]}
    host = {"https://tiles.example.org:8443"}
    assert changed == {"img-src": host, "connect-src": host}


@pytest.mark.parametrize(
    "tiles",
    [
        "https://tiles.example.org/{z}/{x}.png",
        "//tiles.example.org/{z}/{x}/{y}.png",
        "ftp://tiles.example.org/{z}/{x}/{y}.png",
        "https://tiles.example.org; script-src */{z}/{x}/{y}.png",
        "https://*/{z}/{x}/{y}.png",
        "https://a.org,b.org/{z}/{x}/{y}.png",
        "javascript:alert(1)//{z}{x}{y}",
        "tiles/{z}/{x}/{y}.png",
    ],
)
def test_anything_else_is_refused(tiles: str) -> None:
    with pytest.raises(BadInput, match="map_tiles"):
        load({"map_tiles": tiles}, {})
