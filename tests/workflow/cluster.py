"""A Slurm cluster of one node on this machine, with configuration, ports and keys of its own: /etc is not touched."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """
ClusterName=brainbook
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MinJobAge=300
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=60 State=UP
"""
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")


class DidNotStart(RuntimeError):
    """Slurm is installed, but this machine does not let it run."""


def lacking() -> str:
    """Why no cluster can be started here; '' if it can."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    missing = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root here"


@contextmanager
def slurm(cpus: int = 2, memory_mb: int = 4000) -> Iterator[dict[str, str]]:
    """Start a cluster; yields the environment variables that its commands need; ends it with all its jobs.

    Raises DidNotStart, with what the daemons said.
    """
    folder = Path(tempfile.mkdtemp(prefix="brainbook-slurm-"))
    folder.chmod(0o755)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            controller_port=_free_port(),
            node_port=_free_port(),
            folder=folder,
            cpus=cpus,
            memory_mb=memory_mb,
        )
    )
    # Snakemake takes all SLURM_ variables away from its jobs: their srun must find the configuration by itself
    srun = folder / "bin" / "srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"], "/usr/sbin"])
    environment = {"SLURM_CONF": str(configuration), "PATH": path}
    everything = os.environ | environment
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munged += [f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/seed"]
    daemons = []
    try:
        for command in (munged, ["slurmctld", "-D", "-i"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("w") as stream:
                daemons.append(subprocess.Popen(command, env=everything, stdout=stream, stderr=stream))
            time.sleep(1)
        began = time.monotonic()
        while "idle" not in _said(["sinfo", "-h", "-o", "%T"], everything):
            if time.monotonic() - began > 60:
                logs = "\n".join(file.read_text()[-2000:] for file in folder.glob("*.out"))
                raise DidNotStart(f"Slurm did not start within a minute:\n{logs}")
            time.sleep(0.5)
        yield environment
    finally:
        _said(["scancel", "--user", getpass.getuser()], everything)
        time.sleep(1)
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
