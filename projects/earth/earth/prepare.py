"""Prepare the six sources into one data root, whole or not at all."""

import hashlib
import json
import logging
import shutil
import time
from pathlib import Path

from earth.contact_sheet import draw_contact_sheet
from earth.packages import package_versions
from earth.sources import SOURCES
from earth.splits import SPLITS
from earth.stock_formats import WRITERS

RECORD = 'prepared.json'
logger = logging.getLogger('earth')


def fingerprint() -> str:
    """Hash of this package's code and of the data packages' versions: whatever changes, the data is made anew."""
    digest = hashlib.sha256(json.dumps(package_versions(), sort_keys=True).encode())
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_record(root: Path) -> dict | None:
    """The record of a finished data root, or None where there is none."""
    path = root / RECORD
    return json.loads(path.read_text()) if path.is_file() else None


def is_current(root: Path, record: dict) -> bool:
    """Whether a data root with this record holds what `prepare` would write now."""
    if record['fingerprint'] != fingerprint():
        return False
    return all((root / source / split).is_dir() for source in record['sources'] for split in SPLITS)


def sheet_path(root: Path, source: str) -> Path:
    """Contact sheet of a source."""
    return root / 'contact_sheets' / f'{source}.png'


def prepare(root: Path) -> dict:
    """Fill a data root, or leave it alone if it is current.

    Everything is written beside the root and moved there at the end: a run that is killed leaves the old root or none.

    Args:
        root (Path): Folder for the data. An outdated data root is replaced, a folder with anything else is not.

    Returns:
        dict: The record that is saved as ``prepared.json``: fingerprint, packages, and for each source its task,
        classes, split rule and counts by split and class.

    Raises:
        FileNotFoundError: If data packages are missing.
        FileExistsError: If ``root`` is not empty and was not made by this function.
    """
    root = root.resolve()
    old_record = read_record(root)
    if old_record is not None and is_current(root, old_record):
        logger.info('%s is up to date', root)
        return old_record
    if old_record is None and root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f'{root} is not empty and holds no {RECORD}: remove it or choose another --out')
    partial, old = root.with_name(f'.{root.name}.partial'), root.with_name(f'.{root.name}.old')
    for leftover in (partial, old):
        if leftover.exists():
            shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    record = dict(fingerprint=fingerprint(), packages=package_versions(), sources=_write_sources(partial))
    (partial / RECORD).write_text(json.dumps(record, indent=2))
    if root.exists():
        root.rename(old)
    partial.rename(root)
    if old.exists():
        shutil.rmtree(old)
    return record


def _write_sources(root: Path) -> dict:
    records, start = {}, time.monotonic()
    (root / 'contact_sheets').mkdir()
    for number, (name, source) in enumerate(SOURCES.items(), start=1):
        logger.info('[%d/%d] %s ...', number, len(SOURCES), name)
        counts = WRITERS[source.task](source.samples(), root / name, source.classes)
        draw_contact_sheet(root / name, source, sheet_path(root, name))
        records[name] = dict(task=source.task, classes=source.classes, split_rule=source.split_rule, counts=counts)
        elapsed = time.monotonic() - start
        images = ', '.join(f'{counts[split]["images"]} {split}' for split in SPLITS)
        logger.info('      %s; %.0f s, about %.0f s left', images, elapsed,
                    elapsed / number * (len(SOURCES) - number))
    return records
