"""Pictures of training data: an image as the pipeline leaves it, its labels, and a sheet of many."""

from .contact_sheet import contact_sheet
from .draw_labels import draw_labels
from .fit_image import fit_image
from .labelled_image import LabelledImage
from .sample_image import is_rgb, sample_image
from .source_row import first_keys, labelled_sample, source_title

__all__ = [
    'LabelledImage', 'contact_sheet', 'draw_labels', 'first_keys', 'fit_image', 'is_rgb', 'labelled_sample',
    'sample_image', 'source_title'
]
