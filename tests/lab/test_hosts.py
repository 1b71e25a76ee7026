import io
import tarfile

from lab import hosts
from lab.state import State

STATUS = "Name:\tpython\nCapEff:\t000001fffeffffff\nCapBnd:\t{}\n"


def test_a_full_bounding_set_misses_nothing() -> None:
    assert hosts.missing_capabilities(STATUS.format("000001ffffffffff")) == []


def test_a_capability_that_the_machine_lacks_is_named() -> None:
    assert hosts.missing_capabilities(STATUS.format("000001fffeffffff")) == ["SYS_RESOURCE"]


def test_a_status_without_a_bounding_set_misses_nothing() -> None:
    assert hosts.missing_capabilities("Name:\tpython\n") == []


def test_privileged_is_one_flag() -> None:
    assert hosts.privilege_flags(True, ["SYS_RESOURCE"]) == ["--privileged"]


def test_without_privileged_everything_is_spelt_out_and_the_missing_dropped() -> None:
    flags = hosts.privilege_flags(False, ["SYS_RESOURCE"])
    assert "--privileged" not in flags
    assert flags[:2] == ["--cap-add=ALL", "--cap-drop=SYS_RESOURCE"]
    assert "--security-opt=systempaths=unconfined" in flags
    assert "--device-cgroup-rule=a *:* rwm" in flags


def test_cgroup_v1_shares_the_hierarchy_and_tells_systemd_twice() -> None:
    assert hosts.cgroup_flags(1) == ["--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    assert len(hosts.init_arguments(1)) == 2


def test_cgroup_v2_gets_a_namespace_of_its_own() -> None:
    assert hosts.cgroup_flags(2) == ["--cgroupns=private"]
    assert hosts.init_arguments(2) == []


def test_roots_key_arrives_with_the_modes_that_sshd_demands() -> None:
    with tarfile.open(fileobj=io.BytesIO(hosts.authorized_keys("ssh-ed25519 AAAA lab\n"))) as tar:
        modes = {member.name: (member.mode, member.uid) for member in tar.getmembers()}
        assert modes == {"root/.ssh": (0o700, 0), "root/.ssh/authorized_keys": (0o600, 0)}
        keys = tar.extractfile("root/.ssh/authorized_keys")
        assert keys is not None
        assert keys.read() == b"ssh-ed25519 AAAA lab\n"


def test_hosts_resolve_through_the_labs_dns(state: State) -> None:
    assert hosts.resolv_conf(state).splitlines()[:2] == ["nameserver 10.70.1.3", "search demo.test"]


def test_ssh_checks_the_hosts_key_strictly(state: State) -> None:
    command = hosts.ssh_command(state, state.host_list()[0], "root", "uptime")
    assert "-oStrictHostKeyChecking=yes" in command
    assert command[-2:] == ["root@10.70.1.11", "uptime"]
