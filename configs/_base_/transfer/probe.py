# What the linear probes share: the whole image's centre at 224 pixels, as ImageNet models see it.
default_scope = 'mmpretrain'
pipeline = [
    # SUN397 has files named .jpg that are GIF, which OpenCV does not read: mmpretrain once skipped 47 images for that.
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='ResizeEdge', scale=224, edge='short', interpolation='bicubic', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, num_workers=4)
test_dataloader = dict(batch_size=64, num_workers=4)
