"""A real S3 that enforces Object Lock: Ceph's radosgw from Debian, with all that it stands on.

One monitor, one manager, one OSD in memory, one gateway, all on 127.0.0.1, in one folder. Needs
root, as the monitor and the OSD do.
"""

import fcntl
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.kit.server import free_port
from tests.peers import programs

PACKAGES = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw")
ACCESS, SECRET = "audit-receiver-test", "audit-receiver-test-secret"
START_SECONDS = 180


class Gateway(NamedTuple):
    """Where it listens, and with what it is asked."""

    endpoint_url: str
    access_key: str = ACCESS
    secret_key: str = SECRET


def install() -> None:
    """Debian's packages, if they are not there; one worker installs, the others wait for it."""
    lock = programs.cache_folder() / "radosgw.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if all(shutil.which(name) for name in (*PACKAGES, "ceph", "radosgw-admin")):
            return
        programs.need("apt-get")
        programs.run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)


@contextmanager
def running(folder: Path) -> Iterator[Gateway]:
    """The whole cluster until the end of the block."""
    folder.chmod(0o755)
    port, monitor = free_port(), free_port()
    conf = folder / "ceph.conf"
    identity = str(uuid.uuid4())
    conf.write_text(_configuration(folder, identity, monitor, port))
    for name in ("mon", "mgr", "osd", "rgw", "run", "log"):
        (folder / name).mkdir()
    processes: list[subprocess.Popen[bytes]] = []

    def ceph(*words: str) -> None:
        programs.run(*words[:1], "-c", conf, *words[1:])

    def start(name: str, *words: str) -> None:
        log = (folder / "log" / f"{name}.out").open("wb")
        command = [words[0], "-c", str(conf), *words[1:], "-f"]
        processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        log.close()

    monmap = str(folder / "monmap")
    try:
        address = f"v2:127.0.0.1:{monitor}"
        programs.run(
            "monmaptool", "--create", "--addv", "a", f"[{address}]", "--fsid", identity, monmap
        )
        ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        start("mon", "ceph-mon", "-i", "a")
        ceph("ceph", "--connect-timeout", "60", "osd", "new", identity)
        start("mgr", "ceph-mgr", "-i", "x")
        ceph("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", identity)
        start("osd", "ceph-osd", "-i", "0")
        start("rgw", "radosgw", "-n", "client.rgw")
        _wait(f"http://127.0.0.1:{port}/", folder)
        ceph(
            *("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid", "test"),
            *("--display-name", "test", "--access-key", ACCESS, "--secret-key", SECRET),
        )
        yield Gateway(f"http://127.0.0.1:{port}")
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _configuration(folder: Path, identity: str, monitor: int, port: int) -> str:
    return f"""[global]
fsid = {identity}
mon_host = [v2:127.0.0.1:{monitor}]
mon_initial_members = a
public_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
run_dir = {folder}/run
admin_socket = {folder}/run/$name.asok
log_file = {folder}/log/$name.log
mon_data = {folder}/mon
mgr_data = {folder}/mgr
osd_data = {folder}/osd
rgw_data = {folder}/rgw
osd_objectstore = memstore
memstore_device_bytes = 1073741824
mon_max_pg_per_osd = 5000
osd_pool_default_pg_autoscale_mode = off
mgr_initial_modules =
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_thread_pool_size = 32
setuser =
setgroup =
"""


def _wait(url: str, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except (urllib.error.URLError, OSError) as exc:
            if isinstance(exc, urllib.error.HTTPError):
                return
            if time.monotonic() > deadline:
                said = [path.read_text(errors="replace")[-1500:] for path in folder.glob("log/*")]
                raise AssertionError("radosgw does not start:\n" + "\n".join(said)) from exc
            time.sleep(0.2)
        else:
            return


def is_root() -> bool:
    """Whether this process may start monitors and OSDs."""
    return os.geteuid() == 0
