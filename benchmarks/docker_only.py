"""pyinfra deploy: Docker by the project's own stage and nothing else, for a host that has none."""

from deploys.docker import docker_engine

docker_engine()
