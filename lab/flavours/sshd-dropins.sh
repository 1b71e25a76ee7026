printf '# The image of the provider.\nPasswordAuthentication yes\nPermitRootLogin yes\n' >/etc/ssh/sshd_config.d/00-provider.conf
systemctl reload ssh
