#!/usr/bin/env bash
# Makes local stand-ins for the three images that compose.yaml takes from a registry, and an empty Debian, from Debian's packages
# and from requirements/deploy.txt, for a machine that reaches no registry:
#   localhost/alertgate-test/debian:trixie    for a user's new machine (no Python, no git, no make; with sudo)
#   localhost/alertgate-test/python:trixie    for python:3.13-slim  (Debian trixie's Python 3.13)
#   localhost/alertgate-test/postgres:trixie  for postgres:17       (Debian's PostgreSQL, with the official image's variables)
#   localhost/alertgate-test/traefik          for traefik           (the released binary of Traefik 3, named by $1)
# Needs root, buildah, podman, debootstrap. Takes a minute or two; what is there already is left as it is.
set -euo pipefail
traefik_binary=$1
here=$(cd "$(dirname "$0")" && pwd)
name=localhost/alertgate-test
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

have() { podman image exists "$name/$1"; }

# make_debian NAME PACKAGES: imports a minimal Debian with these packages as an image.
make_debian() {
  echo "making $name/$1"
  local root=$work/${1%:*}
  debootstrap --variant=minbase --include="$2" trixie "$root" >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
  [[ ! -e $root/usr/bin/python3 ]] || ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  # The machine's own authorities: an installer inside trusts what one outside trusts.
  cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
  tar -C "$root" -c . | podman import --quiet - "$name/$1" >/dev/null
}

have debian:trixie || make_debian debian:trixie ca-certificates,sudo
have python:trixie || make_debian python:trixie python3,python3-venv,ca-certificates

if ! have postgres:trixie; then
  echo "making $name/postgres:trixie"
  cp "$here/../tests_deploy/images/postgres-entrypoint" "$work/"
  cat >"$work/Containerfile" <<'FILE'
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null \
    && install -d -o postgres -g postgres /var/run/postgresql
COPY postgres-entrypoint /usr/local/bin/
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["postgres-entrypoint"]
CMD ["postgres"]
FILE
  buildah bud --isolation chroot --quiet --build-arg BASE="$name/python:trixie" -t "$name/postgres:trixie" "$work" >"$work/log" 2>&1 \
    || { tail -20 "$work/log"; exit 1; }
fi

if ! have traefik; then
  echo "making $name/traefik"
  mkdir -p "$work/traefik/etc/ssl/certs" "$work/traefik/tmp" "$work/traefik/usr/local/bin"
  cp "$traefik_binary" "$work/traefik/usr/local/bin/traefik"
  tar -C "$work/traefik" -c . \
    | podman import --quiet --change 'ENTRYPOINT ["/usr/local/bin/traefik"]' - "$name/traefik" >/dev/null
fi
