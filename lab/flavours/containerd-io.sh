docker_com containerd.io
systemctl enable --now containerd >/dev/null 2>&1
