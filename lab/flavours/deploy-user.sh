useradd --home-dir /srv/deploy --create-home --shell /bin/bash --no-user-group --gid users deploy
install -d -m 0700 -o deploy -g users /srv/deploy/.ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3rV2o0l0yY6o2zq0s8b1Zk7hXw5pQe9dKfJm4TnUaC jenkins@build' >/srv/deploy/.ssh/authorized_keys
chown deploy:users /srv/deploy/.ssh/authorized_keys
chmod 0600 /srv/deploy/.ssh/authorized_keys
