"""Probes of frozen features on a set."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from xlearner_mm.compose.stock_source import with_prefix
from xlearner_mm.evaluation import extract_features, few_labels, knn_probe, linear_probe
from xlearner_mm.utils import seed_all, with_scope

from .fine_tune_config import LOW_DATA


def probe(cfg: Config) -> dict[str, float]:
    """Probe a backbone; its features are computed once for all variants and seeds.

    Args:
        cfg (Config): Config of the job: that of the set, with ``backbone``, ``data_preprocessor`` and ``job``.

    Returns:
        dict: The metric of the set, in percent.
    """
    how, job = cfg.downstream, cfg.job.result
    seed_all('probe', job.seed)  # of a backbone from scratch
    backbone = MODELS.build(with_scope(cfg.backbone.to_dict()))
    backbone.init_weights()
    backbone.to('cuda' if torch.cuda.is_available() else 'cpu').eval()
    parts = dict(train=cfg.train_dataloader.dataset, test=cfg.test_dataloader.dataset)
    if how.get('val'):
        parts['val'] = how.val
    loader = cfg.train_dataloader
    found = {name: extract_features(
        backbone, with_prefix(dataset.to_dict(), cfg.default_scope), cfg.data_preprocessor.to_dict(),
        f'{job.set}_{name}', Path(cfg.job.features), loader.get('batch_size', 64), loader.get('num_workers', 0))
        for name, dataset in parts.items()}
    if job.variant == 'low_data':
        found |= {name: few_labels(found[name], LOW_DATA, job.seed) for name in ('train', 'val') if name in found}
    if job.variant == 'knn':
        train = found['train'].join(found['val']) if 'val' in found else found['train']
        return {how.metric: knn_probe(train, found['test'], how.metric)}
    device = next(backbone.parameters()).device
    result = linear_probe(found['train'], found['test'], found.get('val'), how.metric, job.seed, device=device)
    return {how.metric: result.percent}

