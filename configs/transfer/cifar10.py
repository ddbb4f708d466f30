# CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes.
# https://www.cs.toronto.edu/~kriz/cifar.html
#
# $CIFAR10_ROOT (data/cifar10)
#   cifar-10-batches-py/data_batch_1 ...
_base_ = '../_base_/transfer/probe.py'
# The images come as arrays, in RGB.
data = dict(type='CIFAR10', data_root='{{$CIFAR10_ROOT:data/cifar10}}', download=False, pipeline=_base_.pipeline[1:])

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1', rgb_images=True)
del data
