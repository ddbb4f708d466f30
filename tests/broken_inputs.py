"""Kinds of broken input: each one fault in a private copy of the toy data, or in the config.

``test_datasets/test_broken_inputs.py`` and the benchmark of the data engine run them: none may hang, none may pass
silently.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

import broken_edits as edit
import toy
from broken_run import BrokenInput, Outcome, faults, run_case

__all__ = ['CASES', 'BrokenInput', 'Outcome', 'faults', 'run_case']

PHOTO, BOXED, MAP, MASK = ('photos/train/class1/4.png', 'boxes/train/2.png', 'maps/img/train/3.png',
                           'maps/ann/train/3.png')


def _as_fractions(content: dict) -> None:
    for annotation in content['annotations']:
        annotation['bbox'] = [side / toy.SIZE for side in annotation['bbox']]


# Files that cannot be read; with on_error='skip' the run goes on.
FILES = dict(
    jpeg_truncated=BrokenInput('photos', edit.file(PHOTO, edit.half_jpeg), 'truncated', '4.png'),
    png_truncated=BrokenInput('boxes', edit.file(BOXED, edit.truncate), 'truncated', '2.png'),
    png_truncated_in_worker=BrokenInput('boxes', edit.file(BOXED, edit.truncate), 'truncated', '2.png', num_workers=1),
    image_zero_bytes=BrokenInput('maps', edit.write(MAP, b''), r'empty \(0 bytes\)', '3.png'),
    image_is_text=BrokenInput('photos', edit.write(PHOTO, b'no image\n'), '.', '4.png'),
    image_is_text_in_worker=BrokenInput('maps', edit.write(MAP, b'no image\n'), '.', '3.png', num_workers=1),
    image_is_json=BrokenInput('boxes', edit.write(BOXED, b'{"images": []}'), '.', '2.png'),
    image_missing=BrokenInput('boxes', edit.file(BOXED, Path.unlink), 'FileNotFoundError', '2.png'),
    image_is_a_directory=BrokenInput('boxes', edit.file(BOXED, edit.directory), 'IsADirectoryError', '2.png'),
    image_is_a_dangling_link=BrokenInput('boxes', edit.file(BOXED, edit.dangling), 'FileNotFoundError', '2.png'),
    image_is_a_bomb=BrokenInput('photos', edit.file(PHOTO, edit.bomb), '.', '4.png'),
    mask_missing=BrokenInput('maps', edit.file(MASK, Path.unlink), 'FileNotFoundError', 'ann/train/3.png'),
    mask_truncated=BrokenInput('maps', edit.file(MASK, edit.truncate), 'truncated', 'ann/train/3.png'),
    mask_zero_bytes=BrokenInput('maps', edit.write(MASK, b''), r'empty \(0 bytes\)', 'ann/train/3.png'),
    mask_is_text=BrokenInput('maps', edit.write(MASK, b'no image\n'), '.', 'ann/train/3.png'))

# Pixels that can be read, but are not what the model or the annotations say.
PIXELS = dict(
    image_rgba=BrokenInput(
        'photos',
        edit.both(edit.pixels(PHOTO, (64, 64, 4)), edit.step('photos', 0, color_type='unchanged')),
        '4 channels',
        '4.png',
        by='sample'),
    image_grey=BrokenInput(
        'maps',
        edit.both(edit.pixels(MAP, (64, 64)), edit.step('maps', 0, color_type='unchanged')),
        '1 channel',
        '3.png',
        by='sample'),
    image_grey_step=BrokenInput(
        'photos', edit.step('photos', 0, color_type='grayscale'), '1 channel', '.png', by='sample'),
    image_16_bit=BrokenInput(
        'boxes',
        edit.both(edit.pixels(BOXED, (64, 64), np.uint16, high=65536), edit.step('boxes', 0, color_type='unchanged')),
        'uint16|1 channel',
        '2.png',
        by='sample'),
    image_size_not_as_in_json=BrokenInput(
        'boxes', edit.pixels(BOXED, (48, 96, 3)), '64.*(48|96)|(48|96).*64', '2.png', by='sample'),
    json_size_not_as_of_image=BrokenInput(
        'boxes',
        edit.coco(lambda content: content['images'][2].update(width=640, height=480)),
        '640',
        '2.png',
        by='sample'),
    mask_of_another_size=BrokenInput('maps', edit.pixels(MASK, (32, 32)), '32', 'ann/train/3.png', by='sample'),
    mask_transposed=BrokenInput(
        'maps',
        edit.both(edit.pixels(MAP, (32, 64, 3)), edit.pixels(MASK, (64, 32))),
        '32',
        'ann/train/3.png',
        by='sample'),
    mask_not_turned_like_its_image=BrokenInput(
        'maps',
        edit.both(edit.file(MAP, edit.turned), edit.pixels(MASK, (32, 64))),
        '32',
        'ann/train/3.png',
        by='sample'),
    mask_rgb=BrokenInput('maps', edit.pixels(MASK, (64, 64, 3)), '64, 64, 3', 'ann/train/3.png', by='sample'),
    mask_label_out_of_range=BrokenInput('maps', edit.pixels(MASK, (64, 64), low=9, high=10), r'label 9.*0\.\.3',
                                        '3.png'),
    mask_16_bit_wraps=BrokenInput(
        'maps', edit.pixels(MASK, (64, 64), np.uint16, low=257, high=258), '257|16', '3.png', by='sample'))

# Annotations of mmdet.CocoDataset.
COCO = dict(
    json_missing=BrokenInput('boxes', edit.file('boxes/train.json', Path.unlink), 'FileNotFoundError', 'train.json'),
    json_truncated=BrokenInput('boxes', edit.file('boxes/train.json', edit.truncate), 'JSON|[Dd]elimiter|[Ee]xpecting',
                               'train.json'),
    json_empty=BrokenInput('boxes', edit.write('boxes/train.json', b''), '.', 'train.json'),
    json_is_an_image=BrokenInput('boxes', edit.options('boxes', ann_file='train/2.png'), '.', 'train/2.png'),
    json_is_a_list=BrokenInput('boxes', edit.coco(lambda content: content['images']), 'list', 'train.json'),
    json_without_images=BrokenInput('boxes', edit.coco(lambda content: content.pop('images') and None), 'no samples',
                                    'train.json'),
    json_without_categories=BrokenInput('boxes', edit.coco(lambda content: content.pop('categories') and None),
                                        'categories', 'train.json'),
    json_image_without_file_name=BrokenInput('boxes',
                                             edit.coco(lambda content: content['images'][2].pop('file_name') and None),
                                             'file_name', 'train.json'),
    json_image_without_size=BrokenInput('boxes', edit.coco(lambda content: content['images'][2].pop('width') and None),
                                        'width', 'train.json'),
    json_image_ids_repeated=BrokenInput(
        'boxes', edit.coco(lambda content: content['images'][2].update(id=1)), '1', 'train.json', by='preflight'),
    json_file_names_repeated=BrokenInput(
        'boxes',
        edit.coco(lambda content: content['images'][2].update(file_name='1.png')),
        'more than one',
        '1.png',
        by='preflight'),
    box_missing=BrokenInput('boxes', edit.coco(lambda content: content['annotations'][2].pop('bbox') and None), 'bbox',
                            'train.json'),
    box_without_area=BrokenInput('boxes', edit.coco(lambda content: content['annotations'][2].pop('area') and None),
                                 'area', 'train.json'),
    box_of_three_numbers=BrokenInput('boxes', edit.annotation(bbox=[4, 6, 40]), 'bbox|box', 'train.json'),
    box_of_text=BrokenInput('boxes', edit.annotation(bbox=['4', '6', '40', '30']), 'bbox|box', 'train.json'),
    box_nan=BrokenInput('boxes', edit.annotation(bbox=[4, float('nan'), 40, 30]), 'nan', '2.png', by='preflight'),
    box_infinite=BrokenInput('boxes', edit.annotation(bbox=[4, 6, float('inf'), 30]), 'inf', '2.png', by='preflight'),
    box_negative_width=BrokenInput('boxes', edit.annotation(bbox=[44, 6, -40, 30]), '-40', '2.png', by='preflight'),
    box_zero_area=BrokenInput('boxes', edit.annotation(bbox=[4, 6, 0, 30]), r'\b0\b', '2.png', by='preflight'),
    box_area_field_zero=BrokenInput('boxes', edit.annotation(area=0), 'area', '2.png', by='preflight'),
    box_outside_the_image=BrokenInput('boxes', edit.annotation(bbox=[100, 6, 40, 30]), '100', '2.png', by='preflight'),
    box_as_corners=BrokenInput('boxes', edit.annotation(bbox=[70, 70, 100, 100]), '70', '2.png', by='preflight'),
    boxes_as_fractions=BrokenInput('boxes', edit.coco(_as_fractions), r'\b5\b', 'png', by='preflight'),
    annotation_of_unknown_category=BrokenInput(
        'boxes', edit.annotation(category_id=9), r'category(_id)?\W+9', by='preflight'),
    annotation_of_unknown_image=BrokenInput('boxes', edit.annotation(image_id=99), r'image(_id)?\W+99', by='preflight'),
    annotation_of_image_id_as_text=BrokenInput('boxes', edit.annotation(image_id='2'), "'2'", by='preflight'),
    annotation_ids_repeated=BrokenInput('boxes', edit.annotation(id=1), 'not unique', by='now'),
    class_not_in_json=BrokenInput(
        'boxes', edit.options('boxes', metainfo=dict(classes=('a', 'bee'))), "'bee'", by='preflight'),
    class_name_misspelt_everywhere=BrokenInput(
        'boxes', edit.options('boxes', metainfo=dict(classes=('A', 'B'))), "'A'", by='preflight'),
    classes_left_to_the_default=BrokenInput(
        'boxes', lambda _, cfg: edit.data_of(cfg, 'boxes').pop('metainfo'), 'person|80', by='preflight'),
    categories_in_another_order=BrokenInput(
        'boxes', edit.coco(lambda content: content['categories'].reverse()), 'order', by='preflight'))

# Labels of the other tasks, and heads that do not fit.
LABELS = dict(
    label_out_of_range=BrokenInput('photos', edit.labels(99), r'99.*0\.\.2', '2.png'),
    label_negative=BrokenInput('photos', edit.labels(-1), r'-1.*0\.\.2', '2.png'),
    label_missing=BrokenInput('photos', edit.labels(), 'label|unpack', 'train.txt'),
    label_is_text=BrokenInput('photos', edit.labels('cat'), 'cat', 'train.txt'),
    label_file_of_missing_image=BrokenInput(
        'photos', edit.both(edit.labels(2), edit.file('photos/train/class2/2.png', Path.unlink)), 'FileNotFoundError',
        '2.png'),
    class_folder_empty=BrokenInput('photos', edit.file('photos/train/class1', edit.empty), 'class1', by='preflight',
                                   warns=True),
    class_folder_extra=BrokenInput(
        'photos', lambda root, _: (root / 'photos/train/.cache').mkdir(), r'\b4\b', by='preflight'),
    head_with_fewer_classes=BrokenInput('photos', edit.num_classes('photos', 'head', 2), 'class'),
    head_with_more_classes=BrokenInput('photos', edit.num_classes('photos', 'head', 1000), '1000', by='preflight'),
    box_head_with_more_classes=BrokenInput('boxes', edit.num_classes('boxes', 'bbox_head', 80), '80', by='preflight'),
    mask_head_with_more_classes=BrokenInput(
        'maps', edit.num_classes('maps', 'decode_head', 150), '150', by='preflight'),
    classes_of_val_in_another_order=BrokenInput(
        'boxes',
        lambda _, cfg: cfg.val_dataloader.boxes.dataset.update(metainfo=dict(classes=('b', 'a'))),
        'class',
        by='preflight'))

# Paths, pipelines and settings of the sources.
SETTINGS = dict(
    data_folder_missing=BrokenInput('photos', edit.options('photos', data_prefix='nowhere'), '.', 'nowhere'),
    data_root_missing=BrokenInput('maps', edit.options('maps', data_root='/nowhere'), '.', '/nowhere'),
    image_suffix_wrong=BrokenInput('maps', edit.options('maps', img_suffix='.jpg'), 'no samples|filters|suffix'),
    mask_suffix_wrong=BrokenInput('maps', edit.options('maps', seg_map_suffix='_labels.png'), 'FileNotFoundError',
                                  '_labels.png'),
    photo_of_an_ignored_suffix=BrokenInput(
        'photos',
        lambda root, _: (root / PHOTO).rename(root / 'photos/train/class1/4.webp'),
        'suffix',
        '4.webp',
        by='preflight',
        warns=True),
    map_of_an_ignored_suffix=BrokenInput(
        'maps',
        lambda root, _: (root / MAP).rename(root / 'maps/img/train/3.jpg'),
        'suffix',
        '3.jpg',
        by='preflight',
        warns=True),
    map_that_is_a_dangling_link=BrokenInput(
        'maps', edit.file(MAP, edit.dangling), 'link|missing|exist', '3.png', by='preflight', warns=True),
    packing_missing=BrokenInput('boxes', lambda _, cfg: edit.data_of(cfg, 'boxes').pipeline.pop(), 'PackDetInputs'),
    packing_of_another_library=BrokenInput(
        'boxes',
        edit.step('boxes', -1, type='mmseg.PackSegInputs', meta_keys=()),
        'PackDetInputs|gt_instances',
        by='sample'),
    labels_not_loaded=BrokenInput(
        'maps',
        lambda _, cfg: edit.data_of(cfg, 'maps').pipeline.pop(1),
        'LoadAnnotations|gt_sem_seg',
        '.png',
        by='sample'),
    boxes_not_loaded=BrokenInput(
        'boxes',
        lambda _, cfg: edit.data_of(cfg, 'boxes').pipeline.pop(1),
        'LoadAnnotations|gt_instances',
        '.png',
        by='sample'),
    pipeline_drops_all=BrokenInput('boxes', edit.insert('boxes', type='FilterAnnotations', min_gt_bbox_wh=(1e5, 1e5)),
                                   'none of 5 samples'),
    pipeline_raises=BrokenInput('boxes', edit.insert('boxes', type='Mosaic', img_scale=(64, 64)), 'Mosaic|mix_results',
                                '.png'),
    pipeline_raises_in_worker=BrokenInput(
        'boxes', edit.insert('boxes', type='Mosaic', img_scale=(64, 64)), 'Mosaic|mix_results', '.png', num_workers=1),
    pipeline_step_unknown=BrokenInput('maps', edit.insert('maps', type='RandomFlipp'), 'RandomFlipp'),
    same_images_in_train_and_val=BrokenInput(
        'photos',
        lambda _, cfg: cfg.val_dataloader.photos.dataset.update(data_prefix='train'),
        r'\b7\b',
        '.png',
        by='preflight'),
    normalisation_differs=BrokenInput(
        'maps',
        edit.mean('maps', [123.675, 116.28, 103.53]), r'123\.675.*127\.5|'
        r'127\.5.*123\.675',
        others=('photos', ),
        by='preflight'),
    colour_order_differs=BrokenInput(
        'photos',
        lambda _, cfg: cfg.model.branches.photos.model.data_preprocessor.update(to_rgb=True),
        'RGB|rgb',
        others=('maps', ),
        by='preflight'),
    source_not_in_model=BrokenInput(
        'photos', lambda _, cfg: cfg.model.branches.pop('photos'), 'branches', others=('maps', )),
    source_not_in_data=BrokenInput('photos', edit.without_data, 'sources', others=('maps', )),
    task_differs=BrokenInput('photos', lambda _, cfg: cfg.train_dataloader.dataset.sources.photos.update(task='seg'),
                             'seg'),
    batch_size_of_unknown_source=BrokenInput('photos', lambda _, cfg: cfg.train_dataloader.batch_size.update(photo=2),
                                             "unknown.*'photo'"),
    val_empty=BrokenInput(
        'boxes', edit.coco(lambda content: content.update(images=[], annotations=[]), 'val'), '.', by='preflight'))

# What the validation reads.
VALIDATION = dict(
    val_jpeg_truncated=BrokenInput(
        'photos',
        edit.file(PHOTO.replace('train', 'val'), edit.half_jpeg),
        'truncated',
        '4.png',
        by='sample',
        validate=True),
    val_image_missing=BrokenInput(
        'boxes',
        edit.file(BOXED.replace('train', 'val'), Path.unlink),
        'FileNotFoundError',
        '2.png',
        by='sample',
        validate=True),
    val_mask_of_another_size=BrokenInput(
        'maps', edit.pixels(MASK.replace('train', 'val'), (32, 32)), '32', '3.png', by='sample', validate=True),
    val_mask_label_out_of_range=BrokenInput(
        'maps',
        edit.pixels(MASK.replace('train', 'val'), (64, 64), low=9, high=10),
        r'label 9',
        '3.png',
        by='sample',
        validate=True))

SKIPS = {
    f'{name}_skipped': replace(case, on_error='skip', warns=True, says=r'\b[12] could not be loaded')
    for name, case in FILES.items()
}

SKIPS['all_images_missing_skipped'] = BrokenInput(
    'boxes', edit.options('boxes', data_prefix=dict(img='nowhere')), 'none of 5 samples', on_error='skip')

CASES: dict[str, BrokenInput] = {**FILES, **PIXELS, **COCO, **LABELS, **SETTINGS, **VALIDATION, **SKIPS}
