# Places365-Standard: 1,803,460 training and 36,500 validation images of 365 kinds of scenes.
# http://places2.csail.mit.edu, "easy directory structure", images of 256 x 256 pixels; see the terms on the site.
#
# $PLACES365_ROOT (data/places365)
#   train/airfield/00000001.jpg ...
#   val/airfield/Places365_val_00000435.jpg ...
root = '{{$PLACES365_ROOT:data/places365}}'
data = dict(type='mmpretrain.CustomDataset', data_root=root)

places365 = dict(
    task='cls',
    num_classes=365,
    batch_size=16,
    dataset=dict(
        data,
        data_prefix='train',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomResizedCrop', scale=224),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ]),
    val_dataloader=dict(
        batch_size=64,
        num_workers=4,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            data,
            data_prefix='val',
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='ResizeEdge', scale=256, edge='short'),
                dict(type='CenterCrop', crop_size=224),
                dict(type='PackInputs'),
            ])),
    val_evaluator=dict(type='mmpretrain.Accuracy', topk=(1, 5)))
del root, data
