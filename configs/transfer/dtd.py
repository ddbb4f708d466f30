# DTD, first of its ten splits: 1,880 training, 1,880 validation and 1,880 test images of 47 textures.
# https://www.robots.ox.ac.uk/~vgg/data/dtd/; research only
#
# $DTD_ROOT (data/dtd)
#   images/banded/banded_0002.jpg ...
#   imdb/imdb.mat
_base_ = '../_base_/transfer/probe.py'
data = dict(type='DTD', data_root='{{$DTD_ROOT:data/dtd}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1', val=dict(data, split='val'))
del data
