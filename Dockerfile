# The images of docker-compose.yml:
#   web      pages, API, sockets and the recorder; no torch
#   worker   the models; also prepares the library, which means reading checkpoints
# Python packages come at the versions of requirements.lock. A worker without a GPU can take torch's CPU build:
#   docker compose build --build-arg PIP_EXTRA_INDEX_URL=… (README.md, "With and without a GPU")

FROM node:24-slim AS browser
WORKDIR /headlight
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY vite.config.ts tsconfig.json ./
COPY static/src static/src
RUN node node_modules/vite/bin/vite.js build

FROM python:3.12-slim AS base
WORKDIR /headlight
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 HEADLIGHT_DATA=/data
RUN useradd --create-home headlight && install -d -o headlight -m 700 /data
COPY requirements.in requirements-web.in requirements.lock ./

FROM base AS web
RUN pip install -r requirements-web.in -c requirements.lock
COPY manage.py ./
COPY webapp webapp
COPY workers workers
# Not to be run here, but to be there: a model whose folder is gone is shown as missing.
COPY modelcore/zoo modelcore/zoo
COPY modelcore/training/presets.json modelcore/training/presets.json
COPY modelcore/__init__.py modelcore/__init__.py
COPY modelcore/training/__init__.py modelcore/training/costs.py modelcore/training/
COPY modelcore/training/sweeps modelcore/training/sweeps
COPY --from=browser /headlight/static/dist static/dist
RUN python -m webapp.supervise.vendored static/dist && python -m whitenoise.compress --quiet static/dist
USER headlight
CMD ["uvicorn", "webapp.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--ws-per-message-deflate", "false", "--ws-max-size", "1048576", "--timeout-graceful-shutdown", "3", "--no-access-log"]

FROM base AS worker
ARG PIP_EXTRA_INDEX_URL
RUN pip install -r requirements.lock
COPY manage.py ./
COPY webapp webapp
COPY workers workers
COPY modelcore modelcore
COPY kernels kernels
USER headlight
CMD ["celery", "-A", "workers.app", "worker", "--pool", "threads", "--concurrency", "1", "--queues", "interactive", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
