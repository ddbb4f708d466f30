# ImageNet-1k (ILSVRC 2012): 1,281,167 training and 50,000 validation images of 1000 classes.
# https://www.image-net.org; registration, non-commercial research and education only: see its terms of access.
#
# $IMAGENET1K_ROOT (data/imagenet1k)
#   train/n01440764/n01440764_10026.JPEG ...
#   val/n01440764/ILSVRC2012_val_00000293.JPEG ...    (or all of val/ flat, with meta/val.txt)
root = '{{$IMAGENET1K_ROOT:data/imagenet1k}}'
data = dict(type='mmpretrain.ImageNet', data_root=root)

imagenet1k = dict(
    task='cls',
    num_classes=1000,
    batch_size=32,
    dataset=dict(
        data,
        split='train',
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
            split='val',
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='ResizeEdge', scale=256, edge='short'),
                dict(type='CenterCrop', crop_size=224),
                dict(type='PackInputs'),
            ])),
    val_evaluator=dict(type='mmpretrain.Accuracy', topk=(1, 5)))
del root, data
