"""Surgery methods of TorchJD for mtft; importing this imports neither torch nor TorchJD."""

from __future__ import annotations

from collections.abc import Iterable

from mtft import Part, hookimpl

MTFT_API_VERSION = 1

METHODS = {
    "upgrad": "each gradient projected onto the dual cone of all, then added (Quinton and Rey 2024)",
    "dualproj": "the mean gradient projected onto the dual cone (as GEM, Lopez-Paz and Ranzato 2017)",
    "mgda": "the shortest vector in the convex hull of the gradients (Desideri 2012, Sener and Koltun 2018)",
    "imtl-g": "the direction with equal projections on all unit gradients (Liu et al. 2021)",
    "aligned-mtl": "principal components of the gradients brought to one length (Senushkin et al. 2023)",
    "cagrad": "the worst task's descent within a ball of radius 0.5 around the mean (Liu et al. 2021); extra cagrad",
    "fairgrad": "equal relative gains, alpha = 1 (Ban and Ji 2024); extra fairgrad",
    "pcgrad": "conflicts projected away in random order (Yu et al. 2020)",
}


@hookimpl
def mtft_surgery() -> Iterable[Part]:
    """One part per method, under the name ``torchjd-METHOD``."""
    for name, text in METHODS.items():
        yield Part(f"torchjd-{name}", f"mtft_torchjd.methods:{name.replace('-', '_')}", text)
