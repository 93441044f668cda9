# syntax=docker/dockerfile:1
# Pin the base by digest in your own build: FROM python:3.13.9-slim-bookworm@sha256:<digest you checked>.
ARG PYTHON=3.13.9-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/audit-receiver
COPY requirements/ requirements/
RUN /opt/audit-receiver/bin/pip install --require-hashes -r requirements/run.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY audit_receiver/ audit_receiver/
RUN /opt/build/bin/python -m hatchling build -t wheel \
 && /opt/audit-receiver/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/audit-receiver/bin/python -m compileall -q /opt/audit-receiver/lib

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="audit-receiver" \
      org.opencontainers.image.description="OTLP in, evidence out: a tamper-evident SQLite ledger of audit records" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/audit-receiver /opt/audit-receiver
COPY config/container.yaml /etc/audit-receiver/config.yaml
# The ledger's directory: group-readable, so that another container of the pod may read the file.
RUN install -d -o 65532 -g 65532 -m 2750 /data /anchor
ENV PATH=/opt/audit-receiver/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /data
VOLUME ["/data", "/anchor"]
EXPOSE 4317 4318 13133 8888
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:13133/healthz', timeout=2)"]
ENTRYPOINT ["audit-receiver"]
CMD ["serve", "--config", "/etc/audit-receiver/config.yaml"]
