"""All that is said of a foreign app: its image, port, health path, migration command and environment."""

app_name = "greeter"
app_image = "greeter:local"
app_port = 9000
app_health_path = "/ping"
app_ready_path = "/ping"
app_check_command: list[str] = []
app_smoke_command: list[str] = []
app_user = 1234
app_replicas = 2
app_migration_command = ["migrate"]
app_environment = {"GREETING": "hello from $environment for $$5"}
app_secrets: dict[str, str] = {}
app_secrets_as = "environment"
app_database_variable = "PG_DSN"
