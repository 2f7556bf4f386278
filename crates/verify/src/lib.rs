//! Subject, evidence, trust, policy, verdict and the one function that decides. Pure.
