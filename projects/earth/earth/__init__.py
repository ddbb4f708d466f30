"""The demo project of xlearner_mm: six small sources of real images, prepared from Python packages."""
