# Two stages: the first installs from the locked requirements, the second holds only Python and alertgate.
# Both stages have the same base, an image of Python 3.13 on Debian, by tag or by digest. Tested with Debian trixie's.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/alertgate && python -m venv /build/installer
COPY requirements/postgres.txt requirements/build.txt ./
RUN installer/bin/pip --python /opt/alertgate/bin/python install --no-compile --only-binary :all: --require-hashes -r postgres.txt \
    && installer/bin/pip install --only-binary :all: --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Compiled here, because the container's file system is read-only; unchecked, so that file times don't matter.
RUN installer/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && installer/bin/pip --python /opt/alertgate/bin/python install --no-compile --no-deps --no-index dist/*.whl \
    && /opt/alertgate/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/alertgate/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="alertgate" \
      org.opencontainers.image.description="A self-hosted gateway from Particle webhooks to the person who must act." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Nothing is installed after this, so Python's installers are removed. The user is numeric and has no password.
RUN find /usr -xdev -depth \( -path '*-packages/pip*' -o -path '*-packages/setuptools*' -o -path '*-packages/_distutils_hack*' \
        -o -path '*-packages/distutils-precedence.pth' -o -path '*-packages/pkg_resources*' -o -path '*-packages/wheel*' \
        -o -path '*/ensurepip*' -o -path '/usr/share/python-wheels*' \
        -o -path '/usr/bin/pip*' -o -path '/usr/local/bin/pip*' -o -path '/usr/local/bin/wheel' \) -delete \
    && echo 'alertgate:x:10001:10001:alertgate:/data:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'alertgate:x:10001:' >> /etc/group \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/alertgate /opt/alertgate
# Every .pyc exists, and the root file system should be read-only, so Python must not write any.
ENV PATH=/opt/alertgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Checks the process and the store only. A proxy drops an unhealthy container, and a dead mail server must not cause that.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["alertgate", "healthcheck"]
ENTRYPOINT ["alertgate"]
CMD ["serve"]
