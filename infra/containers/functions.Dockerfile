# One image for every function; FUNCTION_TARGET says which one an instance is, PORT where it listens.
#
# Build it from the repository's root: -f infra/containers/functions.Dockerfile .
# BASE may name a digest. Both stages stand on it, so where its Python lies does not matter.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /app
COPY requirements/functions.txt requirements.txt
# --no-deps: the lock is complete. --only-binary: no build step, so no compiler and no unlocked tool.
# The libraries' own tests are a tenth of them, and nothing imports them.
RUN python -m venv --without-pip .venv \
 && python -m pip --python .venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --root-user-action ignore --require-hashes --no-deps --only-binary :all: --no-compile \
    --requirement requirements.txt \
 && find .venv -type d -name tests -prune -exec rm -rf {} +
# By hash and unchecked: nobody can write here later, and a start compares no times.
RUN .venv/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash .venv/lib || true
WORKDIR /source
COPY requirements/functions.txt requirements/
COPY schemas schemas
COPY functions functions
COPY infra/bundles.py infra/
RUN python -m infra.bundles /app/bundle \
 && python -m compileall -q --invalidation-mode unchecked-hash /app/bundle

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ib-trading functions" \
      org.opencontainers.image.description="Strategies, alerts and the watchdog, fed by Pub/Sub" \
      org.opencontainers.image.revision="${REVISION}"
# Numba keeps what it compiled; where nothing else can be written, it wants to be told where.
ENV PATH=/app/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    FUNCTION_SIGNATURE_TYPE=cloudevent
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/bundle ./
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "functions_framework"]
