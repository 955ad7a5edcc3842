#!/bin/bash
# Runs every check and every test on this machine; arguments name suites. As root it installs what they need (Debian's apt); otherwise it
# says what is missing, and the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(postgresql-15 postgresql-client-15 pgbackrest strace procps libeatmydata1 binutils zstd lz4 bzip2 gzip openssl util-linux bsdutils
  curl faketime openssh-server openssh-client radosgw ceph-mon ceph-osd ceph-common
  swift-proxy swift-account swift-container swift-object memcached rclone check-pgbackrest patroni etcd-server python3-etcd
  chromium-headless-shell fonts-liberation)
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
missing=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done

install_log=$(mktemp)
install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  # Packages must not start servers of their own on this machine.
  policy=/usr/sbin/policy-rc.d
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made_policy=1; }
  apt-get update -qq &&
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
  status=$?
  [ -z "${made_policy:-}" ] || rm -f $policy
  return $status
}

install_pid=
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing: ${missing[*]}"
    install_packages >"$install_log" 2>&1 &
    install_pid=$!
  else
    echo "missing packages (run as root to install them): ${missing[*]}"
  fi
fi

# What fails fast runs while packages are installed.
./compile.sh
deno=.deno/deno
[ -x $deno ] || deno=$(command -v deno)
$deno task --quiet check

if [ -n "$install_pid" ] && ! wait "$install_pid"; then
  cat "$install_log"
  echo "packages could not be installed"
  exit 1
fi
rm -f "$install_log"
exec $deno run --quiet --allow-all tests/run.ts "$@"
