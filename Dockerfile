# The page and the JSON interface, without TensorFlow:
#
#     docker build -t captioner .
#     docker run --rm --read-only --tmpfs /tmp --memory 1g -p 127.0.0.1:8000:8000 captioner
#
# See docs/how-to/serve.md for what it does not protect from.
FROM python:3.12-slim

WORKDIR /opt/captioner
COPY pyproject.toml README.md LICENSE NOTICE caption.py ./
COPY captioner captioner
COPY weights weights
RUN pip install --no-cache-dir --no-compile -e '.[web]'

RUN useradd --system captioner
USER captioner
EXPOSE 8000
ENTRYPOINT ["python", "-m", "captioner", "serve", "--host", "0.0.0.0"]
