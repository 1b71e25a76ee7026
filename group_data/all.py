"""What SignUpFlow is, in every environment: an image, its port, its health path, its migration, its variables.

Literals only. Another app is deployed by replacing this file: see docs/deployment/PRODUCTION_DEPLOYMENT.md.
"""

app_image = "signupflow/app:local"
app_port = 8000
app_health_path = "/health"
app_migration_command = ["alembic", "upgrade", "head"]
app_environment = {
    "APP_ENV": "$profile",
    "ALLOWED_HOSTS": "$domains",
    "DATA_DIR": "/data",
    "LOG_LEVEL": "info",
    # Where requests come from: Traefik, on Docker's private networks.
    "TRUSTED_PROXIES": "172.16.0.0/12,192.168.0.0/16",
}
app_secrets = {"JWT_KEYS": "jwt_keys"}
