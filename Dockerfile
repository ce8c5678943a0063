# syntax=docker/dockerfile:1
# Every stage has its own image, built from the same codebase:
#   docker build --target extractor|transformer|starter .
ARG PYTHON=python:3.13-slim-trixie
ARG LAMBDA=public.ecr.aws/lambda/python:3.13

# ---- our wheel, and one environment per stage with its locked dependencies

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY images/install /usr/local/bin/install-locked

FROM build AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY jobs jobs
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheels .

FROM build AS extractor-environment
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=images/extractor/requirements.txt,target=/tmp/requirements.txt \
    install-locked /opt/tickerlake /tmp/requirements.txt

FROM build AS transformer-environment
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=images/transformer/requirements.txt,target=/tmp/requirements.txt \
    install-locked /opt/tickerlake /tmp/requirements.txt

# ---- what the extractor and the transformer have in common

FROM ${PYTHON} AS base
RUN useradd --uid 1000 --create-home tickerlake \
 && install -d -o tickerlake -g tickerlake /lake
ENV PATH=/opt/tickerlake/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TICKERLAKE_LAKE=/lake
USER tickerlake
WORKDIR /home/tickerlake
LABEL org.opencontainers.image.title="tickerlake" \
      org.opencontainers.image.description="A daily stock-market data lake" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM base AS extractor
COPY --from=extractor-environment /opt/tickerlake /opt/tickerlake
COPY --chmod=755 images/extractor/entrypoint /usr/local/bin/
USER root
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/tickerlake/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl
USER tickerlake
ENTRYPOINT ["entrypoint"]

FROM base AS transformer
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-21-jre-headless procps tini \
 && rm -rf /var/lib/apt/lists/*
COPY --from=transformer-environment /opt/tickerlake /opt/tickerlake
COPY images/transformer/spark-defaults.conf /etc/spark/
ENV SPARK_CONF_DIR=/etc/spark
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/tickerlake/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl
USER tickerlake
ENTRYPOINT ["tickerlake", "transform"]

# ---- the starter: AWS Lambda's base image; its boto3 is the only dependency of the handler
# (images/starter/package.py packs the same files as a zip; a test compares the two lists)

FROM ${LAMBDA} AS starter
COPY jobs/tickerlake/__init__.py jobs/tickerlake/errors.py ${LAMBDA_TASK_ROOT}/tickerlake/
COPY jobs/tickerlake/aws/__init__.py jobs/tickerlake/aws/starter.py ${LAMBDA_TASK_ROOT}/tickerlake/aws/
COPY jobs/glue_starter_lambda_function.py ${LAMBDA_TASK_ROOT}/
LABEL org.opencontainers.image.title="tickerlake starter" \
      org.opencontainers.image.licenses="Apache-2.0"
CMD ["glue_starter_lambda_function.handler"]
