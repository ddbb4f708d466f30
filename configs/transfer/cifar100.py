# CIFAR-100: 50,000 training and 10,000 test images of 32 x 32 pixels in 100 classes.
# https://www.cs.toronto.edu/~kriz/cifar.html
#
# $CIFAR100_ROOT (data/cifar100)
#   cifar-100-python/train ...
_base_ = '../_base_/transfer/probe.py'
# The images come as arrays, in RGB.
data = dict(type='CIFAR100', data_root='{{$CIFAR100_ROOT:data/cifar100}}', download=False, pipeline=_base_.pipeline[1:])

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1', rgb_images=True)
del data
