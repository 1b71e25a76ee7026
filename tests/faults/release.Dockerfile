# Releases for tests, good ones and such as must not take over: tests/releases.py says which and builds them.
#
#   docker build --file tests/faults/release.Dockerfile --target release --build-arg VERSION=1.1.0-good tests/faults
ARG BASE=signupflow/faults:local

# A version of its own, and a fault of tests/faults/faults/__main__.py.
FROM ${BASE} AS release
ARG VERSION
ARG FAULTS_AT_START=
ARG FAULTS_AFTER=
ARG SCHEMA_REVISION
ARG SCHEMA_MIGRATIONS
ENV APP_VERSION=${VERSION} \
    FAULTS_AT_START=${FAULTS_AT_START} \
    FAULTS_AFTER=${FAULTS_AFTER}
LABEL org.opencontainers.image.version="${VERSION}" \
    org.signupflow.schema-revision="${SCHEMA_REVISION}" \
    org.signupflow.schema-migrations="${SCHEMA_MIGRATIONS}"

# One migration more.
FROM release AS migrating
ARG MIGRATION
COPY migrations/${MIGRATION}.py /srv/app/alembic/versions/

# A version that no longer knows the column which its migration drops. Bytecode is compiled again: what the image holds is
# never compared with its source.
FROM migrating AS shrunk
USER 0:0
RUN sed -i '/^    occurrence_sequence:/d' /srv/app/app/models/scheduling.py \
    && ! grep -q occurrence_sequence -r /srv/app/app --include '*.py' --exclude personal_data.py \
    && python -m compileall -q -f --invalidation-mode unchecked-hash /srv/app/app/models
USER 10001:10001
