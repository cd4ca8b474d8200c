"""Everything that can be set, with unit, bounds and meaning.

Order, the later wins: `default.toml` beside this file, `exhibit.toml` in the data folder,
`EXHIBIT_…` environment variables, the command line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence.errors import BadInput

_DEFAULTS = Path(__file__).with_name("default.toml")
MEBIBYTE = 1024 * 1024
_TILES = (
    r"^$|^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?"  # a plain host: it goes into the content security policy
    r"/(\{z\}|[^/\s]\S*\{z\})\S*(\{x\}\S*\{y\}|\{y\}\S*\{x\})\S*$"
)


class Settings(BaseModel):
    """One frozen value for the whole program; only `load` makes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(description="Folder for everything this machine keeps: database, store, cache, models.")
    host: str = Field(description="Address the web server binds to. Beyond localhost only with TLS or a declared proxy.")
    port: int = Field(ge=0, le=65535, description="Port of the web server; 0 picks a free one.")
    tls_certificate: Path | None = Field(default=None, description="PEM certificate chain for the web server.")
    tls_key: Path | None = Field(default=None, description="PEM private key that belongs to the certificate.")
    trusted_proxy: str = Field(
        description="Addresses or networks, by commas, of the reverse proxy that ends TLS in front; only it and this machine"
        " may connect. Empty: none."
    )
    public_url: str = Field(description="The address people type, when a proxy stands in front; empty: host and port.")

    map_tiles: str = Field(
        pattern=_TILES,
        description="Address of the maps' background as raster tiles, with {z}, {x} and {y}; browsers ask that host, which"
        " so learns what places are looked at. Empty: a plain grid, and no other host is asked.",
    )
    map_attribution: str = Field(max_length=300, description="Words on whose tiles they are, shown on every map.")

    database_url: str = Field(
        description="PostgreSQL address for the owner role (migrations); empty: the embedded server.", repr=False
    )
    app_database_url: str = Field(
        description="PostgreSQL address for the application role; empty: derived from the embedded server.", repr=False
    )
    redis_url: str = Field(description="Valkey or Redis address for the bell; empty: the embedded server.", repr=False)

    store: str = Field(pattern="^(folder|minio)$", description="Where originals live: a folder on this machine, or MinIO.")
    minio_endpoint: str = Field(description="Host and port of the MinIO server.")
    minio_access_key: str = Field(description="Access key of the application's MinIO account.")
    minio_secret_key: str = Field(description="Secret key of the application's MinIO account.", repr=False)
    minio_secure: bool = Field(description="Whether to speak TLS to MinIO.")
    minio_bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{1,50}$",
        description="Name stem of the two buckets: STEM-originals (locked) and STEM-work.",
    )
    lock_days: int = Field(
        ge=1, le=3650, description="Days of COMPLIANCE lock set on an original, rolled forward while a case holds it."
    )

    max_upload_bytes: int = Field(ge=MEBIBYTE, description="Largest upload accepted, in bytes (Tus-Max-Size).")
    part_size_bytes: int = Field(
        ge=5 * MEBIBYTE, le=512 * MEBIBYTE, description="Size of a staged upload part, in bytes; memory per running upload."
    )
    upload_expiry_hours: int = Field(
        ge=1, le=24 * 90, description="Hours after its last byte that an unfinished upload is kept."
    )

    models_dir: Path | None = Field(default=None, description="Folder with model weights, looked in before DATA/models.")
    detect_labels: tuple[str, ...] = Field(description="Labels kept from the object detector.")
    object_model: str = Field(description="Catalogue name of the object detector.")
    face_models: tuple[str, ...] = Field(description="Catalogue names of face detectors, the first available is used.")
    plate_model: str = Field(description="Catalogue name of the number-plate detector; empty: none.")
    second_look_models: tuple[str, ...] = Field(
        description="Catalogue names of detectors for the second look at redacted copies: of each task the first available "
        "that did not look first. Where there is none, the first detector looks again, mirrored."
    )
    segment_s: int = Field(
        ge=5, le=3600, description="Length aimed at for a segment of video given to one worker, in seconds."
    )

    workers: int = Field(ge=0, le=256, description="Worker processes that `exhibit up` starts.")
    lease_s: int = Field(
        ge=5, le=600, description="Seconds after which a step whose worker fell silent may be claimed again."
    )
    sweep_s: float = Field(ge=0.2, le=60, description="Seconds between looks for ready steps that nobody was rung for.")
    cache_bytes: int = Field(ge=0, description="Size of the cache of originals on a worker machine, in bytes.")
    scratch_reserve_bytes: int = Field(
        ge=0, description="Free space that must remain on a worker machine after a claim, in bytes."
    )
    child_memory_bytes: int = Field(
        ge=0, description="Address-space limit of a media child in bytes; 0: none (CUDA needs none)."
    )
    child_cpu_s: int = Field(ge=0, description="CPU seconds a media child may use for one step; 0: no limit.")
    step_timeout_s: int = Field(ge=10, description="Wall-clock seconds one step may take before its child is stopped.")
    step_silence_s: int = Field(
        ge=0, description="Seconds a step's child may get no further before it is stopped as hung; 0: no limit."
    )
    max_pixels: int = Field(ge=1, description="Largest picture decoded, in pixels (width × height).")
    max_duration_s: int = Field(ge=1, description="Longest video decoded, in seconds.")

    session_hours: int = Field(ge=1, le=24, description="Hours after which a signed-in person must sign in again.")
    sign_in_tries: int = Field(
        ge=3, le=100, description="Failed sign-ins per name in 15 minutes before that name must wait."
    )
    sign_in_tries_per_address: int = Field(
        ge=10, le=10_000, description="Failed sign-ins from one address in 15 minutes before it must wait."
    )
    log_level: str = Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe log line written.")

    @property
    def cache_dir(self) -> Path:
        return self.data_dir / "cache"

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """Where weights are looked for, in order."""
        own = self.data_dir / "models"
        return (self.models_dir, own) if self.models_dir else (own,)


def load(overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read all sources and check them. Only the doors (`cli`, `web.app`) call this.

    Raises: BadInput naming the setting that is wrong and where it came from.
    """
    import os

    environ = os.environ if environ is None else environ
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    values: dict[str, Any] = tomllib.loads(_DEFAULTS.read_text("utf-8"))
    from_environment = _from_environment(environ)
    data_dir = Path(given.get("data_dir") or from_environment.get("data_dir") or values["data_dir"]).expanduser()
    site = data_dir / "exhibit.toml"
    if site.exists():
        try:
            values |= tomllib.loads(site.read_text("utf-8"))
        except tomllib.TOMLDecodeError as exc:
            raise BadInput(
                f"{site} is not valid TOML: {exc}", hint="Correct the file; docs/operations.md lists every setting."
            ) from exc
    values |= from_environment | given
    values["data_dir"] = data_dir.absolute()
    try:
        return Settings(**values)
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"setting {name}: {first['msg']}", hint="docs/operations.md lists every setting with its bounds."
        ) from exc


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """EXHIBIT_NAME=value for every known setting; lists are comma-separated; an empty value counts as not given."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        text = environ.get(f"EXHIBIT_{name.upper()}", "")
        if text:
            is_list = "tuple" in str(field.annotation)
            found[name] = tuple(part.strip() for part in text.split(",")) if is_list else text
    return found
