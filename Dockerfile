# The service with the models in model_store:
#   docker build --tag captcha-reader . && docker run --rm --publish 127.0.0.1:8000:8000 captcha-reader

FROM python:3.13-slim AS base


FROM base AS build

# serve, or tracing (adds the OpenTelemetry SDK).
ARG REQUIREMENTS=serve

# The base's pip installs into the environment. Wheels only, since there is no compiler.
COPY requirements/${REQUIREMENTS}.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv install --disable-pip-version-check --no-cache-dir --no-compile \
        --only-binary :all: --require-hashes --requirement /tmp/requirements.txt \
    # Remove 75 MB that the service never uses: tests, headers, build tools, and ONNX Runtime's C library, which its
    # Python module also contains.
    && cd /opt/venv/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && find . -type f -regex '.*\.\(pyi\|pyx\|pxd\|c\|h\|a\)' -delete \
    && rm -r onnxruntime/transformers onnxruntime/tools onnxruntime/quantization onnxruntime/datasets \
        onnxruntime/capi/libonnxruntime.so.* numpy/f2py pygments

WORKDIR /srv
COPY model_store model_store
COPY app app
# Compile bytecode now, since the service cannot write; of the packages only imported modules. chmod makes the
# permissions independent of the checkout's umask.
RUN python -m compileall -q app \
    && /opt/venv/bin/python -c "import app.bulk.reader, app.observability.exposition, app.serving.application, \
app.serving.server, app.serving.worker, PIL.Image, PIL.TiffImagePlugin, PIL.WebPImagePlugin, rich.progress; \
PIL.Image.preinit()" \
    && chmod -R a+rX,go-w .


FROM base

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Captcha reader" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.description="Reads short text in small images over HTTP" \
      org.opencontainers.image.licenses="MIT"

# ONNX Runtime sends telemetry by default.
ENV PATH=/opt/venv/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    OCR_HOST=0.0.0.0
WORKDIR /srv
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv

# Compile the standard library modules that the service and its health check import; the base ships no bytecode.
RUN ["python", "-c", "import app.commands.cli, app.serving.application, app.serving.server, http.client, PIL.Image, uvicorn"]

USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM

# http.client and not urllib, which would use a proxy from the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-I", "-c", "\
import http.client, os, sys; \
server = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('OCR_PORT') or 8000), timeout=4); \
server.request('GET', '/readyz'); \
sys.exit(server.getresponse().status != 200)"]

CMD ["python", "-m", "app"]
