# FGVC-Aircraft: 3,334 training, 3,333 validation and 3,333 test images of 100 variants.
# https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/; research only
#
# $FGVC_AIRCRAFT_ROOT (data/fgvc-aircraft-2013b)
#   data/images/0034309.jpg ...
#   data/images_variant_train.txt, data/images_variant_val.txt, data/images_variant_test.txt
_base_ = '../_base_/transfer/probe.py'
data = dict(type='FGVCAircraft', data_root='{{$FGVC_AIRCRAFT_ROOT:data/fgvc-aircraft-2013b}}', pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(data, split='train'))
test_dataloader = dict(dataset=dict(data, split='test'))
downstream = dict(protocol='linear_probe', metric='mean_per_class', val=dict(data, split='val'))
del data
