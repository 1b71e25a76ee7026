"""The way to a first host: what `signupflow init` is told, what it asks hosts, and what it writes. Imports no pyinfra."""
