"""Production. Every value here is yours to replace; secrets are in secrets/production.age."""

environment = "production"
profile = "production"
deploy_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleEx ops@example.org"]
domains = ["signupflow.example.org"]
acme_email = "ops@example.org"

# `scripts/images.py pin traefik:v3.7` prints the line with today's digest.
traefik_image = "traefik:v3.7"

ssh_user = "deploy"
ssh_strict_host_key_checking = "yes"
ssh_known_hosts_file = "known_hosts"
