"""Class names and colours of the six sources, in label order, for the ``metainfo`` of configs."""

# Names of the 17 classes of the IGBP legend as MCD12C1 numbers them (0 is water).
LANDCOVER_SEG = (
    'water', 'evergreen needleleaf forest', 'evergreen broadleaf forest', 'deciduous needleleaf forest',
    'deciduous broadleaf forest', 'mixed forest', 'closed shrubland', 'open shrubland', 'woody savanna', 'savanna',
    'grassland', 'wetland', 'cropland', 'urban', 'cropland mosaic', 'snow and ice', 'barren')
LANDCOVER_SEG_PALETTE = (
    (28, 74, 160), (10, 90, 100), (8, 106, 16), (85, 166, 10), (110, 205, 60), (49, 141, 70), (198, 176, 68),
    (220, 208, 140), (218, 222, 72), (251, 255, 19), (182, 255, 5), (39, 200, 170), (230, 130, 40), (225, 20, 20),
    (250, 190, 120), (235, 250, 255), (190, 160, 150))

LSMASK_SEG = ('ocean', 'land', 'lake')
LSMASK_SEG_PALETTE = ((20, 60, 150), (215, 190, 120), (60, 220, 240))

COAST_DET = ('island', 'lake')
COAST_DET_PALETTE = ((255, 200, 0), (0, 230, 255))

TREE_DET = ('tree', )
TREE_DET_PALETTE = ((255, 80, 60), )

# Folder names of the land-cover classification, sorted as mmpretrain sorts them: the classes of the legend with at
# least `tile_rules.MIN_TILES` clear tiles in train.
LANDCOVER_CLS = ('barren', 'cropland', 'evergreen_broadleaf_forest', 'grassland', 'mixed_forest', 'open_shrubland',
                 'savanna', 'water', 'woody_savanna')

DIGITS_CLS = tuple('0123456789')


def cls_folder(igbp_class: int) -> str:
    """Folder name of a class of the IGBP legend, ``'open_shrubland'`` for 7."""
    return LANDCOVER_SEG[igbp_class].replace(' ', '_')
