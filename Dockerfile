# SignUpFlow's image. Builds with the classic builder and with BuildKit of Docker 20.10 on, over any image that has
# `python` 3.11 or later with pip: the official one, or Debian's python under the same name.
#
#   docker build --build-arg VERSION=1.4.0 --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%FT%TZ) .
ARG BASE=python:3.13-slim

FROM ${BASE} AS builder
# --target, not a venv: a venv ties itself to the interpreter's path and needs ensurepip, and Debian's python has neither
# the official image's path nor ensurepip. A directory on PYTHONPATH works over both.
# What only builds or tests the libraries goes: sources of their compiled parts, and their test suites.
COPY requirements/app.txt /build/requirements.txt
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
    --target /opt/site -r /build/requirements.txt \
    && find /opt/site \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.pyi' \) -delete \
    && rm -rf /opt/site/sqlalchemy/testing /opt/site/alembic/testing
COPY alembic.ini /srv/app/alembic.ini
COPY alembic /srv/app/alembic
COPY app /srv/app/app
# The import of an old SQLite file runs on hosts from the very image that will serve its rows.
COPY sqlite_import /srv/app/sqlite_import
# Hash-based and unchecked: valid whatever the copied files' times are, and nothing is ever compiled at run time.
# Modes first: a checkout on a machine with umask 027 would be closed to the app's user.
RUN chmod -R a+rX /srv/app && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /srv/app

FROM ${BASE} AS common
# A fixed uid, so that mounts and secret files can be owned by it. /data is the data mount.
RUN printf 'app:x:10001:10001::/nonexistent:/usr/sbin/nologin\n' >> /etc/passwd \
    && printf 'app:x:10001:\n' >> /etc/group \
    && mkdir -p /data && chown 10001:10001 /data
COPY --from=builder /opt/site /opt/site
COPY --from=builder /srv/app /srv/app
WORKDIR /srv/app
ENV PYTHONPATH=/opt/site:/srv/app \
    PATH=/opt/site/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
ARG VERSION=0.0.0+unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=unknown
ARG SCHEMA_REVISION=b4e6f8a2c5d3
# Written by scripts/images.py (signupflow/release/schema.py): what each migration does to a version that runs.
ARG SCHEMA_MIGRATIONS=
ENV APP_VERSION=${VERSION} \
    APP_REVISION=${REVISION}
LABEL org.opencontainers.image.title="SignUpFlow" \
    org.opencontainers.image.description="Volunteer sign-up and scheduling" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.signupflow.schema-revision="${SCHEMA_REVISION}" \
    org.signupflow.schema-migrations="${SCHEMA_MIGRATIONS}"
USER 10001:10001
STOPSIGNAL SIGTERM

# Commands that run on the database's host: backups, restores, their watch. Nothing of the app is in it, so that a release
# or a rollback of the app changes nothing about them. They end, so there is no health check.
FROM ${BASE} AS ops
COPY requirements/ops.txt /build/requirements.txt
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
    --target /opt/site -r /build/requirements.txt && rm -rf /opt/site/bin
ENV PYTHONPATH=/opt/site:/srv/ops \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv/ops
COPY signupflow/__init__.py signupflow/
COPY signupflow/shared signupflow/shared
COPY backup backup
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /srv/ops
LABEL org.opencontainers.image.title="SignUpFlow operations" \
    org.opencontainers.image.description="Backups and restores of SignUpFlow's PostgreSQL"
# root: it speaks to the host's Docker Engine and renames PostgreSQL's directories.
CMD ["python", "-m", "backup", "--help"]

FROM common AS runtime
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "app.healthcheck"]
CMD ["python", "-m", "app"]
