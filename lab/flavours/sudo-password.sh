install_packages sudo
useradd --create-home --shell /bin/bash --groups sudo admin
echo 'admin:a-password-of-theirs' | chpasswd
install -d -m 0700 -o admin -g admin /home/admin/.ssh
echo "$KEY" >/home/admin/.ssh/authorized_keys
chown admin:admin /home/admin/.ssh/authorized_keys
rm -f /root/.ssh/authorized_keys
