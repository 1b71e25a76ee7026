sed -i '/^Include/d' /etc/ssh/sshd_config
systemctl reload ssh
