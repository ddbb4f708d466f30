import pytest
from torch import nn

from xlearner_mm.models.expansion.output_norm import normed_stages, output_norm

pytestmark = pytest.mark.compat


def test_norms_of_a_backbone():
    backbone = nn.Module()
    backbone.out_indices = [1, 3]
    backbone.norm1, backbone.norm3 = nn.LayerNorm(4), nn.LayerNorm(8)
    assert normed_stages(backbone, 4) == (1, 3)
    assert output_norm(backbone, 3) is backbone.norm3
    with pytest.raises(ValueError, match=(r'Module with out_indices=\(1, 3\) has no output norm for stage 2\. Mend '
                                          'out_indices of this backbone so that they name stage 2')):
        output_norm(backbone, 2)
