install_packages docker.io docker-cli
work=$(mktemp -d); cd "$work"
apt-get -q download docker-compose >/dev/null
repack docker-compose docker-compose-v2 2.26.1-1ubuntu1 "Depends: docker.io | docker-ce
Conflicts: docker-compose-plugin
Replaces: docker-compose-plugin"
dpkg-deb -Znone -b docker-compose-v2 >/dev/null
apt-get -q install -y --no-install-recommends ./docker-compose-v2.deb >/dev/null
cd /; rm -rf "$work"
