"""Holds which engine a container is told to run in, and what its GPU settings are."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import container
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

ID = "9b2f" * 16
LAYERS = "lowerdir=/var/lib/docker/overlay2/l/ABC,upperdir=/var/lib/docker/overlay2/" + "ab" * 32 + "/diff"
PLAIN = "27 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw\n22 27 0:21 / /proc rw - proc proc rw\n"
DOCKER = (
    f"1099 950 0:62 / / rw,relatime master:300 - overlay overlay rw,{LAYERS}\n"
    f"1110 1099 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw\n"
    "1120 1099 0:5 /nvidiactl /dev/nvidiactl ro,nosuid - devtmpfs udev rw\n"
    "1121 1099 8:1 /usr/lib/libcuda.so.550.54.15 /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15 ro - ext4 /dev/a rw\n"
)
CONTAINERD = "600 590 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1/1\n"
HOST_OF_CONTAINERS = PLAIN + (
    f"90 27 0:70 / /var/lib/docker/overlay2/{ID}/merged rw - overlay overlay rw,{LAYERS}\n"
    "91 27 0:71 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs rw - overlay overlay rw\n"
    "92 27 0:72 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw\n"
)


def kind_of(**how):
    files = {"/proc/self/mountinfo": PLAIN, "/proc/self/cgroup": "0::/\n", **how.pop("files", {})}
    return collected(container, MemoryHost(files, **how))["container.kind"]


@pytest.mark.parametrize(
    ("files", "env", "kind"),
    [
        ({}, {}, "none"),
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/proc/self/mountinfo": DOCKER}, {}, "docker"),
        ({"/proc/self/cgroup": f"9:memory:/docker/{ID}\n"}, {}, "docker"),
        ({"/proc/self/cgroup": f"0::/system.slice/docker-{ID}.scope\n"}, {}, "docker"),
        ({"/run/.containerenv": ""}, {}, "podman"),
        ({"/proc/self/cgroup": f"0::/machine.slice/libpod-{ID}.scope/container\n"}, {}, "podman"),
        ({}, {"container": "podman"}, "podman"),
        ({"/proc/self/mountinfo": CONTAINERD}, {}, "containerd"),
        ({"/proc/self/mountinfo": CONTAINERD}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"/proc/self/cgroup": "0::/kubepods.slice/kubepods-burstable.slice/x\n"}, {}, "kubernetes"),
        ({"/.dockerenv": "", "/var/run/secrets/kubernetes.io/serviceaccount/token": "x"}, {}, "kubernetes"),
        ({"/.singularity.d/runscript": ""}, {}, "apptainer"),
        ({}, {"APPTAINER_CONTAINER": "/images/torch.sif"}, "apptainer"),
        ({"/proc/1/environ": "container=lxc\0PATH=/bin\0"}, {}, "lxc"),
        ({"/proc/1/environ": "container=systemd-nspawn\0"}, {}, "nspawn"),
        ({}, {"container": "oci"}, "other"),
        ({"/proc/self/mountinfo": "1 0 0:9 / / rw - overlay overlay rw,lowerdir=/x\n"}, {}, "other"),
        ({"/proc/self/mountinfo": HOST_OF_CONTAINERS}, {}, "none"),
    ],
)
def test_engines(files, env, kind):
    assert kind_of(files=files, env=env) == kind


def test_the_evidence_does_not_give_the_id_away():
    facts = collected(
        container, MemoryHost({"/proc/self/mountinfo": DOCKER, "/proc/self/cgroup": f"0::/docker/{ID}\n"})
    )
    assert facts["container.evidence"] == ("docker: /proc/self/cgroup: /docker/...",)


def test_a_machine_that_shows_nothing_is_not_called_bare():
    facts = collected(container, MemoryHost())
    assert isinstance(facts["container.kind"], Unknown)


def test_docker_with_gpus():
    env = {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla,driver>=470",
        "NVIDIA_REQUIRE_DRIVER": "driver>=535",
    }
    files = {"/.dockerenv": "", "/proc/self/mountinfo": DOCKER, "/etc/cdi/nvidia.yaml": "x", "/etc/cdi/notes": "x"}
    facts = collected(container, MemoryHost(files, env=env))
    assert facts["container.id"] == ID
    assert facts["container.nvidia_visible_devices"] == "all"
    assert facts["container.nvidia_driver_capabilities"] == "compute,utility"
    assert facts["container.nvidia_require_cuda"].startswith("cuda>=12.4")
    assert facts["container.nvidia_requirements"] == ("NVIDIA_REQUIRE_DRIVER=driver>=535",)
    assert facts["container.nvidia_disable_require"] == Unknown(Reason.NOT_APPLICABLE, "not set")
    assert facts["container.nvidia_mount_points"] == (
        "/dev/nvidiactl",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15",
    )
    assert facts["container.cdi_files"] == ("/etc/cdi/nvidia.yaml",)


def test_a_login_that_lost_the_engines_variables_still_sees_its_settings():
    init = "NVIDIA_VISIBLE_DEVICES=void\0LD_LIBRARY_PATH=/usr/local/nvidia/lib64\0HOME=/root\0PATH=/bin\0"
    facts = collected(container, MemoryHost({"/proc/1/environ": init}, env={"PATH": "/usr/bin"}))
    assert facts["container.nvidia_visible_devices"] == "void"
    assert facts["container.lost_variables"] == ("LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES")


def test_process_1_of_somebody_else():
    facts = collected(container, MemoryHost(errors={"/proc/1/environ": "EACCES"}))
    assert facts["container.lost_variables"].reason is Reason.PERMISSION_DENIED
