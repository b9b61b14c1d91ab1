# Built from the pinned locks, as `make setup` does it, and run without any of the tools that built it.
#   docker build -t portico:0.1.0 .
# Without settings it is the embedded shop on SQLite, all of it in the volume /data; docs/operations.md says more.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
ENV UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
COPY locks/uv.txt locks/runtime.txt locks/
RUN python -m venv /opt/uv \
    && /opt/uv/bin/python -m pip install --no-cache-dir --require-hashes -r locks/uv.txt \
    && python -m venv --without-pip /opt/portico \
    && /opt/uv/bin/uv pip sync --compile-bytecode --require-hashes --python /opt/portico/bin/python locks/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY commerce commerce
COPY public_api public_api
COPY internal_api internal_api
COPY graphql_api graphql_api
COPY gateway gateway
# What builds the package is in the lock too: nothing is fetched here.
RUN /opt/uv/bin/uv pip install --no-deps --no-build-isolation --offline --compile-bytecode \
    --python /opt/portico/bin/python /build

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Portico" \
      org.opencontainers.image.description="One commerce core behind four isolated doors." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# The number, not the name, is what a cluster can check not to be root.
RUN groupadd --gid 10001 portico \
    && useradd --uid 10001 --gid portico --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin portico \
    && install --directory --owner portico --group portico --mode 0750 /data
COPY --from=build /opt/portico /opt/portico
WORKDIR /app
COPY gunicorn.conf.py ./
ENV PATH=/opt/portico/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORTICO_DATA_DIR=/data \
    PORTICO_ENVIRONMENT=production
USER 10001:10001
# All that is ever written: the root file system may be read-only.
VOLUME ["/data", "/tmp"]
EXPOSE 8000
# Drains: give it 35 s (`docker stop --timeout 35`), for gunicorn takes up to 28.
STOPSIGNAL SIGTERM
# PORTICO_TRUSTED_HOSTS, where it is set, must name localhost.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client as http; asked = http.HTTPConnection('127.0.0.1', 8000, timeout=4); asked.request('GET', '/healthz', headers={'Host': 'localhost'}); raise SystemExit(asked.getresponse().status != 200)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "-b", "0.0.0.0:8000", "gateway.main:app"]
