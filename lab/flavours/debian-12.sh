# Read by bash after common.sh.
# shellcheck shell=bash disable=SC2218  # apt-get is a function from the line on that takes its place
# docker.com builds for each release; here trixie's binaries are taken, which run with Debian 12's libraries.
sed 's/bookworm/trixie/g' /etc/apt/sources.list >/etc/apt/sources.list.d/trixie.list
printf 'Package: *\nPin: release n=trixie*\nPin-Priority: 50\n' >/etc/apt/preferences.d/trixie
cat >/usr/local/bin/apt-get-trixie <<'SH'
#!/bin/sh
exec /usr/bin/apt-get -t trixie "$@"
SH
apt-get -q update >/dev/null
work=$(mktemp -d)
(cd "$work" && apt-get -q -t trixie download docker.io docker-cli docker-compose containerd runc >/dev/null)
rm -f /etc/apt/sources.list.d/trixie.list /etc/apt/preferences.d/trixie /usr/local/bin/apt-get-trixie
apt-get() { case " $* " in *" download "*) cp "$work"/*.deb .;; *) /usr/bin/apt-get "$@";; esac; }
docker_com
systemctl enable --now docker >/dev/null 2>&1
