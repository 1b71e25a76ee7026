mkdir -p /var/lib/signupflow /opt/signupflow/app-shop/g3
cat >/var/lib/signupflow/owner.json <<'JSON'
{
  "environment": "shop-production",
  "app": "shop",
  "database": "shop",
  "database_host": "shop1.example.org",
  "host": "shop1.example.org",
  "moves": 0
}
JSON
echo 'services: {}' >/opt/signupflow/app-shop/g3/compose.yaml
