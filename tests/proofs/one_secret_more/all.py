"""The app's group data with one secret that no secrets file holds."""

app_image = "signupflow/app:local"
app_secrets = {"JWT_KEYS": "jwt_keys", "API_KEY": "never_made"}
