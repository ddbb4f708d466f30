# Flowers-102: 1,020 training, 1,020 validation and 6,149 test images of 102 flowers.
# https://www.robots.ox.ac.uk/~vgg/data/flowers/102/
#
# $FLOWERS102_ROOT (data/Flowers102)
#   jpg/image_00001.jpg ...
#   imagelabels.mat, setid.mat
_base_ = '../_base_/transfer/probe.py'
data = dict(type='Flowers102', data_root='{{$FLOWERS102_ROOT:data/Flowers102}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='mean_per_class', val=dict(data, split='val'))
del data
