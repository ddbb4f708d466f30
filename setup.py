"""Packaging: ``pip install .``."""

import shutil
import sys
import tempfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# mim looks for configs, the model index and, of our projects, the configs below .mim of the installed package.
CARRIED = ('configs', 'model-index.yml', *(str(p.relative_to(ROOT)) for p in ROOT.glob('projects/*/configs')))


class BuildWithConfigs(build_py):
    """Put the configs into the built package, without a copy in the source tree."""

    def run(self) -> None:
        """Build the package, then add what mim reads."""
        super().run()
        for name in CARRIED:
            source, target = ROOT / name, Path(self.build_lib, 'xlearner_mm', '.mim', name)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)


def build_folders(folder: str) -> dict:
    """Move what a build leaves behind out of the source tree.

    A stale ``build`` would bring deleted files back into the next wheel, and an ``egg-info`` beside the sources makes
    mim take the source tree, which has no ``.mim``, for the installed package.

    Args:
        folder (str): Where to put it.

    Returns:
        dict: Options of setuptools' commands.
    """
    options = dict(build=dict(build_base=folder))
    if 'sdist' not in sys.argv:  # the egg-info of a source distribution belongs into it
        options['egg_info'] = dict(egg_base=folder)
    return options


def read_version() -> str:
    """Read the version without importing the package, which needs mmengine.

    Returns:
        str: The version.
    """
    scope: dict = {}
    exec((ROOT / 'xlearner_mm' / 'version.py').read_text(), scope)
    return scope['__version__']


def read_requirements() -> list:
    """Read what both stacks share; neither stack is forced on the user.

    Returns:
        list: Requirement lines.
    """
    lines = (ROOT / 'requirements.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


with tempfile.TemporaryDirectory(prefix='xlearner_mm-build-') as temporary:
    setup(
        name='xlearner_mm',
        version=read_version(),
        description='X-Learner for OpenMMLab: learn one visual backbone across sources and tasks',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        license='Apache-2.0',
        license_files=['LICENSE'],
        packages=find_packages(include=['xlearner_mm', 'xlearner_mm.*']),
        python_requires='>=3.10',
        install_requires=read_requirements(),
        extras_require=dict(
            export=['safetensors', 'timm'], weighting=['cvxpy', 'qpsolvers', 'quadprog', 'torchjd>=0.18']),
        cmdclass=dict(build_py=BuildWithConfigs),
        options=build_folders(temporary),
        zip_safe=False)
