# Stanford Cars: 8,144 training and 8,041 test images of 196 models.
# https://github.com/pytorch/vision/issues/7545 tells where the data can still be found.
#
# $STANFORD_CARS_ROOT (data/Stanford_Cars)
#   car_ims/000001.jpg ..., cars_annos.mat
# or
#   cars_train/00001.jpg ..., cars_test/00001.jpg ...
#   devkit/cars_train_annos.mat, devkit/cars_test_annos_withlabels.mat (published beside devkit: move it there)
_base_ = '../_base_/transfer/probe.py'
data = dict(type='StanfordCars', data_root='{{$STANFORD_CARS_ROOT:data/Stanford_Cars}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='top1')
del data
