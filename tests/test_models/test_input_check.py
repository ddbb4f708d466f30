import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement

from tiny import batch, batches, xlearner
from xlearner_mm.models.input_check import check_channels

pytestmark = pytest.mark.compat


def preprocessor(channels=3, library='mmdet.Det'):
    values = dict(mean=[127.5] * channels, std=[1.] * channels) if channels else {}
    return MODELS.build(dict(type=f'{library}DataPreprocessor', _scope_=library.split('.')[0], **values))


@pytest.mark.parametrize('source, name', [('photos', 'ClsDataPreprocessor'), ('boxes', 'DetDataPreprocessor'),
                                          ('maps', 'SegDataPreProcessor')])
@pytest.mark.parametrize('channels', [1, 2, 4])
def test_wrong_channels_name_the_image(source, name, channels):
    data, model = batches(), MODELS.build(xlearner(squeeze=False))
    model.data_preprocessor(data, True)
    data[source]['inputs'][1] = torch.zeros(channels, 64, 64, dtype=torch.uint8)
    data[source]['data_samples'][1].set_metainfo(dict(img_path='dir/grey.png'))
    message = (f"Source '{source}': the image dir/grey.png has {channels} channels, and the mean of its {name} 3 values"
               r".*color_type='color'.*or give data_preprocessor the mean and std")
    with pytest.raises(ValueError, match=message):
        model.data_preprocessor(data, True)


def test_an_image_without_a_path():
    data = dict(inputs=[torch.zeros(1, 4, 4)], data_samples=[BaseDataElement()])
    with pytest.raises(ValueError, match="Source 'a': the image unknown path has 1 channels"):
        check_channels('a', data, preprocessor())


def test_what_fits_passes():
    check_channels('boxes', batch('boxes'), preprocessor())
    four = dict(inputs=[torch.zeros(4, 8, 8)], data_samples=[BaseDataElement()])
    check_channels('a', four, preprocessor(1))  # one value is for all channels
    check_channels('a', four, preprocessor(0))  # no normalisation
    check_channels('a', four, torch.nn.Identity())
    check_channels('a', dict(inputs=[torch.zeros(9)], data_samples=[BaseDataElement()]), preprocessor())  # no image
