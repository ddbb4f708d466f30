# Food-101: 75,750 training and 25,250 test images of 101 dishes.
# https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/
#
# $FOOD101_ROOT (data/food-101)
#   images/apple_pie/1005649.jpg ...
#   meta/train.txt, meta/test.txt
_base_ = '../_base_/transfer/probe.py'
data = dict(type='Food101', data_root='{{$FOOD101_ROOT:data/food-101}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1')
del data
