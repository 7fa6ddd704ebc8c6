# The runtime without PyTorch: translate, align, score, symmetrize and models. It cannot train.
#   docker build -t attn .
#   docker run --rm attn translate "I love you"
#   docker run --rm -i attn translate --quiet < a.en > a.fr
#   docker run --rm -v "$PWD":/work attn align --source a.en --target a.fr

FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY attn_cli attn_cli
COPY models models
COPY data/demo data/demo
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY requirements-runtime.txt constraints.txt /tmp/
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt -r /tmp/requirements-runtime.txt \
    && pip install --no-cache-dir --no-deps /wheels/*.whl \
    && rm -r /wheels /tmp/requirements-runtime.txt /tmp/constraints.txt \
    && useradd --create-home attn
USER attn
WORKDIR /work
ENTRYPOINT ["attn"]
