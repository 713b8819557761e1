"""Peers on one gated (or full ReLU) program: a line of JSON for each solver that is installed.

Arguments: folder of the arrays, name of the set, lambda, known optimum, "gated" or "relu". CPU seconds of the whole
solve; the design matrix of the group-lasso solvers is built outside the clock.
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
folder, name, lam, optimum, program = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
X = np.load(f"{folder}/X_{name}.npy")
y = np.load(f"{folder}/y_{name}.npy")
G = np.load(f"{folder}/G_{name}_500.npy")
n, d = X.shape
beta = lam * n
D = np.unique((X @ G > 0).astype(float), axis=1)
D = D[:, D.sum(axis=0) > 0]
P = D.shape[1]


def report(peer, cpu, objective):
    print(json.dumps({"peer": peer, "cpu": cpu, "objective": float(objective)}), flush=True)


def value(W):
    """Objective of the gated program at W (P x d)."""
    f = np.einsum("ip,ip->i", D, X @ W.T)
    return 0.5 * np.sum((f - y) ** 2) + beta * np.sum(np.linalg.norm(W, axis=1))


if program == "gated":
    design = np.hstack([D[:, [p]] * X for p in range(P)])
    try:
        from celer import GroupLasso

        for tol in (1e-6, 1e-9):
            start = time.process_time()
            model = GroupLasso(groups=d, alpha=lam, fit_intercept=False, tol=tol, max_iter=300)
            model.fit(design, y)
            cpu = time.process_time() - start
            objective = value(model.coef_.reshape(P, d))
            report("celer", cpu, objective)
            if objective <= optimum * (1 + 1e-8):
                break
    except ImportError:
        pass
    try:
        from skglm import GroupLasso as SkglmGroupLasso

        SkglmGroupLasso(groups=d, alpha=1.0, fit_intercept=False).fit(design[:, : 2 * d], y)  # compiles
        for tol in (1e-6, 1e-9):
            start = time.process_time()
            model = SkglmGroupLasso(groups=d, alpha=lam, fit_intercept=False, tol=tol, max_iter=300)
            model.fit(design, y)
            cpu = time.process_time() - start
            objective = value(model.coef_.reshape(P, d))
            report("skglm", cpu, objective)
            if objective <= optimum * (1 + 1e-8):
                break
    except ImportError:
        pass
try:
    import cvxpy as cp

    signs = (1,) if program == "gated" else (1, -1)
    blocks = [cp.Variable((P, d)) for _ in signs]
    f = sum(s * cp.sum(cp.multiply(D, X @ V.T), axis=1) for s, V in zip(signs, blocks))
    constraints = [] if program == "gated" else [cp.multiply(2 * D - 1, X @ V.T) >= 0 for V in blocks]
    penalty = sum(cp.sum(cp.norm(V, 2, axis=1)) for V in blocks)
    task = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(f - y) + beta * penalty), constraints)
    start = time.process_time()
    task.solve(solver="CLARABEL")
    report("CVXPY+CLARABEL", time.process_time() - start, task.value)
except ImportError:
    pass
