sed -i '1i Port 2222' /etc/ssh/sshd_config
systemctl restart ssh
