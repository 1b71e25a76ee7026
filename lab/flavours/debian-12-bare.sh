apt-get -q update >/dev/null
