# syntax=docker/dockerfile:1
# Two images: `app` (web, workers, migrate) and `minio` (the object store, built from source).
# Not built yet where this was written: there was no Docker. See README, "Not yet".

# --- MinIO from source: its makers publish no more binaries -----------------------------------------------------------
FROM golang:1.24-bookworm AS minio-build
RUN CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" \
    github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

FROM debian:bookworm-slim AS minio
RUN useradd --system --uid 10002 --no-create-home minio && install -d -o minio -g minio -m 0700 /data
COPY --from=minio-build /go/bin/minio /usr/local/bin/minio
USER minio
VOLUME /data
EXPOSE 9000
ENTRYPOINT ["minio"]
CMD ["server", "/data", "--address", ":9000"]

# --- exhibit: packages first, so that a change of code doesn't install them anew --------------------------------------
FROM python:3.11-slim-bookworm AS app-build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/exhibit/venv
WORKDIR /opt/exhibit/source
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/exhibit/venv/bin/pip install --require-hashes --no-deps -r requirements/runtime.txt \
    && /opt/exhibit/venv/bin/pip install "setuptools>=77"
COPY pyproject.toml README.md LICENSE ./
COPY requirements/runtime.in requirements/optimise.in requirements/
COPY evidence evidence
COPY config config
COPY storage storage
COPY media media
COPY detectors detectors
COPY casefile casefile
COPY ingest ingest
COPY workers workers
COPY web web
COPY cli cli
# The front-end files come from npm, by the Node.js that is among the packages; then the program itself.
RUN /opt/exhibit/venv/bin/python web/build_static.py \
    && rm -rf web/node_modules \
    && /opt/exhibit/venv/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm AS app
RUN useradd --system --uid 10001 --home-dir /data --no-create-home exhibit \
    && install -d -o exhibit -g exhibit -m 0700 /data
COPY --from=app-build /opt/exhibit/venv /opt/exhibit/venv
ENV PATH=/opt/exhibit/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    YOLO_AUTOINSTALL=false \
    YOLO_OFFLINE=true \
    EXHIBIT_DATA_DIR=/data \
    EXHIBIT_MODELS_DIR=/models
USER exhibit
WORKDIR /data
VOLUME /data
ENTRYPOINT ["exhibit"]
CMD ["--help"]
