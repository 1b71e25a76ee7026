install_packages sudo
sed -i 's/^UMASK.*/UMASK\t\t027/' /etc/login.defs
for file in /etc/pam.d/common-session /etc/pam.d/common-session-noninteractive; do
  echo 'session optional pam_umask.so umask=027' >>"$file"
done
echo 'umask 027' >>/etc/profile
echo 'umask 027' >>/etc/bash.bashrc
echo 'Defaults umask=0027, umask_override' >/etc/sudoers.d/00-umask
chmod 0440 /etc/sudoers.d/00-umask
