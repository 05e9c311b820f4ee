"""``python -m celeriac`` is ``celeriac``."""

from __future__ import annotations

from celeriac.cli.main import main

if __name__ == "__main__":
    main()
