"""CPU flags from sample texts of /proc/cpuinfo, and what is said about them."""

from __future__ import annotations

import pytest

from sparse_core.benchmark import hardware
from sparse_core.benchmark.hardware import expectation, parse_cpu_quota, parse_cpuinfo, read_hardware

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: {name}
flags\t\t: fpu sse sse2 fma {flags}

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ARM_CPUINFO = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp i8mm\n"


@pytest.mark.parametrize(
    ("flags", "present", "sentence"),
    [
        ("avx avx2", {"avx2"}, "has AVX2 but no int8 dot product"),
        ("avx2 avx512f avx512bw", {"avx2", "avx512"}, "has AVX512 but no int8 dot product"),
        ("avx2 avx512f avx512_vnni", {"avx2", "avx512", "avx512_vnni"}, "has AVX512-VNNI"),
        ("avx2 avx_vnni", {"avx2", "avx_vnni"}, "has AVX-VNNI"),
        (
            "avx2 avx512f avx512_vnni amx_tile amx_int8",
            {"avx2", "avx512", "avx512_vnni", "amx_int8"},
            "has AMX int8 tiles",
        ),
        ("", set(), "shows none of the instruction sets"),
    ],
)
def test_flags_and_expectation_of_x86(flags, present, sentence):
    name, found = parse_cpuinfo(CPUINFO.format(name="Sample CPU", flags=flags))

    assert name == "Sample CPU"
    assert {flag for flag, is_present in found.items() if is_present} == present
    assert sentence in expectation(found)


def test_arm_features_are_read():
    name, found = parse_cpuinfo(ARM_CPUINFO)

    assert name == ""
    assert {flag for flag, is_present in found.items() if is_present} == {"neon_dotprod", "neon_i8mm"}
    assert "Arm int8 dot products" in expectation(found)


def test_expectation_is_one_sentence_that_speaks_of_zeros():
    text = expectation(parse_cpuinfo("")[1])

    assert text.count(". ") == 0
    assert "zeros shrink the download but do not speed up ONNX Runtime" in text


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", None), ("200000 100000\n", 2), ("50000 100000", 1), ("150000 100000", 1), ("", None)],
)
def test_cpu_quota(text, cores):
    assert parse_cpu_quota(text) == cores


def test_usable_cores_respect_the_containers_quota(tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    monkeypatch.setattr(hardware, "_CPU_QUOTA", quota)

    assert hardware.usable_cores() == 1


def test_a_machine_without_proc_is_described_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "absent")

    machine = read_hardware()

    assert not any(machine.flags.values())
    assert machine.cpu_model
    assert 1 <= machine.num_usable_cores <= machine.num_cores


def test_versions_name_what_is_installed_only():
    versions = hardware.installed_versions()

    assert versions["numpy"].count(".") == 2
    assert "python" in versions
    assert all(versions.values())
