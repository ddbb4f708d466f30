# SUN397, first of its ten partitions: 19,850 training and 19,850 test images of 397 scenes.
# https://vision.princeton.edu/projects/2010/SUN/
#
# $SUN397_ROOT (data/SUN397)
#   SUN397/a/abbey/sun_aaalbzqrimafwbiv.jpg ...
#   Partitions/Training_01.txt, Partitions/Testing_01.txt
_base_ = '../_base_/transfer/probe.py'
data = dict(type='SUN397', data_root='{{$SUN397_ROOT:data/SUN397}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1')
del data
