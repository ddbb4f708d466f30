# Caltech-101: 3,060 training and 6,084 test images of 102 classes, the background among them.
# https://data.caltech.edu/records/mzrjq-6wc02; CC BY 4.0. The lists are those of mmpretrain (its docs tell where).
#
# $CALTECH101_ROOT (data/caltech-101)
#   101_ObjectCategories/accordion/image_0001.jpg ...
#   meta/train.txt, meta/test.txt
_base_ = '../_base_/transfer/probe.py'
data = dict(type='Caltech101', data_root='{{$CALTECH101_ROOT:data/caltech-101}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='mean_per_class')
del data
