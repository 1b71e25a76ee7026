"""What SignUpFlow is, in every environment: an image, its port, its health path, its migration, its variables.

Literals only. Another app is deployed by replacing this file: see docs/deployment/PRODUCTION_DEPLOYMENT.md.
"""

app_image = "signupflow/app:local"
app_port = 8000
app_health_path = "/health"
app_ready_path = "/health/ready/database"
# On SIGTERM it serves on for a second, so that whoever routes to it can notice; on SIGINT it finishes what is in flight at once.
app_drained_signal = "SIGINT"
app_check_command = ["python", "-m", "app.release_check"]
app_smoke_command = ["python", "-m", "app.smoke"]
app_personal_data_command = ["python", "-m", "app.personal_data"]
app_migration_command = ["alembic", "upgrade", "head"]
app_environment = {
    "APP_ENV": "$profile",
    "ALLOWED_HOSTS": "$domains",
    "DATA_DIR": "/data",
    "LOG_LEVEL": "info",
    "TRUSTED_PROXIES": "$trusted_proxies",
    "DB_CONNECTIONS": "$database_connections",
}
app_secrets = {"JWT_KEYS": "jwt_keys"}
