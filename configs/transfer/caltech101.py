# Caltech-101: 9,144 images of 102 classes, the background among them; 30 of each class for training (3,060), the others
# for testing (6,084). https://data.caltech.edu/records/mzrjq-6wc02; CC BY 4.0.
# There are no official lists. Write yours, a line an image, its class as mmpretrain's CALTECH101_CATEGORIES numbers it:
#   accordion/image_0001.jpg 5
# By mmpretrain's docs the lists that they lead to have 3,060 and 6,728 lines: 644 of them name an image again.
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
