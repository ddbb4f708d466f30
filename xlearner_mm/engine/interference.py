"""How much the gradients of several sources get in each other's way."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from xlearner_mm.models import SourceGradients

PREFIX = 'interference'
_COLUMNS = 2**20  # at a time in double precision


def interference(gradients: SourceGradients, parts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Compare gradients on the parameters that at least two sources reach, part by part (ours).

    What a source does not reach counts as zero in its gradient, as where conflicts are projected away
    (:meth:`SourceGradients.matrix`). A pair that reaches no parameter of a part together has no cosine there. A common
    factor, such as the loss scale of fp16, changes nothing.

    Args:
        gradients (SourceGradients): The gradients, averaged over the ranks.
        parts (Mapping[str, Sequence[str]]): Parts of the model by name of the parameter.

    Returns:
        dict[str, float]: ``interference/<part>/cos/<a>-<b>``, the cosine of two sources, in the order of the step; and
            ``interference/<part>/share/<a>``, the norm of a source's gradient by the sum of all norms. Empty where
            nothing is shared, or a gradient is not finite.
    """
    shared = gradients.shared()
    if not shared:
        return {}
    products = _inner_products(gradients, shared)
    if not products.isfinite().all():
        return {}
    members: dict[str, list[int]] = {}
    for row, place in enumerate(shared):
        for part in parts[gradients.names[place]]:
            members.setdefault(part, []).append(row)
    return {f'{PREFIX}/{part}/{key}': value for part, rows in members.items()
            for key, value in _compare(products[rows], gradients.sources).items()}


@torch.no_grad()
def _inner_products(gradients: SourceGradients, places: Sequence[int]) -> Tensor:
    """Give ``(N, S, S)``, in double precision on the CPU; a parameter at a time, so that nothing large is copied."""
    products = []
    for place in places:
        parts = [part.double() for part in gradients.matrix([place]).split(_COLUMNS, dim=1)]
        products.append(torch.stack([part @ part.T for part in parts]).sum(dim=0))
    return torch.stack(products).cpu()


def _compare(products: Tensor, sources: Sequence[str]) -> dict[str, float]:
    """Compare the sources by their inner products ``(N, S, S)`` on the parameters of a part."""
    reached = products.diagonal(dim1=1, dim2=2) > 0  # (N, S)
    total = products.sum(dim=0)
    norms = total.diagonal().sqrt()
    found = {}
    for a, b in itertools.combinations(range(len(sources)), 2):
        if (reached[:, a] & reached[:, b]).any():
            found[f'cos/{sources[a]}-{sources[b]}'] = (total[a, b] / (norms[a] * norms[b])).clamp(-1, 1).item()
    if norms.sum() > 0:
        shares = (norms / norms.sum()).tolist()
        found.update({f'share/{source}': share for source, share in zip(sources, shares, strict=True) if share > 0})
    return found
