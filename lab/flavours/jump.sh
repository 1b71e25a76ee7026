# A firewall of the provider's: SSH from the bastion alone.
install_packages nftables
cat >/etc/nftables-provider.nft <<NFT
table inet provider {
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 22 ip saddr != $JUMP drop
	}
}
NFT
cat >/etc/systemd/system/provider-firewall.service <<'UNIT'
[Unit]
Description=The provider's firewall
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file /etc/nftables-provider.nft
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now provider-firewall >/dev/null 2>&1
