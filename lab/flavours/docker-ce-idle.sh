docker_com
systemctl enable --now docker >/dev/null 2>&1
