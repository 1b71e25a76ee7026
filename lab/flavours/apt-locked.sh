# As cloud-init or apt-daily at a first boot: real calls of apt-get that hold the lists' lock, then dpkg's.
cat >/etc/systemd/system/first-boot.service <<'UNIT'
[Unit]
Description=First boot: package lists and packages
[Service]
Type=oneshot
ExecStart=/usr/bin/apt-get -q -o APT::Update::Pre-Invoke::=/bin/sleep\x2040 update
ExecStart=/usr/bin/apt-get -q -y -o DPkg::Pre-Invoke::=/bin/sleep\x2020 install --reinstall netbase
Environment=DEBIAN_FRONTEND=noninteractive
UNIT
systemctl daemon-reload
apt-get -q update >/dev/null
systemctl start --no-block first-boot
