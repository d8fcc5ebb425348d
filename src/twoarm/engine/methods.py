"""Coefficients of the Rosenbrock methods, as printed in their papers, and their order conditions.

Each stage of a step of length `h` from `(t, y)` solves one linear system with the same matrix

    (1/(h γ) I - J) k_i = f(t + c_i h, y + Σ_j a_ij k_j) + Σ_j (C_ij / h) k_j + h d_i ∂f/∂t ,

the new state is `y + Σ_i m_i k_i`, the error estimate `Σ_i e_i k_i`, and between the ends

    y(θ) = (1-θ) y0 + θ (y1 + (1-θ) (r_1 + θ (r_2 + θ r_3))) ,   r_l = Σ_i H_li k_i .
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import factorial

import numpy as np

from twoarm.errors import UnknownMethodError

Tree = tuple["Tree", ...]


@dataclass(frozen=True, eq=False)
class Method:
    """One Rosenbrock method in the transformed form above.

    Attributes
    ----------
    name : str
        Name users pass as ``method=``.
    order, dense_order : int
        Order of the step and of the interpolant between its ends.
    gamma : float
        The diagonal coefficient γ.
    a, c : (stage, stage) float array
        Strictly lower triangular `a_ij` and `C_ij`.
    nodes, slopes : (stage,) float array
        `c_i` and `d_i`.
    dense : (term, stage) float array
        `H_li`.
    source : str
        Key in ``docs/references.bib``.
    """

    name: str
    order: int
    dense_order: int
    gamma: float
    a: np.ndarray
    c: np.ndarray
    nodes: np.ndarray
    slopes: np.ndarray
    dense: np.ndarray
    source: str

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.nodes)

    @cached_property
    def weights(self) -> np.ndarray:
        """`m_i`: both methods here are stiffly accurate, so it is the last stage plus its own increment."""
        m = self.a[-1].copy()
        m[-1] = 1.0
        return m

    def continuous_weights(self, theta: float) -> np.ndarray:
        """Weights of the stages in `y(θ) - y0` [θ from 0 to 1]."""
        tail = np.zeros(self.stages)
        for row in self.dense[::-1]:
            tail = row + theta * tail
        return theta * (self.weights + (1.0 - theta) * tail)


def _lower(rows: list[list[float]], stages: int) -> np.ndarray:
    full = np.zeros((stages, stages))
    for i, row in enumerate(rows):
        full[i, : len(row)] = row
    return full


def _rodas5p() -> Method:
    sixth = [
        -7.502846399306121,
        2.561846144803919,
        -11.627539656261098,
        -0.18268767659942256,
        0.030198172008377946,
    ]
    a = [
        [],
        [3.0],
        [2.849394379747939, 0.45842242204463923],
        [-6.954028509809101, 2.489845061869568, -10.358996098473584],
        [2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
        sixth,
        [*sixth, 1.0],
        [*sixth, 1.0, 1.0],
    ]
    c = [
        [],
        [-14.155112264123755],
        [-17.97296035885952, -2.859693295451294],
        [147.12150275711716, -1.41221402718213, 71.68940251302358],
        [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
        [24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471],
        [
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ],
        [
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ],
    ]
    dense = [
        [
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ],
        [
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ],
        [
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ],
    ]
    return Method(
        name="rodas5p",
        order=5,
        dense_order=4,
        gamma=0.21193756319429014,
        a=_lower(a, 8),
        c=_lower(c, 8),
        nodes=np.array(
            [
                0.0,
                0.6358126895828704,
                0.4095798393397535,
                0.9769306725060716,
                0.4288403609558664,
                1.0,
                1.0,
                1.0,
            ]
        ),
        slopes=np.array(
            [
                0.21193756319429014,
                -0.42387512638858027,
                -0.3384627126235924,
                1.8046452872882734,
                2.325825639765069,
                0.0,
                0.0,
                0.0,
            ]
        ),
        dense=np.array(dense),
        source="steinebach2023",
    )


def _rodas4() -> Method:
    fifth = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950]
    a = [
        [],
        [1.544],
        [0.9466785280815826, 0.2557011698983284],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817],
        fifth,
        [*fifth, 1.0],
    ]
    c = [
        [],
        [-5.6688],
        [-2.430093356833875, -0.2063599157091915],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ]
    dense = [
        [
            10.12623508344586,
            -7.487995877610167,
            -34.80091861555747,
            -7.992771707568823,
            1.025137723295662,
            0.0,
        ],
        [
            -0.6762803392801253,
            6.087714651680015,
            16.43084320892478,
            24.76722511418386,
            -6.594389125716872,
            0.0,
        ],
    ]
    return Method(
        name="rodas4",
        order=4,
        dense_order=3,
        gamma=0.25,
        a=_lower(a, 6),
        c=_lower(c, 6),
        nodes=np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0]),
        slopes=np.array([0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0]),
        dense=np.array(dense),
        source="hairer1996",
    )


METHODS: dict[str, Method] = {method.name: method for method in (_rodas5p(), _rodas4())}


def method(name: str) -> Method:
    """Look up a method by name.

    Parameters
    ----------
    name : str
        ``"rodas5p"`` or ``"rodas4"``.

    Returns
    -------
    Method
        Its coefficients.

    Raises
    ------
    UnknownMethodError
        If there is no method of that name.

    Examples
    --------
    >>> method("rodas5p").order
    5
    """
    if name not in METHODS:
        raise UnknownMethodError(method=name, known=METHODS)
    return METHODS[name]


def trees(order: int) -> Iterator[Tree]:
    """Every rooted tree with `order` vertices, as nested tuples of its branches."""
    if order == 1:
        yield ()
        return
    for sizes in _partitions(order - 1, order - 1):
        yield from _forests(sizes)


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
        return
    for first in range(min(total, largest), 0, -1):
        for rest in _partitions(total - first, first):
            yield (first, *rest)


def _forests(sizes: tuple[int, ...]) -> Iterator[Tree]:
    if not sizes:
        yield ()
        return
    count = sizes.count(sizes[0])
    for same in combinations_with_replacement(list(trees(sizes[0])), count):
        for rest in _forests(sizes[count:]):
            yield (*same, *rest)


def _size(tree: Tree) -> int:
    return 1 + sum(_size(branch) for branch in tree)


def _density(tree: Tree) -> int:
    product = _size(tree)
    for branch in tree:
        product *= _density(branch)
    return product


def order_defect(method: Method, order: int, theta: float | None = None) -> float:
    """Largest violation of the order conditions of every tree up to `order`.

    Parameters
    ----------
    method : Method
        The method to test.
    order : int
        Trees with up to this many vertices are tested.
    theta : float, optional
        Test the interpolant at this fraction of the step instead of its end.

    Returns
    -------
    float
        Zero, up to rounding, if the method has this order.

    Notes
    -----
    In the untransformed form, with `Γ = (I/γ - C)^-1`, `α = a Γ`, `b = m Γ`, `β = α + Γ`, a vertex with one
    branch multiplies by `β` and one with several by `α` (Hairer & Wanner 1996, section IV.7). The
    condition of a tree with density `γ(t)` at the fraction θ is `Σ b_i(θ) φ_i(t) = θ^|t| / γ(t)`.

    References
    ----------
    hairer1996, section IV.7.

    Examples
    --------
    >>> order_defect(method("rodas4"), 4) < 1e-10
    True
    """
    gamma_matrix = np.linalg.inv(np.eye(method.stages) / method.gamma - method.c)
    alpha = method.a @ gamma_matrix
    beta = alpha + gamma_matrix
    at = 1.0 if theta is None else theta
    b = (method.weights if theta is None else method.continuous_weights(theta)) @ gamma_matrix

    def weight(tree: Tree) -> np.ndarray:
        if len(tree) == 1:
            return np.asarray(beta @ weight(tree[0]))
        product = np.ones(method.stages)
        for branch in tree:
            product *= alpha @ weight(branch)
        return product

    defects = [
        abs(float(b @ weight(tree)) - at ** _size(tree) / _density(tree)) * factorial(_size(tree))
        for size in range(1, order + 1)
        for tree in trees(size)
    ]
    return max(defects)


def consistency_defect(method: Method) -> float:
    """Largest violation of `c_i = Σ α_ij` and `d_i = Σ Γ_ij` (right-hand sides that depend on time)."""
    gamma_matrix = np.linalg.inv(np.eye(method.stages) / method.gamma - method.c)
    alpha = method.a @ gamma_matrix
    one = np.ones(method.stages)
    return float(
        max(np.abs(alpha @ one - method.nodes).max(), np.abs(gamma_matrix @ one - method.slopes).max())
    )
