install_packages ufw iptables
ufw allow 22/tcp >/dev/null
ufw --force enable >/dev/null
