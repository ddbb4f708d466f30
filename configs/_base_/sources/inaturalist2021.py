# iNaturalist 2021: 2,686,843 training and 100,000 validation images of 10,000 species.
# https://github.com/visipedia/inat_comp/tree/master/2021; each photograph has its own licence: see the terms there.
#
# $INATURALIST2021_ROOT (data/inaturalist2021), as its archives unpack
#   train/00000_Animalia_Annelida_..._Lumbricus_terrestris/....jpg
#   val/00000_Animalia_Annelida_..._Lumbricus_terrestris/....jpg
root = '{{$INATURALIST2021_ROOT:data/inaturalist2021}}'
data = dict(type='mmpretrain.CustomDataset', data_root=root)

inaturalist2021 = dict(
    task='cls',
    num_classes=10000,
    batch_size=32,
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
