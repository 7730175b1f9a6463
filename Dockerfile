# Two stages: the wheel is built once, and the image holds nothing but the installed wheel.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY requirements/demo.txt requirements/demo.txt
COPY retrieval retrieval
COPY ingest ingest
COPY serving serving
COPY api api
RUN python -m venv /opt/lastro \
 && /opt/lastro/bin/pip install --no-cache-dir --require-hashes -r requirements/demo.txt \
 && /opt/lastro/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/lastro/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/lastro lastro
COPY --from=build /opt/lastro /opt/lastro
ENV PATH=/opt/lastro/bin:$PATH PYTHONDONTWRITEBYTECODE=1 LASTRO_DATA_DIR=/var/lib/lastro/data LASTRO_CACHE_DIR=/var/lib/lastro/cache
USER lastro
WORKDIR /var/lib/lastro
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["lastro"]
CMD ["serve"]
