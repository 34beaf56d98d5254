# One image for Ray's head, its workers and the migration job. Build it with `make image`.
#
# BASE is Debian 12 or 13, pinned by digest: --build-arg BASE=docker.io/library/debian:12-slim@sha256:... There is no default, since a digest
# that nobody chose is one that nobody updates.
ARG BASE

FROM ${BASE} AS build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends ca-certificates python3 python3-venv
ARG CA_FILE=/etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=${CA_FILE} SSL_CERT_FILE=${CA_FILE}
ARG UV_VERSION
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir uv==${UV_VERSION}
ENV UV_PROJECT_ENVIRONMENT=/opt/crypto-wallets/.venv UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /opt/crypto-wallets
COPY pyproject.toml uv.lock README.md ./
# Dependencies first: they change less often than we do.
RUN /opt/uv/bin/uv sync --quiet --frozen --no-dev --no-install-project
COPY wallets wallets
COPY adapters adapters
COPY api api
COPY deployments deployments
COPY serve_app serve_app
COPY migrations migrations
# As a package, so that nothing depends on the folder in which Ray starts a worker.
RUN /opt/uv/bin/uv sync --quiet --frozen --no-dev --no-editable \
    && .venv/bin/python -c 'from pathlib import Path; from serve_app.haproxy import install_for_cluster; install_for_cluster(Path("haproxy"))' \
    && chmod -R a+rX haproxy \
    # What Ray carries for Java and C++, and its tests, no process of ours opens.
    && rm -rf wallets adapters api deployments serve_app migrations pyproject.toml uv.lock README.md \
        .venv/lib/python3*/site-packages/ray/jars .venv/lib/python3*/site-packages/ray/cpp \
    && find .venv -type d -name tests -path '*/site-packages/*' -prune -exec rm -rf {} + \
    # The root file system is read-only in a pod: what is not compiled now is compiled at each start.
    && .venv/bin/python -m compileall -q -j 2 .venv/lib

FROM ${BASE}
# KubeRay's probes run wget in bash.
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends bash ca-certificates python3 wget \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale \
    && useradd --uid 1000 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin wallets
COPY --from=build /opt/crypto-wallets /opt/crypto-wallets
ENV PATH=/opt/crypto-wallets/.venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 1000:1000
WORKDIR /tmp
EXPOSE 3000 3001 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["wget", "--quiet", "--tries=1", "--timeout=4", "--output-document=/dev/null", "http://127.0.0.1:3000/api/v1/health/live"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="crypto-wallets-service" \
      org.opencontainers.image.description="Keeps HD wallets and signs transactions, on Ray Serve" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
CMD ["crypto-wallets", "--help"]
