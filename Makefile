# make demo   install, then stain the sample stack in the viewer (without a display: a screenshot and an OME-TIFF)
# make test   install, then the whole test suite with a real viewer
# make check  lint and types
# make wheel  build dist/*.whl

PYTHON ?= python3
BIN := .venv/bin
LINUX := $(filter Linux,$(shell uname -s))
VIRTUAL_DISPLAY := $(if $(LINUX),xvfb-run --auto-servernum --server-args="-screen 0 1680x1050x24")
DISPLAY_FOUND := $(if $(LINUX),$(DISPLAY)$(WAYLAND_DISPLAY),yes)

.PHONY: demo test check wheel install system clean

demo: install
ifneq ($(DISPLAY_FOUND),)
	$(BIN)/mitostain demo
else
	mkdir -p demo
	$(VIRTUAL_DISPLAY) $(BIN)/mitostain demo --screenshot demo/screenshot.png --output demo/stain.ome.tif --overwrite
	@echo "No display here: see demo/screenshot.png and demo/stain.ome.tif"
endif

test: install
	@# a process for each core, up to four; on Linux each has a virtual display of its own
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/npe2 validate napari-mitostain

wheel: install
	$(BIN)/python -m build --wheel

install: system .venv/installed

system:
	@PYTHON=$(PYTHON) sh scripts/system_libraries.sh

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv dist demo
