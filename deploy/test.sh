#!/usr/bin/env bash
# Builds the image and runs compose.yaml with its real parts: podman, Traefik 3, PostgreSQL, a mail server. Sends to Debian's
# Postfix and Exim with the mistakes that operators make.
# `make deploy-test` calls this. It needs root on Debian 12, Debian's packages and the Python package index, and no image registry:
# deploy/stand-ins.sh makes what compose.yaml would pull. To try others: BASE=python:3.13-slim, POSTGRES_IMAGE, TRAEFIK_IMAGE.
# DEPLOY_TEST=skip leaves it out, for a machine that can't; nothing is skipped silently.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ${DEPLOY_TEST:-} == skip ]]; then
  echo "deployment tests: SKIPPED, because DEPLOY_TEST=skip"
  exit 0
fi
[[ $(id -u) == 0 ]] || { echo "deployment tests: must run as root (containers, network namespaces)" >&2; exit 1; }

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
need podman podman; need buildah buildah; need debootstrap debootstrap; need runc runc; need curl curl; need ip iproute2
need iptables iptables
[[ -x /usr/lib/podman/netavark ]] || packages+=(netavark)
[[ -x /usr/lib/podman/aardvark-dns ]] || packages+=(aardvark-dns)
need postfix postfix; need saslpasswd2 sasl2-bin
compgen -G '/usr/lib/*/sasl2/libplain.so' >/dev/null || packages+=(libsasl2-modules)
if ((${#packages[@]})); then
  echo "installing ${packages[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Debian lets only one mail server be installed: exim4 is unpacked beside postfix, with the libraries that it needs.
if [[ -z ${EXIM:-} ]]; then
  chmod 755 "$work"
  apt-get update -qq
  (cd "$work" && apt-get download -qq exim4-daemon-light >/dev/null && dpkg-deb -x exim4-daemon-light_*.deb exim)
  mapfile -t libraries < <(dpkg-deb -f "$work"/exim4-daemon-light_*.deb Depends | tr ',' '\n' | awk '$1 ~ /^lib/ {print $1}')
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-upgrade --no-install-recommends "${libraries[@]}" >/dev/null
  # It looks its own user up at its start, which another of Debian's packages makes, whatever its configuration says.
  id Debian-exim >/dev/null 2>&1 || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin Debian-exim
  export EXIM=$work/exim/usr/sbin/exim4
fi

# For these tests alone: two settings without which containers don't start on a machine that is itself a guest, such as CI's.
cat >"$work/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
CONF
export CONTAINERS_CONF=$work/containers.conf

tools=.venv/deploy
if ! cmp -s requirements/deploy.txt "$tools/installed"; then
  python3 -m venv --clear "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/deploy.txt
  cp requirements/deploy.txt "$tools/installed"
fi

name=localhost/alertgate-test
deploy/stand-ins.sh "$tools/bin/traefik"
export BASE=${BASE:-$name/python:trixie}
podman image exists "$BASE" || podman pull --quiet "$BASE" >/dev/null
podman tag "$BASE" "$name/alertgate-base"

# Building and installing take longer than the other tests' limit on a busy machine.
.venv/bin/pytest tests_deploy -p no:cacheprovider -o faulthandler_timeout=600 "$@"
