import pytest
from mmengine.config import Config, ConfigDict

from xlearner_mm.transfer.run_facts import branch_models, input_sizes_of, normalisation_of, unit_normalisation_of

pytestmark = pytest.mark.compat


def pixels(**kwargs):
    return dict(data_preprocessor=dict(type='X', **kwargs))


def test_normalisation_by_kind():
    models = dict(a=pixels(mean=[1.], std=[2.], to_rgb=True), b=pixels(), c=pixels(mean=[1.], std=[2.], to_rgb=True))
    assert normalisation_of(models) == 'mean=[1.0], std=[2.0], to_rgb=True (a, c); mean=None, std=None (b)'


def test_normalisation_in_units_of_torchvision():
    imagenet = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    rgb = 'RGB, pixels from 0 to 1, normalised by mean=[0.485, 0.456, 0.406] and std=[0.229, 0.224, 0.225]'
    assert unit_normalisation_of(dict(a=pixels(**imagenet, to_rgb=True), b=pixels(**imagenet, bgr_to_rgb=True))) == rgb
    assert unit_normalisation_of(dict(a=pixels(**imagenet))).startswith('BGR')
    assert unit_normalisation_of(dict(a=pixels(**imagenet, to_rgb=True), b=pixels(**imagenet))) is None
    assert unit_normalisation_of(dict(a=pixels())) is None and unit_normalisation_of(dict(a=dict())) is None


def run(hook=None, **pipelines):
    sources = {source: dict(dataset=dict(type='mmdet.RepeatDataset', dataset=dict(type='mmdet.D', pipeline=pipeline)))
               for source, pipeline in pipelines.items()}
    return Config(dict(train_dataloader=dict(dataset=dict(sources=sources)), custom_hooks=[hook] if hook else []))


def test_sizes_of_images_stand_in_pipelines():
    cfg = run(
        a=[dict(type='mmpretrain.RandomResizedCrop', scale=224, crop_ratio_range=(0.1, 1.0)), dict(type='Flip')],
        b=[dict(type='RandomChoice', transforms=[[dict(type='RandomChoiceResize', scales=[(480, 1333), (512, 1333)])],
                                                 [dict(type='RandomCrop', crop_size=(384, 600))]]),
           dict(type='Rotate', scale=1.5, size=True)],
        c=[dict(type='Flip')])
    models = dict(a={}, b={}, c={}, d=pixels(size=(512, 512)))
    assert input_sizes_of(cfg, models, squeezed=False) == dict(
        a='RandomResizedCrop(scale=224)',
        b='RandomChoiceResize(scales=[(480, 1333), (512, 1333)]), RandomCrop(crop_size=(384, 600))',
        c='unknown: nothing in its training names one', d='X(size=(512, 512))')
    assert input_sizes_of(Config(dict()), dict(a={}), squeezed=True) == dict(
        a='unknown: nothing in its training names one')


def test_a_squeeze_may_have_data_and_branches_of_its_own():
    own = run(a=[dict(type='Resize', scale=96)]).train_dataloader
    cfg = run(dict(type='ExpansionSqueezeHook', squeeze=dict(train_dataloader=own)), a=[dict(type='Resize', scale=64)])
    assert input_sizes_of(cfg, dict(a={}), squeezed=True) == dict(a='Resize(scale=96)')
    assert input_sizes_of(cfg, dict(a={}), squeezed=False) == dict(a='Resize(scale=64)')
    model = ConfigDict(branches=dict(a=dict(model=1), b=dict(model=2)), squeeze=dict(branches=dict(b=3)))
    assert branch_models(model, squeezed=True) == dict(a=1, b=3)
    assert branch_models(model, squeezed=False) == dict(a=1, b=2)
