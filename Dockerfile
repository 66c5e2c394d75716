# syntax=docker/dockerfile:1
# Two images, one file; the command says which process runs.
#   api    request API, control loop, beat, migrations, bootstrap: without torch
#   model  refit, audit, inference: with torch, for the CPU or for CUDA
# Build:
#   docker build --target api -t lacuna-api .
#   docker build --target model -t lacuna-model .
#   docker build --target model --build-arg TORCH_BACKEND=cu130 -t lacuna-model:cuda .
# By digest: python -m shared.devstack.images writes images.lock, from which PYTHON_IMAGE is given (docs/operations.md).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# PYTHON_IMAGE has a tag or a digest.
# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/lacuna
RUN pip install --no-cache-dir uv==0.13.9 && uv venv /opt/lacuna
WORKDIR /src
COPY pyproject.toml requirements.lock requirements-api.sha256 requirements-model.sha256 README.md LICENSE ./

FROM build AS build-api
# Exactly what is listed, byte for byte: the project's own dependencies would bring torch.
RUN uv pip install --no-deps --require-hashes --requirement requirements-api.sha256
COPY shared shared
COPY services services
COPY migrations migrations
RUN uv pip install --no-deps .

FROM build AS build-model
ARG TORCH_BACKEND=cpu
ENV UV_TORCH_BACKEND=${TORCH_BACKEND}
# By hash, but for torch: its wheel, and the libraries that it brings, depend on the device.
RUN uv pip install --no-deps --require-hashes --requirement requirements-model.sha256 \
    && uv pip install --constraint requirements.lock torch
COPY shared shared
COPY services services
COPY migrations migrations
RUN uv pip install --no-deps .

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS run
# A volume that is mounted on the folder of shredding keys takes its owner from here.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lacuna \
    && install --directory --owner=10001 --mode=0700 /var/lib/lacuna/shredding-keys
# TOKENIZERS_PARALLELISM is no secret.
# hadolint ignore=DL3064
ENV PATH=/opt/lacuna/bin:$PATH PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false \
    HOME=/tmp HF_HOME=/tmp/huggingface LACUNA_DATA=/tmp/lacuna LACUNA_LOG_FORMAT=json \
    LACUNA_SHREDDING_KEYS=/var/lib/lacuna/shredding-keys
USER 10001
WORKDIR /tmp
CMD ["lacuna", "--help"]

FROM run AS api
COPY --from=build-api /opt/lacuna /opt/lacuna
ENV LACUNA_MODEL_SOURCE=/models/demo-vlm

FROM run AS model
COPY --from=build-model /opt/lacuna /opt/lacuna
COPY models/demo-vlm /models/demo-vlm
ENV LACUNA_MODEL_SOURCE=/models/demo-vlm
