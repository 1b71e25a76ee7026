"""The page for volunteers: rendered on the server, usable without JavaScript, live with it."""
