# One image for every process; the command says which. Build: docker build --build-arg TORCH_BACKEND=cu130 -t lacuna .
FROM python:3.11-slim-bookworm AS build
ARG TORCH_BACKEND=cpu
ENV UV_TORCH_BACKEND=${TORCH_BACKEND} UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.9 && uv venv /opt/lacuna
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY shared shared
COPY services services
COPY migrations migrations
RUN VIRTUAL_ENV=/opt/lacuna uv pip install --constraint requirements.lock .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin lacuna
COPY --from=build /opt/lacuna /opt/lacuna
COPY models/demo-vlm /models/demo-vlm
# TOKENIZERS_PARALLELISM is no secret.
# hadolint ignore=DL3064
ENV PATH=/opt/lacuna/bin:$PATH PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false \
    HF_HOME=/tmp/huggingface LACUNA_DATA=/tmp/lacuna LACUNA_MODEL_SOURCE=/models/demo-vlm
USER 10001
WORKDIR /tmp
CMD ["lacuna", "--help"]
