"""What a path takes from its sightings."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from detectors import path


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 19), st.just(2)), elements=st.floats(0, 4000)), st.floats(0, 1))
def test_a_share_of_the_sizes_is_taken_as_numpy_takes_it(sizes, share):
    assert np.allclose(path._quantile(sizes, share), np.quantile(sizes, share, axis=0), rtol=1e-12, atol=1e-9)
