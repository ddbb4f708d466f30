# Oxford-IIIT Pets: 3,680 training and 3,669 test images of 37 breeds.
# https://www.robots.ox.ac.uk/~vgg/data/pets/; CC BY-SA 4.0
#
# $OXFORD_PETS_ROOT (data/Oxford-IIIT-Pets)
#   images/Abyssinian_1.jpg ...
#   annotations/trainval.txt, annotations/test.txt
_base_ = '../_base_/transfer/probe.py'
data = dict(type='OxfordIIITPet', data_root='{{$OXFORD_PETS_ROOT:data/Oxford-IIIT-Pets}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='trainval'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='mean_per_class')
del data
