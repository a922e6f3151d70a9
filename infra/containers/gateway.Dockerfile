# One image for the commander, the guard, and those that only look; the argument says which:
#   -m gateway | -m gateway.guard | -m gateway.doctor | gateway.status | gateway.why | gateway.replay_log
#
# Build it from the repository's root: -f infra/containers/gateway.Dockerfile .
# BASE may name a digest. Both stages stand on it, so where its Python lies does not matter.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /app
COPY requirements/gateway.txt requirements.txt
# --no-deps: the lock is complete. --only-binary: no build step, so no compiler and no unlocked tool.
# The libraries' own tests are a tenth of them, and nothing imports them.
RUN python -m venv --without-pip .venv \
 && python -m pip --python .venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --root-user-action ignore --require-hashes --no-deps --only-binary :all: --no-compile \
    --requirement requirements.txt \
 && find .venv -type d -name tests -prune -exec rm -rf {} +
# By hash and unchecked: nobody can write here later, and a start compares no times.
RUN .venv/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash .venv/lib || true
COPY schemas schemas
COPY gateway gateway
# The simulator is a broker of its own, with an image of its own.
RUN rm -r gateway/simulator \
 && .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash gateway schemas

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ib-trading gateway" \
      org.opencontainers.image.description="Commander and guard between strategies and Interactive Brokers" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/app/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/schemas schemas
COPY --from=build /app/gateway gateway
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python"]
CMD ["-m", "gateway"]
