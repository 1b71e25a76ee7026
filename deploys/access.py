"""Whether the login that a bootstrap makes could be used at all, and whose it is: asked before any change."""

from __future__ import annotations

from pyinfra import host

from deploys.environment import environment, refuse
from facts.system import LoginUser, SshdAsWanted
from operations.system import login_problem


def check() -> None:
    """End the run when the login is somebody else's, or when sshd would never let it in."""
    env = environment()
    problem = login_problem(env.deploy_user, host.get_fact(LoginUser, user=env.deploy_user), env.deploy_public_keys)
    found = host.get_fact(SshdAsWanted, drop_in="", user=env.deploy_user)
    listed = found.effective.get("allowusers", ())
    if not problem and listed and env.deploy_user not in listed:
        where = ", ".join(found.set_in.get("allowusers", ()))
        problem = f"sshd lets only {' '.join(listed)} in (AllowUsers, {where}): add {env.deploy_user} there first"
    if problem:
        refuse(f"{host.name}: {problem}")
