"""A release in small: each host in turn is switched by one operation, and rolled back by a later one when the run has failed.

The engine, its guard, the order and the context are the product's.
"""

from pyinfra import host, inventory

from operations import preflight as readying
from operations import release as releases
from tests.deploy.engine.small import FAULT, context, roll_back, switch

context().recorder.release = {"version": "2.0", "image": "sha256:2", "schema": "", "commit": "", "deploys": ""}
context().recorder.kept_on = (inventory.get_host("web1"), "app")
readying.everybody(name="All hosts reachable", context=context(), what="all hosts are reachable")
if host.name == "web1":
    readying.locked(name="Acquire the lock", context=context(), hosts=["web1", "web2", "web3"], reason="release 2.0")
readying.everybody(name="Lock acquired", context=context(), what="locked")
releases.barrier(name="Wait for all hosts")
for name in host.loop(["web1", "web2", "web3"]):
    if name == host.name:
        switch(name=f"Roll out on {name}", _if=context().healthy)
releases.barrier(name="Evaluate the result")
for name in host.loop([] if FAULT == "ended" else ["web3", "web2", "web1"]):
    if name == host.name:
        roll_back(name=f"Roll back {name}")
if host.name == "web1":
    releases.finish(name="Record and unlock", context=context())
