"""What a benchmark ran on."""

import os
import platform
from importlib.metadata import packages_distributions, version
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size

from xlearner_mm.version import __version__

PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'numpy')


def environment() -> dict[str, Any]:
    """Describe device, threads and versions.

    Returns:
        dict: Plain values: ``device``, ``device_name``, ``threads``, ``cpus``, ``processes``, ``python``, ``versions``.
    """
    device = str(get_device())
    name = torch.cuda.get_device_name() if device.startswith('cuda') else _processor()
    distributions = packages_distributions()
    versions = {package: f'{own[0]} {version(own[0])}' for package in PACKAGES
                if (own := distributions.get(package))}
    return dict(device=device, device_name=name, threads=torch.get_num_threads(), cpus=os.cpu_count(),
                processes=get_world_size(), python=platform.python_version(),
                versions=dict(xlearner_mm=__version__, **versions))


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
