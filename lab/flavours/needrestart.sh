install_packages needrestart
mkdir -p /etc/needrestart/conf.d
# shellcheck disable=SC2016
echo '$nrconf{restart} = "a";' >/etc/needrestart/conf.d/50-ubuntu.conf
