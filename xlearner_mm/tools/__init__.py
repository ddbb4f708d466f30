"""Command line tools, found by ``mim train xlearner_mm`` and ``mim run xlearner_mm <tool>``."""
