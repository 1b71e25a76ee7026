# A container sees the whole machine's memory; lxcfs shows a container its own in the same way.
echo "$MEMINFO" | base64 -d | awk '
  /^MemTotal:/ { $2 = 1014052 } /^MemFree:/ { $2 = 512000 } /^MemAvailable:/ { $2 = 760000 }
  /^SwapTotal:/ { $2 = 1048572 } /^SwapFree:/ { $2 = 1048572 } { print }' >/etc/lab-meminfo
cat >/etc/systemd/system/lab-meminfo.service <<'UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount --bind /etc/lab-meminfo /proc/meminfo
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now lab-meminfo >/dev/null 2>&1
