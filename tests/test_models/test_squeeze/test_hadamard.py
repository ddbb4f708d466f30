import pytest
import torch

from xlearner_mm.models.squeeze.hadamard import equalising_rotation, hadamard

pytestmark = pytest.mark.compat

# Usual widths of backbones, and all small ones.
WIDTHS = (64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1152, 1280, 1408, 1536, 2048)


@pytest.mark.parametrize('size', [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 60, 64, 68, 96, 320, 768, 1408])
def test_hadamard_matrices_are_constructed(size):
    matrix = hadamard(size)
    assert set(matrix.unique().tolist()) <= {-1., 1.}
    assert torch.equal(matrix @ matrix.T, size * torch.eye(size))


@pytest.mark.parametrize('size', [3, 5, 6, 7, 9, 10, 92])
def test_where_none_is_constructed(size):
    assert hadamard(size) is None


@pytest.mark.parametrize('size', WIDTHS)
def test_usual_widths_have_one(size):
    assert hadamard(size) is not None


@pytest.mark.parametrize('size', [*range(1, 41), 92, 200, 384])
def test_every_width_gets_a_rotation_with_equal_variances(size):
    generator = torch.Generator().manual_seed(size)
    variances = torch.rand(size, generator=generator, dtype=torch.double)**4 * 100
    rotation = equalising_rotation(variances)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(size, dtype=torch.double), rtol=0, atol=1e-10)
    diagonal = (rotation @ variances.diag() @ rotation.T).diagonal()
    torch.testing.assert_close(diagonal, variances.mean().expand(size), rtol=1e-9, atol=0)


@pytest.mark.parametrize('variances', [torch.zeros(3), torch.ones(3), torch.tensor([0., 0., 7.])])
def test_variances_without_spread(variances):
    rotation = equalising_rotation(variances.double())
    diagonal = (rotation @ variances.double().diag() @ rotation.T).diagonal()
    torch.testing.assert_close(diagonal, variances.double().mean().expand(3))
