install_packages systemd-resolved
umount /etc/resolv.conf
mkdir -p /etc/systemd/resolved.conf.d
printf '[Resolve]\nDNS=%s\nDomains=~.\n' "$DNS" >/etc/systemd/resolved.conf.d/lab.conf
systemctl unmask systemd-resolved >/dev/null 2>&1
systemctl enable --now systemd-resolved >/dev/null 2>&1
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
