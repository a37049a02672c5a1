"""AOFlagger's strategies on single baselines: the only module that knows aoflagger."""

import hashlib
import os
from pathlib import Path

import numpy as np

from visds.core.errors import SettingsError
from visds.core.flags import Flag

_MISSING = ("--flagger aoflagger needs the Python package aoflagger: pip install "
            "'visds[aoflagger]', or choose --flagger light")


class AoflaggerStrategy:
    """A strategy of AOFlagger, by the name of a telescope or of a Lua file.

    Names are those of the strategies that come with AOFlagger, such as generic or jvla; capitals
    are not regarded. A strategy is a Lua program: one of a file is run as it is.

    `description` names version and strategy, with a hash of the Lua file.

    Raises
    ------
    SettingsError
        If the package is not installed, or there is no such strategy.
    """

    def __init__(self, name: str):
        try:
            import aoflagger
        except ImportError as error:
            raise SettingsError(_MISSING) from error
        self._aoflagger = aoflagger.AOFlagger()
        path = name
        if not Path(name).is_file():
            known = {telescope.lower(): getattr(aoflagger.TelescopeId, telescope)
                     for telescope in dir(aoflagger.TelescopeId) if telescope[0].isupper()}
            if name.lower() not in known:
                raise SettingsError(f"--flag-strategy: '{name}' is neither a file nor one of "
                                    f"{', '.join(sorted(known))}")
            path = self._aoflagger.find_strategy_file(known[name.lower()])
        try:
            program = Path(path).read_bytes()
            self._strategy = self._aoflagger.load_strategy_file(os.fspath(path))
        except (OSError, RuntimeError) as error:
            raise SettingsError(f"--flag-strategy: AOFlagger cannot use {path}: {error}") from error
        digest = hashlib.sha256(program).hexdigest()[:12]
        self.description = (f"AOFlagger {self._aoflagger.get_version_string()}, strategy "
                            f"{Path(path).name} (sha256 {digest})")

    def flag(self, residual: np.ndarray, flags: np.ndarray, usable: np.ndarray, pairs: np.ndarray,
             order: np.ndarray, baselines: np.ndarray) -> None:
        """Set the bit RFI in the flags of some baselines where the strategy finds interference.

        What it finds is flagged in all correlations.

        Parameters
        ----------
        residual : (T,B,F,P) complex64, Jy
            Visibilities less the sky model and the bursts.
        flags : (T,B,F,P) uint8
            Changed in place.
        usable : (T,B,F) bool
            What all correlations of the pairs have; the rest are the strategy's input flags.
        pairs : (N,2) int
            Places on axis P of the two correlations of each pair: these are looked at.
        order : (F) int
            Channels in the order of their frequencies.
        baselines : int
            Which to look at.
        """
        T, _, F, _ = residual.shape
        places = pairs.ravel()
        images = self._aoflagger.make_image_set(T, F, 2 * len(places))
        mask = self._aoflagger.make_flag_mask(T, F, False)
        for b in baselines:
            there = usable[:, b][:, order].T
            if not there.any():
                continue
            for n, p in enumerate(places):
                plane = np.where(there, residual[:, b][:, order, p].T, 0)
                images.set_image_buffer(2 * n, plane.real.astype(float))
                images.set_image_buffer(2 * n + 1, plane.imag.astype(float))
            mask.set_buffer(~there)
            found = self._strategy.run(images, mask).get_buffer() & there
            t, f = np.nonzero(found.T)
            flags[t, b, order[f]] |= np.uint8(Flag.RFI)
