"""Run the command line with ``python -m napari_mitostain``."""

from napari_mitostain.cli import main

raise SystemExit(main())
