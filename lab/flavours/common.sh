# What the flavours' scripts share. They run once, on the host, as root.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
install_packages() {
  apt-get -q update >/dev/null
  apt-get -q install -y --no-install-recommends "$@" >/dev/null
}
# repack PACKAGE NAME VERSION FIELDS: a package of Debian's under another's name, version and relations.
repack() {
  dpkg-deb -R "$1"_*.deb "$2"
  rm -f "$2"/DEBIAN/md5sums
  { echo "Package: $2"; echo "Version: $3"; echo "Architecture: $(dpkg --print-architecture)"; echo "Maintainer: lab <lab@localhost>"
    printf '%s\n' "$4"; echo "Description: what Debian's $1 has, as docker.com names it"; } >"$2"/DEBIAN/control
  rm -rf "$2"/usr/share/doc
}
# docker.com's four packages, made of Debian's; conflicts and names as theirs are.
docker_com() {
  work=$(mktemp -d); cd "$work"
  apt-get -q update >/dev/null
  apt-get -q download docker.io docker-cli docker-compose containerd runc >/dev/null
  version=5:$(dpkg-deb -f docker.io_*.deb Version | sed 's/+.*//')-1~debian
  repack docker.io docker-ce "$version" "Depends: containerd.io, docker-ce-cli, iptables, libc6, libsystemd0
Conflicts: docker (<< 1.5~), docker.io
Replaces: docker (<< 1.5~), docker.io"
  repack docker-cli docker-ce-cli "$version" "Depends: libc6
Conflicts: docker-cli, docker.io
Replaces: docker-cli"
  repack docker-compose docker-compose-plugin "2.26.1-1~debian" "Depends: docker-ce-cli
Conflicts: docker-compose, docker-compose-v2
Replaces: docker-compose"
  repack containerd containerd.io 1.7.28-1 "Depends: libc6
Provides: containerd, runc
Conflicts: containerd, runc
Replaces: containerd, runc"
  dpkg-deb -x runc_*.deb containerd.io
  for name in ${1:-containerd.io docker-ce-cli docker-ce docker-compose-plugin}; do dpkg-deb -Znone -b "$name" >/dev/null; done
  apt-get -q install -y --no-install-recommends iptables libsystemd0 >/dev/null
  # shellcheck disable=SC2086
  set -- ${1:-containerd.io docker-ce-cli docker-ce docker-compose-plugin}
  for name in "$@"; do debs="${debs:-} ./$name.deb"; done
  # shellcheck disable=SC2086
  apt-get -q install -y --no-install-recommends $debs >/dev/null
  cd /; rm -rf "$work"
}
# A container of somebody's own, of one program.
somebodys_container() {
  install_packages busybox-static
  root=$(mktemp -d); mkdir -p "$root/bin" "$root/www"; cp /bin/busybox "$root/bin/"; echo "somebody's wiki" >"$root/www/index.html"
  tar -C "$root" -c . | docker import --change 'ENTRYPOINT ["/bin/busybox"]' - somebodys/wiki:1 >/dev/null
  docker run --detach --name wiki --restart unless-stopped --publish 8088:80 somebodys/wiki:1 httpd -f -h /www >/dev/null
}
