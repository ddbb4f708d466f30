"""Predict images: ``mim run xlearner_mm predict CKPT IMAGES... --out-dir DIR`` runs this file.

What it writes is told by :class:`xlearner_mm.apis.PredictionWriter`.
"""

import argparse
from collections.abc import Sequence
from typing import Optional

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import user_errors


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Predict images by a trained X-Learner')
    parser.add_argument('checkpoint', help='checkpoint of an X-Learner run, of the expansion or of the squeeze')
    parser.add_argument('images', nargs='+', help='images, or folders of images')
    parser.add_argument('--sources', nargs='+', help='sources whose branches predict; all by default')
    parser.add_argument('--out-dir', default='predictions', help='folder to write to; predictions by default')
    parser.add_argument('--device', help='such as cpu or cuda:0; the best one that is there by default')
    parser.add_argument('--batch-size', type=int, default=1, help='images that are predicted together, 1 by default')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='least score of boxes in pictures and in the table, 0.3 by default')
    return parser.parse_args(arguments)


def predict(args: argparse.Namespace) -> str:
    """Predict what a command line asks for.

    Args:
        args (argparse.Namespace): The arguments.

    Returns:
        str: Table of the predictions.

    Raises:
        OSError: If there is no image, or nothing can be written.
        SampleError: If an image cannot be read.
        ValueError: If checkpoint, source or device do not fit.
    """
    from xlearner_mm.apis import PredictionWriter, XLearnerInferencer, list_images

    images = [str(image) for image in list_images(args.images)]
    writer = PredictionWriter(args.out_dir, images)
    inferencer = XLearnerInferencer(args.checkpoint, args.device)
    for first in range(0, len(images), args.batch_size):
        batch = images[first:first + args.batch_size]
        found = inferencer(batch, batch_size=args.batch_size, sources=args.sources, return_vis=True,
                           pred_score_thr=args.score_thr)
        for index, image in enumerate(batch):
            predictions, pictures = ({source: of_source[index] for source, of_source in found[kind].items()}
                                     for kind in ('predictions', 'visualization'))
            writer.write(image, predictions, pictures)
    phase = inferencer.phase.name.lower()
    path = writer.finish(checkpoint=args.checkpoint, phase=phase)
    return f'{writer.table(args.score_thr)}\n\nby the {phase} of {args.checkpoint}; wrote {path} and pictures beside it'


def main() -> None:
    """Predict what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('predict'):
        if args.batch_size < 1:
            raise ValueError(f'--batch-size {args.batch_size} must be 1 or more.')
        register_all_modules()
        print(predict(args))


if __name__ == '__main__':
    main()
