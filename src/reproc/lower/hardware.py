"""What an image says of the hardware that it is for: labels, and the variables that GPU run times read."""

from __future__ import annotations

from reproc.catalog import processors
from reproc.check import Target


def hardware_labels(target: Target) -> dict[str, str]:
    """Labels of the processor level, forbidden features, CUDA and ROCm."""
    labels: dict[str, str] = {}
    if target.cpu:
        level = processors.level(target.cpu.text)
        labels["reproc.cpu"] = processors.written(level.name) if level else target.cpu.text
    if target.without:
        names = sorted({processors.feature(item.text) for item in target.without})
        labels["reproc.without"] = " ".join(names)
    if target.cuda:
        labels["reproc.cuda"] = target.cuda.version
        if target.cuda.arch:
            labels["reproc.cuda.arch"] = " ".join(item.text for item in target.cuda.arch)
        if target.cuda.driver:
            labels["reproc.cuda.driver"] = target.cuda.driver.text
        if target.cuda.components:
            labels["reproc.cuda.components"] = " ".join(target.cuda.components)
    if target.rocm:
        labels["reproc.rocm"] = target.rocm.version
    return labels


def hardware_variables(target: Target) -> dict[str, str]:
    """What NVIDIA's container toolkit reads (its guide "Specialized Configurations with Docker").

    A driver that the author names says all: by CUDA's minor version compatibility an older driver than the
    toolkit's own may do, which a demand for the CUDA version would refuse.
    """
    if target.cuda is None:
        return {}
    demand = (
        f"driver{target.cuda.driver.text}" if target.cuda.driver else f"cuda>={_minor(target.cuda.version)}"
    )
    return {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": demand,
    }


def _minor(version: str) -> str:
    """A toolkit's version as drivers know it, with two parts: `11.8` of `11.8.0`."""
    return ".".join((*version.split("."), "0")[:2])
