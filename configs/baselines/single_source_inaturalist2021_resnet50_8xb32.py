# Baseline: single source. iNaturalist 2021 alone trains one ResNet-50.
_base_ = './hard_sharing_resnet50_8xb92.py'
sources = ('inaturalist2021', )

model = dict(branches=dict(_delete_=True, **{source: _base_.model.branches[source] for source in sources}))
train_dataloader = dict(
    batch_size=dict(_delete_=True, **{source: _base_.train_dataloader.batch_size[source] for source in sources}),
    dataset=dict(
        sources=dict(_delete_=True, **{s: _base_.train_dataloader.dataset.sources[s] for s in sources})))
val_dataloader = dict(_delete_=True, **{source: _base_.val_dataloader[source] for source in sources})
val_evaluator = dict(_delete_=True, **{source: _base_.val_evaluator[source] for source in sources})
