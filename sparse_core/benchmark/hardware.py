"""The properties of this CPU that decide how fast int8 and sparse models run."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sparse_core.artifacts.report_parts import Hardware

_CPUINFO = Path("/proc/cpuinfo")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_X86_FLAGS = {
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
    "avx512_vnni": ("avx512_vnni", "avx512vnni"),
    "avx_vnni": ("avx_vnni",),
    "amx_int8": ("amx_int8",),
}
_ARM_FLAGS = {"neon_dotprod": ("asimddp",), "neon_i8mm": ("i8mm",)}
REPORTED_PACKAGES = (
    "sparse-pipelines",
    "torch",
    "transformers",
    "onnx",
    "onnxruntime",
    "openvino",
    "deepsparse",
    "numpy",
)


def read_hardware() -> Hardware:
    """The machine that this process runs on."""
    text = _CPUINFO.read_text(encoding="utf-8") if _CPUINFO.is_file() else ""
    model, flags = parse_cpuinfo(text)
    return Hardware(
        cpu_model=model or platform.processor() or "unknown",
        architecture=platform.machine(),
        num_cores=os.cpu_count() or 1,
        num_usable_cores=usable_cores(),
        flags=flags,
        expectation=expectation(flags),
    )


def parse_cpuinfo(text: str) -> tuple[str, dict[str, bool]]:
    """The CPU's name ("" when not stated) and which instruction sets of its kind it has, from /proc/cpuinfo's text."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    known = _ARM_FLAGS if "features" in fields else _X86_FLAGS
    present = set(fields.get("features", fields.get("flags", "")).split())
    flags = {name: any(spelling in present for spelling in spellings) for name, spellings in known.items()}
    return fields.get("model name", ""), flags


def expectation(flags: dict[str, bool]) -> str:
    """One sentence on what int8 and zeros can bring on a CPU with these instruction sets."""
    if flags.get("amx_int8"):
        int8 = "has AMX int8 tiles, so int8 can run several times faster than float32, most of all in large batches"
    elif flags.get("avx512_vnni") or flags.get("avx_vnni"):
        unit = "AVX512-VNNI" if flags.get("avx512_vnni") else "AVX-VNNI"
        int8 = f"has {unit}, which multiplies int8 in one instruction, so int8 usually runs faster than float32"
    elif flags.get("neon_i8mm") or flags.get("neon_dotprod"):
        int8 = "has Arm int8 dot products, so int8 usually runs faster than float32"
    elif flags.get("avx512") or flags.get("avx2"):
        unit = "AVX512" if flags.get("avx512") else "AVX2"
        int8 = f"has {unit} but no int8 dot product (VNNI, AMX), so int8 mainly saves size and gains little or no speed"
    else:
        int8 = "shows none of the instruction sets that speed up int8, so expect int8 to save size, not time"
    return (
        f"This CPU {int8}; unstructured zeros shrink the download but do not speed up ONNX Runtime, OpenVINO or "
        "PyTorch (DeepSparse alone uses them)."
    )


def usable_cores() -> int:
    """Cores that this process may use: its CPU affinity, bounded by the container's quota; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = parse_cpu_quota(_CPU_QUOTA.read_text(encoding="utf-8")) if _CPU_QUOTA.is_file() else None
    return affinity if quota is None else max(1, min(affinity, quota))


def parse_cpu_quota(text: str) -> int | None:
    """Whole cores allowed by a cgroup v2 `cpu.max` ("200000 100000" is 2), or None when it sets no limit."""
    quota, _, period = text.strip().partition(" ")
    if not quota.isdigit() or not period.isdigit():
        return None
    return max(1, int(quota) // int(period))


def installed_versions() -> dict[str, str]:
    """Python's version and those of the packages that decide the results, where they are installed."""
    versions = {"python": platform.python_version()}
    for package in REPORTED_PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
