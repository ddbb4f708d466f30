# The seven upstream sources as one loader: three of classification, two of detection, two of segmentation. What is kept
# for transfers (Pascal VOC, the small classification sets) is no source. COCO and COCO-Stuff have the same photographs,
# split alike, so none is both trained on and measured on.
#
# A config of your own that lists other sources is written like this one. `sources` and the keys named after a source
# have been read when this file ends: override train_dataloader, val_dataloader, val_evaluator and model.branches.
_base_ = [
    './imagenet1k.py', './places365.py', './inaturalist2021.py', './coco.py', './objects365.py', './ade20k.py',
    './coco_stuff.py'
]
sources = dict(
    imagenet1k=_base_.imagenet1k,
    places365=_base_.places365,
    inaturalist2021=_base_.inaturalist2021,
    coco=_base_.coco,
    objects365=_base_.objects365,
    ade20k=_base_.ade20k,
    coco_stuff=_base_.coco_stuff)


def heads(task: str, num_classes: int) -> dict:
    return dict(
        cls=dict(head=dict(num_classes=num_classes)),
        det=dict(roi_head=dict(bbox_head=dict(num_classes=num_classes))),
        seg=dict(decode_head=dict(num_classes=num_classes), auxiliary_head=dict(num_classes=num_classes)))[task]


# Merged with the stock models of _base_/models, which leave the number of classes open.
model = dict(branches={
    name: dict(task=source.task, model=heads(source.task, source.num_classes)) for name, source in sources.items()
})

# Every source at every step, so that all gradients of a step come from all sources. The batch sizes give each task a
# comparable number of pixels a step and GPU: 80 crops of 224 x 224 (4.0 million), 6 images of about 1066 x 800 (5.1
# million), 6 crops of 512 x 512 (1.6 million, whose decoder works at a quarter of that resolution); within a task more
# to a larger source, so that a small one is not repeated too often. With 8 GPUs an epoch of ImageNet lasts about 5,000
# steps, of Places365 14,100, of iNaturalist 10,500, of COCO 7,300, of Objects365 54,400, of ADE20K 1,260, of COCO-Stuff
# 3,700. Each source has a backward of its own, so memory is that of the largest one, detection: lower its batch sizes
# first.
train_dataloader = dict(
    batch_size={name: source.batch_size for name, source in sources.items()},
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
    collate_fn=dict(type='xlearner_mm.collate_by_source'),
    dataset=dict(
        type='xlearner_mm.MultiSourceDataset',
        sources={name: dict(task=source.task, dataset=source.dataset) for name, source in sources.items()}))
val_dataloader = {name: source.val_dataloader for name, source in sources.items()}
val_evaluator = {name: source.val_evaluator for name, source in sources.items()}
