"""All checks before the first step, as one call."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.models import XLearner

from .annotation_check import annotation_findings
from .class_check import class_findings
from .folder_check import warn_of_unused_files
from .normalisation_check import normalisation_findings
from .overlap_check import overlap_findings
from .source_table import source_table

CHECKS = ('classes', 'normalisation', 'overlap', 'annotations', 'empty_val')


def preflight(model: XLearner,
              dataset: MultiSourceDataset,
              val_datasets: Mapping[str, Any],
              images_a_step: Mapping[str, float],
              planned_images: Mapping[str, float],
              allow: Sequence[str] = ()) -> str:
    """Refuse what would fail silently, and sum up what will be trained (ours).

    Nothing is loaded but annotations, so it takes seconds where the data sets took seconds to build. In a distributed
    run it is enough to call it on one rank.

    Args:
        model (XLearner): The model.
        dataset (MultiSourceDataset): Training data.
        val_datasets (Mapping[str, Dataset]): Stock validation data set by source; may be empty.
        images_a_step (Mapping[str, float]): Images of each source, a step, on all ranks together; a mean where they
            vary.
        planned_images (Mapping[str, float]): Images of each source that the whole run draws.
        allow (Sequence[str]): Checks whose findings are only logged as warnings; see ``CHECKS``.

    Returns:
        str: A table with a line a source.

    Raises:
        TypeError: If ``allow`` is no list of names.
        ValueError: If ``allow`` names an unknown check; or one error with all findings of the checks.
    """
    _check_allow(allow)
    findings = {
        'classes': class_findings(model, dataset.sources, val_datasets),
        'normalisation': normalisation_findings(model, dataset.sources),
        'overlap': overlap_findings(dataset.sources, val_datasets),
        'annotations': annotation_findings(dataset.sources, val_datasets),
        'empty_val': _empty_val_findings(val_datasets)
    }
    warn_of_unused_files(dataset.sources)
    for check in allow:
        for finding in findings.pop(check, []):
            print_log(f'Preflight, allowed ({check}): {finding}', logger='current', level=logging.WARNING)
    lines = [f"- {finding} Or set train_cfg.preflight_allow=['{check}'] to train all the same."
             for check, found in findings.items() for finding in found]
    if lines:
        raise ValueError(f'Preflight found {len(lines)} problem{"s" if len(lines) > 1 else ""} that training would not '
                         'show:\n' + '\n'.join(lines))
    return source_table(model, dataset, images_a_step, planned_images)


def _check_allow(allow: Sequence[str]) -> None:
    """Refuse names that are no checks."""
    if isinstance(allow, str) or not isinstance(allow, Sequence):
        raise TypeError(f'train_cfg.preflight_allow={allow!r} must be a list of names of checks, e.g. '
                        "['normalisation'].")
    unknown = [name for name in allow if name not in CHECKS]
    if unknown:
        raise ValueError(f'train_cfg.preflight_allow names {unknown}, which are no checks. Mend the names; the checks '
                         f'are {", ".join(CHECKS)}.')


def _empty_val_findings(val_datasets: Mapping[str, Any]) -> list[str]:
    """Find validation data sets without samples."""
    return [f'Source {source!r}: its validation data set has 0 samples, so its metrics would be missing or mean '
            f'nothing. Mend the paths and filters in val_dataloader.{source}.dataset, or take the source out of '
            'val_dataloader and val_evaluator.'
            for source, dataset in val_datasets.items() if len(dataset) == 0]
