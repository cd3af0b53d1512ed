"""Run the command line with ``python -m napari_mitostain``."""

from napari_mitostain.cli import main

if __name__ == "__main__":  # the processes that `mitostain stain` starts import this file too
    raise SystemExit(main())
