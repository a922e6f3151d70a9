# An IB Gateway to try things with: no login, no market but the bars it was given, invented ones here.
# It needs nothing but Python, and listens on loopback only: the gateway shares its network.
#
# Build it from the repository's root: -f infra/containers/simulator.Dockerfile .
# BASE may name a digest. Both stages stand on it, so where its Python lies does not matter.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /app
COPY gateway/simulator gateway/simulator
# By hash and unchecked: nobody can write here later, and a start compares no times.
RUN python -m compileall -q --invalidation-mode unchecked-hash gateway

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ib-trading simulator" \
      org.opencontainers.image.description="A simulated IB Gateway with a paper account" \
      org.opencontainers.image.revision="${REVISION}"
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /app/gateway gateway
COPY infra/local/bars bars
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "gateway.simulator"]
CMD ["--port", "4002", "--bars", "bars"]
