# The unit as Ubuntu 24.04 has it; Debian's accepts itself and starts an sshd for each connection.
cat >/etc/systemd/system/ssh.socket <<'UNIT'
[Unit]
Description=OpenBSD Secure Shell server socket
Before=sockets.target ssh.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run
[Socket]
ListenStream=0.0.0.0:22
ListenStream=[::]:22
BindIPv6Only=ipv6-only
Accept=no
FreeBind=yes
[Install]
WantedBy=sockets.target
RequiredBy=ssh.service
UNIT
systemctl daemon-reload
systemctl disable --now ssh.service >/dev/null 2>&1
systemctl enable --now ssh.socket >/dev/null 2>&1
