install_packages nginx-light
systemctl enable --now nginx >/dev/null 2>&1
